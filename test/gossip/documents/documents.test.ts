/** The core of documents: whatever happens to messages, replicas end equal, and nothing gets in that should not. */
import '../support/properties.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareHeld, KEPT_BYTES, KEPT_REVISIONS } from '../../../gossip/documents/chain.ts';
import { compareHlc, nextHlc } from '../../../gossip/documents/hlc.ts';
import type { Held } from '../../../gossip/documents/revision.ts';
import { MAX_BODY_BYTES } from '../../../gossip/documents/revision.ts';
import { compareAll, NOW_MS, Replica, revision, settle, sign } from './replicas.ts';

interface Edit {
  /** On which replica. */
  readonly at: number;
  readonly name: string;
  /** Null deletes. */
  readonly text: string | null;
  /** How far the writer's clock is off. */
  readonly skewMs: number;
  readonly author: string;
}

const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    at: fc.nat(3),
    name: fc.constantFrom('a', 'b'),
    text: fc.option(fc.constantFrom('1', '2', '3'), { nil: null, freq: 3 }),
    skewMs: fc.integer({ min: -30_000, max: 30_000 }),
    author: fc.constantFrom('alice', 'bob'),
  }),
  { minLength: 1, maxLength: 30 },
);
/** Which messages never arrive; as many as there are, again from the beginning. */
const losses = fc.array(fc.boolean(), { minLength: 1, maxLength: 20 });

/** Four replicas on which people write, each building on what their own replica holds at that moment. */
function write(all: readonly Edit[], lost: readonly boolean[]): { replicas: Replica[]; written: Held[] } {
  const replicas = ['n0', 'n1', 'n2', 'n3'].map((name) => new Replica(name));
  for (const a of replicas) for (const b of replicas) if (a !== b) a.links.set(b.name, Number.NEGATIVE_INFINITY);
  const written: Held[] = [];
  let messages = 0;
  for (const [i, { at, name, text, skewMs, author }] of all.entries()) {
    const replica = replicas[at]!;
    const base = replica.head(name);
    const held = revision({ name, base, text, author, hlc: nextHlc(base?.revision.hlc, NOW_MS + skewMs + i) });
    const { result, effects } = replica.step((documents) => documents.write(held.revision, false));
    expect(result).toEqual({ kind: 'written', id: held.id });
    written.push(held);
    settle(replicas, from(replica, effects), () => lost[messages++ % lost.length]!);
  }
  return { replicas, written };
}

function from<T>(replica: Replica, effects: readonly T[]): (readonly [Replica, T])[] {
  return effects.map((effect) => [replica, effect] as const);
}

describe('replicas', () => {
  test('that lost any messages are equal after they compared, and the latest revision of each document is in force', () => {
    fc.assert(
      fc.property(edits, losses, (all, lost) => {
        const { replicas, written } = write(all, lost);
        compareAll(replicas);
        const states = replicas.map((replica) => replica.state());
        expect(new Set(states).size).toBe(1);
        for (const name of new Set(written.map((held) => held.revision.name))) {
          const latest = written
            .filter((held) => held.revision.name === name)
            .sort(compareHeld)
            .at(-1)!;
          expect(replicas[0]!.head(name)!.id).toBe(latest.id);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('that get the same revisions in any order, some of them often, end equal and never go back', () => {
    fc.assert(
      fc.property(edits, fc.array(fc.nat(), { maxLength: 60 }), (all, order) => {
        const { written } = write(all, [true]);
        const inOrder = new Replica('a');
        const shuffled = new Replica('b');
        for (const held of written) inOrder.documents.library.offer(held.revision);
        for (const i of [...order, ...written.keys()]) {
          const held = written[i % written.length]!;
          const before = shuffled.head(held.revision.name);
          shuffled.documents.library.offer(held.revision);
          const after = shuffled.head(held.revision.name)!;
          expect(before === undefined || compareHeld(after, before) >= 0).toBe(true);
        }
        expect(shuffled.state()).toBe(inOrder.state());
      }),
      { numRuns: 200 },
    );
  });

  test('never undo a deletion by anything written before it', () => {
    fc.assert(
      fc.property(edits, losses, (all, lost) => {
        const { replicas } = write(all, lost);
        compareAll(replicas);
        const [writer] = replicas as [Replica];
        const gone = revision({
          name: 'a',
          base: writer.head('a'),
          text: null,
          hlc: { ms: NOW_MS + 40_000, count: 0 },
        });
        const { effects } = writer.step((documents) => documents.write(gone.revision, false));
        settle(replicas, from(writer, effects), () => lost[0]!);
        const old = replicas.flatMap((replica) => replica.kept()).filter((one) => one !== gone.revision);
        for (const replica of replicas) for (const one of old) replica.documents.library.offer(one);
        compareAll(replicas);
        for (const replica of replicas) expect(replica.head('a')!.id).toBe(gone.id);
      }),
      { numRuns: 50 },
    );
  });

  test('come back from what they kept on disk with the same state', () => {
    fc.assert(
      fc.property(edits, (all) => {
        const { replicas } = write(all, [false]);
        const again = new Replica('again', { initial: replicas[0]!.kept() });
        expect(again.state()).toBe(replicas[0]!.state());
      }),
      { numRuns: 50 },
    );
  });

  test('that are equal part after two small messages', () => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    for (let i = 0; i < 500; i++) {
      const { revision: one } = revision({ name: `d${i}` });
      for (const replica of [a, b]) replica.documents.library.offer(one);
    }
    const opened = a.step((documents) => documents.linkUp('b', true)).effects;
    const messages = opened.filter((effect) => effect.kind === 'send').map((effect) => effect.message);
    expect(messages).toMatchObject([{ kind: 'doc-root', count: 500 }]);
    const answer = b.step((documents) => documents.received('a', messages[0] as never)).effects;
    expect(answer).toEqual([{ kind: 'send', to: 'a', message: { kind: 'doc-equal' } }]);
  });

  test('that differ in more than fits one answer still end equal', () => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    const large = 'x'.repeat(200_000);
    for (let i = 0; i < 30; i++) a.documents.library.offer(revision({ name: `d${i}`, text: large }).revision);
    let base: Held | undefined;
    for (let i = 0; i < KEPT_REVISIONS; i++) {
      base = revision({ name: 'deep', base, text: `${i}${large}`, hlc: { ms: NOW_MS - 1_000 + i, count: 0 } });
      b.documents.library.offer(base.revision);
    }
    compareAll([a, b]);
    expect(a.state()).toBe(b.state());
    expect(a.documents.library.size).toBe(31);
  });
});

describe('the history of a document', () => {
  test('is cut by size as well, to the same revisions whatever the order they came in', () => {
    const all: Held[] = [];
    for (let i = 0; i < 10; i++) {
      const text = `${i}`.repeat((i % 3) * 120_000 + 1);
      all.push(revision({ base: all.at(-1), text, hlc: { ms: NOW_MS - 100 + i, count: 0 } }));
    }
    const inOrder = new Replica('a');
    for (const held of all) inOrder.documents.library.offer(held.revision);
    const kept = inOrder.documents.library.get('AccessPolicy/shop/web')!;
    expect(kept.held.length).toBeLessThan(8);
    expect(kept.bytes).toBeLessThanOrEqual(KEPT_BYTES + MAX_BODY_BYTES + 1_000);
    fc.assert(
      fc.property(fc.shuffledSubarray([...all.keys()], { minLength: 10 }), (order) => {
        const other = new Replica('b');
        for (const i of order) other.documents.library.offer(all[i]!.revision);
        expect(other.state()).toBe(inOrder.state());
      }),
      { numRuns: 30 },
    );
  });

  test('makes room: when all are full, a deletion still passes and lets others in', () => {
    const replica = new Replica('a');
    const large = 'x'.repeat(MAX_BODY_BYTES);
    let count = 0;
    while (replica.documents.library.offer(revision({ name: `d${count}`, text: large }).revision).kind === 'news')
      count++;
    expect(replica.stats.bytes).toBeLessThanOrEqual(128 * 1024 * 1024);
    const next = revision({ name: 'next', text: large }).revision;
    expect(replica.documents.library.offer(next)).toMatchObject({ kind: 'refused', reason: 'full' });
    for (const name of ['d0', 'd1', 'd2']) {
      let base = replica.head(name);
      // As often as revisions are kept: then the body is gone from the history too.
      for (let i = 0; i < KEPT_REVISIONS; i++) {
        base = revision({ name, base, text: null, hlc: { ms: NOW_MS + 1 + i, count: 0 } });
        expect(replica.documents.library.offer(base.revision).kind).toBe('news');
      }
    }
    expect(replica.documents.library.offer(next).kind).toBe('news');
  });
});

describe('two writers on both sides of a partition', () => {
  test('have one winner everywhere; the loser stays in the history, marked', () => {
    const [a, b] = [new Replica('a'), new Replica('b')];
    const base = revision({ text: 'base' });
    const left = revision({ base, text: 'left', author: 'alice', hlc: { ms: NOW_MS + 1, count: 0 } });
    const right = revision({ base, text: 'right', author: 'bob', hlc: { ms: NOW_MS + 2, count: 0 } });
    for (const replica of [a, b]) replica.documents.library.offer(base.revision);
    expect(a.step((documents) => documents.write(left.revision, false)).result.kind).toBe('written');
    expect(b.step((documents) => documents.write(right.revision, false)).result.kind).toBe('written');
    compareAll([a, b]);
    for (const replica of [a, b]) {
      expect(replica.documents.library.get('AccessPolicy/shop/web')!.standings()).toEqual([
        { held: right, standing: 'current' },
        { held: left, standing: 'superseded' },
        { held: base, standing: 'replaced' },
      ]);
    }
  });

  test('whose clocks were equal are told apart by the revisions themselves, the same way everywhere', () => {
    const hlc = { ms: NOW_MS, count: 7 };
    const [one, two] = [revision({ text: '1', hlc }), revision({ text: '2', hlc })];
    const [a, b] = [new Replica('a'), new Replica('b')];
    for (const held of [one, two]) a.documents.library.offer(held.revision);
    for (const held of [two, one]) b.documents.library.offer(held.revision);
    expect(a.head()!.id).toBe(b.head()!.id);
  });
});

describe('a writer', () => {
  test('whose base is not in force is told, and so is one who takes a taken name', () => {
    const replica = new Replica('a');
    const first = revision({ text: '1' });
    const second = revision({ base: first, text: '2' });
    for (const held of [first, second]) replica.step((documents) => documents.write(held.revision, false));
    const write = (held: Held) => replica.step((documents) => documents.write(held.revision, false)).result;
    expect(write(revision({ base: first, text: '3' }))).toMatchObject({ kind: 'conflict', current: second.id });
    expect(write(revision({ text: 'new' }))).toMatchObject({
      kind: 'conflict',
      detail: expect.stringContaining('this is a first revision, but'),
    });
    expect(replica.stats.conflicts).toBe(2);
    expect(replica.head()!.id).toBe(second.id);
  });

  test('may not date a revision before the one it replaces, nor skip a number', () => {
    const replica = new Replica('a');
    const first = revision({ text: '1', hlc: { ms: NOW_MS, count: 0 } });
    const write = (held: Held) => replica.step((documents) => documents.write(held.revision, false)).result;
    write(first);
    const early = revision({ base: first, text: '2', hlc: { ms: NOW_MS - 1, count: 0 } });
    expect(write(early)).toMatchObject({ kind: 'refused', reason: 'malformed' });
    const skipped = sign({ ...revision({ base: first, text: '2' }).revision, number: 9 });
    expect(write(skipped)).toMatchObject({ kind: 'refused', reason: 'malformed' });
  });

  test('who hands in again what is in force is welcome; what was replaced is a replay, and noted', () => {
    const replica = new Replica('a');
    const first = revision({ text: '1' });
    const second = revision({ base: first, text: '2' });
    const write = (held: Held) => replica.step((documents) => documents.write(held.revision, false));
    for (const held of [first, second]) write(held);
    expect(write(second)).toEqual({ result: { kind: 'known', id: second.id }, effects: [] });
    const replayed = write(first);
    expect(replayed.result).toMatchObject({
      kind: 'refused',
      reason: 'replayed',
      detail: expect.stringContaining(`${second.id.slice(0, 12)} (revision 2 by alice`),
    });
    const refusal = { reason: 'replayed', detail: expect.any(String) };
    expect(replayed.effects).toMatchObject([
      { kind: 'document-notes', notes: [{ id: first.id, arrival: { via: 'operator' }, refusal }] },
    ]);
    expect([replica.head()!.id, replica.stats.refused.replayed]).toEqual([second.id, 1]);
  });

  test('whose certificate has expired cannot date a revision back; what was written in its time still travels', () => {
    const replica = new Replica('a');
    replica.authority.expiresAtMs = NOW_MS - 1;
    const back = revision({ hlc: { ms: NOW_MS - 1_000, count: 0 } }).revision;
    const { result, effects } = replica.step((documents) => documents.write(back, false));
    expect(result).toMatchObject({ kind: 'refused', reason: 'certificate' });
    expect(effects).toMatchObject([{ notes: [{ refusal: { reason: 'certificate', detail: 'expired' } }] }]);
    expect(replica.step((documents) => documents.broadcast(back)).result).toBe(true);
  });

  test('of a dry run is judged as if in earnest, and nothing is kept, sent or told', () => {
    const replica = new Replica('a');
    replica.links.set('b', 0);
    const { result, effects } = replica.step((documents) => documents.write(revision({}).revision, true));
    expect([result.kind, effects]).toEqual(['written', []]);
    expect(replica.head()).toBeUndefined();
  });

  test('is told when the mesh holds no more documents, while a change of one there still passes', () => {
    const replica = new Replica('a', { maxDocuments: 2 });
    const write = (held: Held) => replica.step((documents) => documents.write(held.revision, false)).result;
    const [one, two] = [revision({ name: 'one' }), revision({ name: 'two' })];
    expect([write(one).kind, write(two).kind]).toEqual(['written', 'written']);
    expect(write(revision({ name: 'three' }))).toMatchObject({
      kind: 'refused',
      reason: 'full',
      detail: 'the mesh holds 2 documents and 0 deletions, and takes no more new ones',
    });
    expect(write(revision({ name: 'one', base: one, text: '2' })).kind).toBe('written');
  });
});

describe('a revision', () => {
  const good = revision({ kind: 'AccessPolicy' }).revision;
  const scoped = (kind: string) =>
    sign({ ...good, kind, author: 'carol', certificate: Buffer.from('carol AccessPolicy,RateLimit') }).revision;

  test.each([
    ['altered after it was signed', { ...good, body: Buffer.from('{"a":1}') }, 'signature'],
    ['moved to another name', { ...good, name: 'other' }, 'signature'],
    ['moved to another namespace', { ...good, namespace: 'bank' }, 'signature'],
    ['signed by somebody else', sign(good, 'mallory').revision, 'signature'],
    [
      'of an operator of another root',
      sign({ ...good, certificate: Buffer.from('stranger *') }).revision,
      'certificate',
    ],
    ['that names another author', sign({ ...good, author: 'alice' }, 'bob').revision, 'signature'],
    [
      'with the certificate of another operator',
      sign({ ...good, certificate: Buffer.from('bob *') }, 'bob').revision,
      'author',
    ],
    ['out of scope', scoped('MeshConfig'), 'scope'],
    ['dated 61 s ahead', revision({ hlc: { ms: NOW_MS + 60_001, count: 0 } }).revision, 'future'],
    ['dated in the year 2100', revision({ hlc: { ms: Date.UTC(2100, 0), count: 0 } }).revision, 'future'],
    ['of one byte too many', revision({ text: 'x'.repeat(MAX_BODY_BYTES + 1) }).revision, 'too-large'],
    ['of no kind', sign({ ...good, kind: 'not a kind' }).revision, 'malformed'],
    ['with a path for a name', sign({ ...good, name: '../etc' }).revision, 'malformed'],
    ['without a base but not the first', sign({ ...good, number: 2 }).revision, 'malformed'],
    ['with a time that is no time', sign({ ...good, hlc: { ms: -1, count: 0 } }).revision, 'malformed'],
  ] as const)('%s is refused by broadcast, pull and write, noted and counted', (_what, bad, reason) => {
    const replica = new Replica('a');
    replica.links.set('b', 0);
    const { name, author, hlc } = bad;
    const note = { name, author, writtenAtMs: hlc.ms, refusal: { reason, detail: expect.any(String) } };
    expect(replica.step((documents) => documents.broadcast(bad))).toMatchObject({
      result: false,
      effects: [{ kind: 'document-notes', notes: [{ ...note, arrival: { via: 'peer', from: '' } }] }],
    });
    expect(replica.stats.refused[reason]).toBe(1);
    expect(replica.step((documents) => documents.restore([bad])).result).toMatchObject({ taken: 0 });
    expect(replica.step((documents) => documents.write(bad, false)).result).toMatchObject({ kind: 'refused', reason });
    expect(replica.stats.refused[reason]).toBe(3);
    expect(replica.state()).toBe('');
  });

  test('within its scope passes, and up to a minute ahead', () => {
    const replica = new Replica('a');
    expect(replica.step((documents) => documents.broadcast(scoped('RateLimit'))).result).toBe(true);
    const ahead = revision({ name: 'ahead', hlc: { ms: NOW_MS + 60_000, count: 0 } }).revision;
    expect(replica.step((documents) => documents.broadcast(ahead)).result).toBe(true);
  });

  test('older than all that is kept is a replay: refused without checking its signature, and counted', () => {
    const replica = new Replica('a');
    const first = revision({ text: 'first', hlc: { ms: NOW_MS - 100, count: 0 } });
    let base = first;
    replica.documents.library.offer(first.revision);
    for (let i = 1; i <= KEPT_REVISIONS; i++) {
      base = revision({ base, text: `${i}`, hlc: { ms: NOW_MS - 100 + i, count: 0 } });
      replica.documents.library.offer(base.revision);
    }
    const { judged } = replica.authority;
    const { result, effects } = replica.step((documents) => documents.broadcast(first.revision));
    expect(result).toBe(false);
    expect(effects).toMatchObject([{ notes: [{ id: first.id, refusal: { reason: 'replayed' } }] }]);
    expect([replica.stats.stale, replica.authority.judged - judged]).toEqual([1, 0]);
    expect(replica.head()!.id).toBe(base.id);
  });

  test('that was not asked for is no answer', () => {
    const replica = new Replica('a');
    const message = { kind: 'doc-pages', revisions: [good], served: 1 } as const;
    replica.step((documents) => documents.received('b', message));
    expect(replica.state()).toBe('');
  });

  test('that arrives twice is verified once', () => {
    const replica = new Replica('a');
    for (let i = 0; i < 5; i++) replica.documents.library.offer(good);
    expect(replica.authority.judged).toBe(1);
  });
});

test('a hybrid clock runs ahead of the revision before, and as near to the wall as that allows', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(), (ms, count, wallMs) => {
      const before = { ms: ms + 1, count };
      const after = nextHlc(before, wallMs);
      expect(compareHlc(after, before)).toBeGreaterThan(0);
      expect(after.ms).toBe(Math.max(before.ms, wallMs));
    }),
  );
});
