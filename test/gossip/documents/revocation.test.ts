/** Documents of operators who were called back: out of force everywhere, in whatever order the news came. */
import '../support/properties.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { revocationName } from '../../../certs/revocation.ts';
import { KEPT_REVISIONS } from '../../../gossip/documents/chain.ts';
import type { Held } from '../../../gossip/documents/revision.ts';
import { MAX_CALL_BYTES, MAX_CALLS, MAX_REVOCATIONS } from '../../../gossip/documents/revocation.ts';
import { revokedOperators } from '../../../gossip/documents/revoked-operators.ts';
import { compareAll, NOW_MS, Replica, revision, TRUST_DOMAIN } from './replicas.ts';

const NAMES = ['alice', 'bob', 'carol', 'thief'] as const;
/** Alice was certified first, the thief's key last but one. */
const ISSUED: Readonly<Record<string, number>> = { alice: 1_000, bob: 2_000, thief: 3_000, carol: 4_000 };

function idOf(name: string): string {
  return `spiffe://${TRUST_DOMAIN}/operator/${name}`;
}

/** What an operator writes: `spec` of a revocation of `subject`, or a policy where there is none. */
function write(
  by: string,
  options: { subject?: string; name?: string; at?: number; text?: string; before?: number },
): Held {
  const { subject, name = 'web', at = 0, text = `{"by":"${by}"}`, before = NOW_MS } = options;
  const who = { author: idOf(by), issuedAtMs: ISSUED[by]!, hlc: { ms: NOW_MS + at, count: 0 } };
  if (subject === undefined) return revision({ ...who, name, text });
  const spec = { subject, before: new Date(before).toISOString() };
  const key = { kind: 'Revocation', namespace: 'weft-system', name: revocationName(subject) };
  return revision({ ...who, ...key, text: JSON.stringify({ spec }) });
}

function holding(all: readonly Held[], name = 'n'): Replica {
  const replica = new Replica(name);
  for (const held of all) replica.documents.library.offer(held.revision);
  return replica;
}

function revoked(replica: Replica): readonly string[] {
  const entries = replica.documents.library.revocations.entries(NOW_MS);
  return entries.map(({ subject }) => subject.slice(subject.lastIndexOf('/') + 1)).sort();
}

const bobsCall = write('alice', { subject: 'operator/bob', at: 50 });

describe('documents of a revoked operator', () => {
  test('leave force, and what stood before them comes back, on a node that had them and on one that did not', () => {
    const [old, evil] = [write('alice', { at: 1 }), write('bob', { at: 2 })];
    for (const order of [
      [old, evil, bobsCall],
      [old, bobsCall, evil],
      [bobsCall, evil, old],
    ]) {
      expect(holding(order).head()?.id).toBe(old.id);
    }
  });

  test('are refused whenever they say they were written', () => {
    const replica = holding([bobsCall]);
    for (const at of [-1_000_000, 0, 49, 51]) {
      const { result } = replica.step((documents) => documents.write(write('bob', { at }).revision, false));
      expect(result).toMatchObject({ kind: 'refused', reason: 'revoked', detail: expect.stringContaining('/bob was') });
    }
    expect(replica.stats.refused.revoked).toBe(4);
  });

  test('cannot wash the good ones out: the latest of each author is kept however many are later', () => {
    const good = write('alice', { at: 1 });
    const flood = Array.from({ length: KEPT_REVISIONS * 2 }, (_, i) => write('bob', { at: 2 + i }));
    expect(holding([good, ...flood]).head()?.id).toBe(flood.at(-1)!.id);
    expect(holding([good, ...flood, bobsCall]).head()?.id).toBe(good.id);
  });

  test('that had nothing before them are gone, and the rest of the agent is told so', () => {
    const replica = holding([write('bob', { name: 'only' }), write('bob', { name: 'both', at: 3 })]);
    const below = write('alice', { name: 'both', at: 1 });
    replica.documents.library.offer(below.revision);
    const { effects } = replica.step((documents) => documents.write(bobsCall.revision, false));
    const told = effects.filter(({ kind }) => kind.startsWith('documents') || kind === 'revocations');
    expect(told).toMatchObject([
      { kind: 'revocations', entries: [{ subject: idOf('bob'), beforeMs: NOW_MS }] },
      { kind: 'documents-gone', keys: [{ kind: 'AccessPolicy', namespace: 'shop', name: 'only' }] },
      { kind: 'documents', heads: [{ id: bobsCall.id }, { id: below.id }] },
    ]);
    expect(replica.head('only')).toBeUndefined();
  });

  test('by a certificate of later than the revocation are good', () => {
    const call = write('alice', { subject: 'operator/bob', before: ISSUED.bob! });
    const renewed = revision({ author: idOf('bob'), issuedAtMs: ISSUED.bob! + 1, hlc: { ms: NOW_MS, count: 0 } });
    expect(holding([call, write('bob', {}), renewed]).head()?.id).toBe(renewed.id);
  });

  test('are back when the one who revoked their author turns out to be a thief', () => {
    const policy = write('alice', { at: 1 });
    const theft = write('thief', { subject: 'operator/alice', at: 2 });
    const replica = holding([policy, theft]);
    expect(replica.head()).toBeUndefined();
    replica.documents.library.offer(write('carol', { subject: 'operator/thief', at: 3 }).revision);
    expect([replica.head()?.id, revoked(replica)]).toEqual([policy.id, ['thief']]);
  });

  test('stay out of force after a restart, in whatever order the disk has them', () => {
    const all = [write('alice', { at: 1 }), write('bob', { at: 2 }), bobsCall];
    for (const initial of [all, all.toReversed()]) {
      const again = new Replica('n', { initial: initial.map((held) => held.revision) });
      const { effects } = again.step((documents) => documents.start());
      expect(effects[0]).toMatchObject({ kind: 'revocations', entries: [{ subject: idOf('bob') }] });
      expect(again.head()?.id).toBe(all[0]!.id);
      expect([...again.documents.library.kept()]).toHaveLength(3); // also what is set aside
    }
  });
});

describe('operators who revoke each other', () => {
  const statements = fc.array(
    fc.record({
      by: fc.constantFrom(...NAMES),
      subject: fc.constantFrom(...NAMES, undefined),
      at: fc.nat(40),
      before: fc.constantFrom(500, 1_500, 2_500, 3_500, NOW_MS),
    }),
    { minLength: 1, maxLength: 14 },
  );
  const build = (all: readonly { by: string; subject: string | undefined; at: number; before: number }[]): Held[] =>
    all.map(({ subject, ...rest }) =>
      write(rest.by, subject === undefined ? rest : { ...rest, subject: `operator/${subject}` }),
    );

  test('come out the same on every node, whatever order their words came in', () => {
    fc.assert(
      fc.property(statements, fc.array(fc.nat(), { maxLength: 40 }), (all, order) => {
        const written = build(all);
        const shuffled = [...order.map((i) => written[i % written.length]!), ...written.toReversed()];
        const replicas = [holding(written, 'a'), holding(shuffled, 'b'), holding(written.toReversed(), 'c')];
        const outcomes = replicas.map((replica) => revoked(replica).join());
        expect(new Set(outcomes).size).toBe(1);
        compareAll(replicas);
        expect(new Set(replicas.map((replica) => replica.state())).size).toBe(1);
      }),
      { numRuns: 300 },
    );
  });

  test('cannot touch one whom the root certifies after all of them, and who calls them back', () => {
    fc.assert(
      fc.property(statements, (all) => {
        const thieves = all.filter(({ by }) => by !== 'carol');
        const answers = ['alice', 'bob', 'thief'].map((name) =>
          write('carol', { subject: `operator/${name}`, at: 50 }),
        );
        const replica = holding([...build(thieves), ...answers]);
        expect(revoked(replica)).toEqual(['alice', 'bob', 'thief']);
      }),
      { numRuns: 200 },
    );
  });

  test('are settled without one word of a revoked operator counting, unless all only accuse each other', () => {
    const alice = { spiffeId: 'a', issuedAtMs: 1 };
    const bob = { spiffeId: 'b', issuedAtMs: 2 };
    const says = (author: typeof alice, subject: string) => [{ author, revokes: { subject, beforeMs: 9 } }];
    expect(revokedOperators([says(alice, 'b'), says(bob, 'c')]).entries()).toEqual([{ subject: 'b', beforeMs: 9 }]);
    expect(revokedOperators([says(alice, 'b'), says(bob, 'a')]).entries()).toEqual([{ subject: 'a', beforeMs: 9 }]);
    expect(revokedOperators([says(alice, 'a')]).size).toBe(0); // nobody can call back himself
  });
});

describe('a revocation', () => {
  test('counts in its namespace, under the name of its subject, and nowhere else', () => {
    const spec = { subject: 'node/n3', before: new Date(NOW_MS).toISOString() };
    const at = { kind: 'Revocation', namespace: 'weft-system', name: 'node.n3', text: JSON.stringify({ spec }) };
    expect(revoked(holding([revision(at)]))).toEqual(['n3']);
    for (const wrong of [
      { namespace: 'shop' },
      { namespace: '' },
      { kind: 'AccessPolicy' },
      { name: 'node.n4' },
      { text: '{"spec":{"subject":"node/n3"}}' },
      { text: '{' },
      { text: null },
    ]) {
      expect(revoked(holding([revision({ ...at, ...wrong })]))).toEqual([]);
    }
  });

  test('is of no effect once all it covers has expired, unless it is of an operator', () => {
    for (const [subject, isOver] of [
      ['node/n3', true],
      ['workload/ns/shop/sa/web', true],
      ['operator/bob', false],
    ] as const) {
      const spec = { subject, before: new Date(NOW_MS).toISOString(), expires: new Date(NOW_MS + 1_000).toISOString() };
      const at = { kind: 'Revocation', namespace: 'weft-system', name: revocationName(subject) };
      const { revocations } = holding([revision({ ...at, text: JSON.stringify({ spec }) })]).documents.library;
      expect(revocations.entries(NOW_MS + 1_000)).toHaveLength(1);
      expect(revocations.entries(NOW_MS + 1_001)).toHaveLength(isOver ? 0 : 1);
    }
  });

  test('finds the store full at 10,000, and an operator can be called back all the same', () => {
    const replica = new Replica('n', { maxDocuments: 100_000 });
    const revoking = (i: number): Held => write('alice', { subject: `node/n${i}`, at: i % 1_000 });
    for (let i = 0; i < MAX_REVOCATIONS; i++) replica.documents.library.offer(revoking(i).revision);
    const { result } = replica.step((documents) => documents.write(revoking(MAX_REVOCATIONS).revision, false));
    expect(result).toMatchObject({
      kind: 'refused',
      reason: 'full',
      detail: 'the mesh holds 10000 revocations; delete some whose spec.expires is over',
    });
    const call = replica.step((documents) => documents.write(bobsCall.revision, false));
    expect(call.result).toMatchObject({ kind: 'written' });
  }, 60_000);

  test('of operators by an older one gives way to that of a younger one when there are too many', () => {
    const flood = Array.from({ length: MAX_CALLS + 5 }, (_, i) => write('thief', { subject: `operator/x${i}` }));
    const answer = write('carol', { subject: 'operator/thief' });
    for (const order of [
      [...flood, answer],
      [answer, ...flood],
    ]) {
      const replica = holding(order);
      expect(replica.documents.library.revocations.calls).toBe(MAX_CALLS);
      expect(revoked(replica)).toEqual(['thief']);
    }
    const long = write('carol', { subject: 'operator/thief', at: 1 });
    const body = Buffer.concat([long.revision.body!, Buffer.alloc(MAX_CALL_BYTES, ' ')]);
    expect(new Replica('n').documents.library.offer({ ...long.revision, body })).toMatchObject({ reason: 'too-large' });
  });
});
