import fc from 'fast-check';
import { expect, test } from 'vitest';
import { balancedSet, pickOther, pickP2C } from '../../../proxy/balancer/p2c.ts';

/** A small generator with a seed, so that every run draws the same (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const make = (weight: number, outstanding = 0) => ({ weight, outstanding });

test('idle endpoints of equal weight are picked equally often', () => {
  const set = balancedSet([make(1), make(1), make(1), make(1)]);
  const picks = new Map(set.endpoints.map((endpoint) => [endpoint, 0]));
  const random = seeded(7);
  for (let i = 0; i < 40_000; i++) {
    const picked = pickP2C(set, random)!;
    picks.set(picked, picks.get(picked)! + 1);
  }
  for (const count of picks.values()) expect(Math.abs(count - 10_000)).toBeLessThan(400);
});

test('weights are honoured when load builds up', () => {
  const set = balancedSet([make(1), make(3)]);
  const random = seeded(7);
  // Each pick stays outstanding: loads settle in proportion to the weights.
  for (let i = 0; i < 4_000; i++) pickP2C(set, random)!.outstanding++;
  expect(set.endpoints[0]!.outstanding).toBeGreaterThan(950);
  expect(set.endpoints[0]!.outstanding).toBeLessThan(1_050);
});

test('the busier of two endpoints is never picked', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(100), fc.nat(), (a, b, seed) => {
      fc.pre(a !== b);
      const set = balancedSet([make(1, a), make(1, b)]);
      expect(pickP2C(set, seeded(seed))!.outstanding).toBe(Math.min(a, b));
    }),
    { seed: 7 },
  );
});

test('load spreads far more evenly than with one random choice', () => {
  const set = balancedSet(Array.from({ length: 50 }, () => make(1)));
  const random = seeded(7);
  for (let i = 0; i < 50_000; i++) pickP2C(set, random)!.outstanding++;
  const loads = set.endpoints.map(({ outstanding }) => outstanding);
  expect(Math.max(...loads) - Math.min(...loads)).toBeLessThan(20);
});

test('weight 0 takes no traffic, and tried endpoints are left out', () => {
  const [a, b, c] = [make(0), make(1), make(1)];
  const set = balancedSet([a, b, c]);
  const random = seeded(7);
  for (let i = 0; i < 100; i++) expect(pickP2C(set, random)).not.toBe(a);
  for (let i = 0; i < 100; i++) expect(pickOther(set, [b], random)).toBe(c);
  expect(pickOther(set, [b, c], random)).toBeUndefined();
  expect(pickP2C(balancedSet([]), random)).toBeUndefined();
});

test('endpoints of weight 0 take traffic only where there are no others', () => {
  const mute = [0, 0].map((weight) => ({ weight, outstanding: 0 }));
  const healthy = { weight: 100, outstanding: 9 };
  expect(pickP2C(balancedSet([...mute, healthy]), () => 0)).toBe(healthy);
  expect(mute).toContain(pickP2C(balancedSet(mute), () => 0));
});
