/** Deletions take a bounded place, and none is undone: not by lost messages, nor by replicas that were away for most of a day. */
import '../support/properties.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareHeld } from '../../../gossip/documents/chain.ts';
import { nextHlc } from '../../../gossip/documents/hlc.ts';
import type { Held } from '../../../gossip/documents/revision.ts';
import { compareAll, NOW_MS, Replica, revision, settle } from './replicas.ts';

const MAX_DOCUMENTS = 10;
/** With more, what fits into whom would depend on the order in which it came. */
const NAMES = 2 * MAX_DOCUMENTS;
const HOUR_MS = 3_600_000;
/** Below `tombstoneMs` of replicas.ts, a day: longer than this nobody is out of touch. */
const LONGEST_AWAY_MS = 20 * HOUR_MS;

interface Edit {
  readonly at: number;
  /** Which of the names, or of those that are there to be deleted. */
  readonly pick: number;
  readonly isDeletion: boolean;
  readonly hoursLater: number;
}

const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    at: fc.nat(2),
    pick: fc.nat(NAMES - 1),
    isDeletion: fc.boolean(),
    hoursLater: fc.constantFrom(0, 0, 0, 0, 1, 6), // more deletions between two comparisons than are kept
  }),
  { minLength: 40, maxLength: 120, size: 'max' },
);
const losses = fc.array(fc.boolean(), { minLength: 1, maxLength: 20 });
const skews = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -25_000, max: 25_000 })));

class Mesh {
  readonly replicas = ['n0', 'n1', 'n2'].map((name) => new Replica(name, { maxDocuments: MAX_DOCUMENTS }));
  readonly gone: string[] = [];
  nowMs = NOW_MS;
  #comparedAtMs = NOW_MS;
  readonly #skewsMs: readonly number[];

  constructor(skewsMs: readonly number[]) {
    this.#skewsMs = skewsMs;
    for (const a of this.replicas) for (const b of this.replicas) if (a !== b) a.links.set(b.name, -Infinity);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const [i, replica] of this.replicas.entries()) replica.authority.nowMs = this.nowMs + this.#skewsMs[i]!;
    if (this.nowMs - this.#comparedAtMs > LONGEST_AWAY_MS - 6 * HOUR_MS) this.compare();
  }

  compare(): void {
    this.#comparedAtMs = this.nowMs;
    compareAll(this.replicas);
    for (const replica of this.replicas) this.forget(replica);
  }

  forget(replica: Replica): void {
    const { effects } = replica.step((documents) => documents.firedPeriod());
    for (const effect of effects) {
      if (effect.kind === 'documents-gone') this.gone.push(...effect.keys.map(({ name }) => name));
    }
  }
}

function headsOf({ documents }: Replica): Held[] {
  return [...documents.library.chains()].map(([, chain]) => chain.head);
}

function liveNames(heads: Iterable<Held>): string[] {
  return [...heads].filter(({ revision }) => revision.body !== null).map(({ revision }) => revision.name);
}

test('of old deletions as many are kept as documents, replicas stay equal, and nothing that was deleted comes back', () => {
  let forgotten = 0;
  fc.assert(
    fc.property(edits, losses, skews, (all, lost, skewsMs) => {
      const mesh = new Mesh(skewsMs);
      const latest = new Map<string, Held>();
      let messages = 0;
      for (const { at, pick, isDeletion, hoursLater } of all) {
        mesh.pass(hoursLater * HOUR_MS);
        const replica = mesh.replicas[at]!;
        mesh.forget(replica); // some do before they heard of everything
        const here = liveNames(headsOf(replica));
        if (isDeletion ? here.length === 0 : liveNames(latest.values()).length >= MAX_DOCUMENTS) continue;
        const name = isDeletion ? here[pick % here.length]! : `d${pick}`;
        const base = replica.head(name);
        const hlc = nextHlc(base?.revision.hlc, mesh.nowMs);
        const held = revision({ name, base, text: isDeletion ? null : '{}', hlc });
        const { result, effects } = replica.step((documents) => documents.write(held.revision, false));
        if (result.kind !== 'written') continue; // full
        const before = latest.get(name);
        if (before === undefined || compareHeld(held, before) > 0) latest.set(name, held);
        settle(
          mesh.replicas,
          effects.map((effect) => [replica, effect] as const),
          () => lost[messages++ % lost.length]!,
        );
      }
      mesh.pass(2 * 60_000); // past what is young by one clock and old by another
      for (let i = 0; i < 4; i++) mesh.compare(); // what found no room at first finds it once deletions came
      forgotten += mesh.gone.length;

      expect(new Set(mesh.replicas.map((replica) => replica.state())).size).toBe(1);
      for (const replica of mesh.replicas) {
        for (const [name, held] of latest) {
          if (held.revision.body === null) expect(replica.head(name)?.revision.body ?? null).toBeNull();
          else expect(replica.head(name)?.id).toBe(held.id);
        }
        const young = headsOf(replica).filter(({ revision: { hlc } }) => mesh.nowMs - hlc.ms < 25 * HOUR_MS);
        expect(replica.documents.library.deletions).toBeLessThanOrEqual(MAX_DOCUMENTS + young.length);
      }
    }),
  );
  expect(forgotten).toBeGreaterThan(0); // else this test says nothing
});

test('deletions leave room for documents, up to twice as many of both', () => {
  const replica = new Replica('a', { maxDocuments: MAX_DOCUMENTS });
  const write = (held: Held) => replica.step((documents) => documents.write(held.revision, false)).result.kind;
  let oldest: Held | undefined;
  for (let i = 0; i < 2 * MAX_DOCUMENTS; i++) {
    const written = revision({ name: `d${i}` });
    expect(write(written)).toBe('written');
    const deletion = revision({ name: `d${i}`, base: written, text: null });
    expect(write(deletion)).toBe('written');
    if (i === 0) oldest = deletion;
  }
  expect(write(revision({ name: 'one-more' }))).toBe('refused');

  replica.authority.nowMs += 23 * HOUR_MS;
  replica.step((documents) => documents.firedPeriod());
  expect(replica.documents.library.deletions).toBe(2 * MAX_DOCUMENTS); // somebody may still not know of them

  replica.authority.nowMs += 2 * HOUR_MS;
  replica.step((documents) => documents.firedPeriod());
  expect(replica.documents.library.deletions).toBe(MAX_DOCUMENTS);
  expect(replica.step((documents) => documents.broadcast(oldest!.revision)).result).toBe(false);
  expect(replica.head('d0')).toBeUndefined(); // a peer that has yet to forget it does not bring it back
  expect(write(revision({ name: 'one-more' }))).toBe('written');
});
