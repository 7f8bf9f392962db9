import '../support/properties.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareStanding, type Standing } from '../../../gossip/members/standing.ts';
import { quorumOf, Suspicion, suspicionDeadlineMs } from '../../../gossip/members/suspicion.ts';

const limits = { minMs: 500, maxMs: 2_500 };
const signature = new Uint8Array();

test('no number of confirmations moves the deadline outside its bounds', () => {
  fc.assert(
    fc.property(fc.nat(60_000), fc.nat(60_000), fc.nat(9), fc.nat(99), (minMs, spanMs, wanted, confirmations) => {
      const atMs = suspicionDeadlineMs(0, confirmations, wanted, { minMs, maxMs: minMs + spanMs });
      expect(atMs >= minMs && atMs <= minMs + spanMs).toBe(true);
    }),
  );
});

test('more confirmations never make the wait longer', () => {
  for (let confirmations = 0; confirmations < 5; confirmations++) {
    const atMs = suspicionDeadlineMs(0, confirmations, 7, limits);
    expect(suspicionDeadlineMs(0, confirmations + 1, 7, limits)).toBeLessThanOrEqual(atMs);
  }
});

test('one accuser among many candidates is never enough, and the suspicion is dropped in the end', () => {
  const suspicion = new Suspicion(1, 0, 1_000);
  suspicion.add({ by: 'a', cause: 'silent', signature });
  expect(suspicion.rule(1_000, 8, limits)).toEqual({ kind: 'wait', atMs: 3_500 });
  expect(suspicion.rule(3_500, 8, limits)).toEqual({ kind: 'drop' });
});

test('three accusers convict at their deadline, not before', () => {
  const suspicion = new Suspicion(1, 0, 0);
  for (const by of ['a', 'b', 'c']) suspicion.add({ by, cause: 'silent', signature });
  const ruling = suspicion.rule(0, 8, limits);
  if (ruling.kind !== 'wait') throw new Error('three silent accusers must wait');
  expect(ruling.atMs).toBeGreaterThan(500);
  expect(ruling.atMs).toBeLessThan(1_500);
  expect(suspicion.rule(ruling.atMs, 8, limits)).toEqual({ kind: 'convict' });
});

test('two that were refused convict at once, one is enough where there is no other', () => {
  const suspicion = new Suspicion(1, 0, 0);
  suspicion.add({ by: 'a', cause: 'refused', signature });
  expect(suspicion.rule(0, 8, limits).kind).toBe('wait');
  expect(suspicion.rule(0, 1, limits).kind).toBe('convict');
  suspicion.add({ by: 'b', cause: 'refused', signature });
  expect(suspicion.rule(0, 8, limits).kind).toBe('convict');
});

test('an observer counts once, however often it accuses', () => {
  const suspicion = new Suspicion(1, 0, 0);
  expect(suspicion.add({ by: 'a', cause: 'refused', signature })).toBe(true);
  expect(suspicion.add({ by: 'a', cause: 'refused', signature })).toBe(false);
  expect(suspicion.rule(0, 8, limits).kind).toBe('wait');
});

test('a quorum is one to three', () => {
  expect([0, 1, 2, 3, 8].map(quorumOf)).toEqual([1, 1, 2, 3, 3]);
});

test('bad news wins within an incarnation, a refutation above it wins, leaving is final for its epoch', () => {
  const alive = (epoch: number, inc: number): Standing => ({ kind: 'alive', epoch, inc, signature });
  const dead = (epoch: number, inc: number): Standing => ({ kind: 'dead', epoch, inc, accusations: [] });
  const left = (epoch: number): Standing => ({ kind: 'left', epoch, signature });
  const inOrder = [alive(1, 0), dead(1, 0), alive(1, 1), dead(1, 1), left(1), alive(2, 0)];
  for (let i = 0; i < inOrder.length; i++) {
    for (let j = 0; j < inOrder.length; j++) {
      expect(Math.sign(compareStanding(inOrder[i]!, inOrder[j]!))).toBe(Math.sign(i - j));
    }
  }
});
