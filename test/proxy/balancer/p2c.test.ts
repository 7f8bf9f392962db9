/** Power of two choices by requests under way. @module */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBalancer } from '../../../proxy/balancer/balancer.ts';
import { CHI_SQUARE_LIMIT, chiSquare, chooser, endpoints, picks, TestEndpoint } from './support.ts';

test('idle endpoints of equal weight are picked equally often', () => {
  const among = endpoints(1, 1, 1, 1);
  expect(chiSquare(picks(createBalancer('least-request', among), 40_000), among)).toBeLessThan(CHI_SQUARE_LIMIT[3]!);
});

test('weights are honoured when load builds up', () => {
  const [light, heavy] = endpoints(1, 3);
  const balancer = createBalancer('least-request', [light!, heavy!]);
  const by = chooser();
  // Each pick stays outstanding: loads settle in proportion to the weights.
  for (let i = 0; i < 4_000; i++) balancer.pick(by)!.outstanding++;
  expect(light!.outstanding).toBeGreaterThan(950);
  expect(light!.outstanding).toBeLessThan(1_050);
});

test('the busier of two endpoints is never picked', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(100), fc.nat(), (a, b, seed) => {
      fc.pre(a !== b);
      const balancer = createBalancer('least-request', [new TestEndpoint('a', 1, a), new TestEndpoint('b', 1, b)]);
      expect(balancer.pick(chooser(seed))!.outstanding).toBe(Math.min(a, b));
    }),
    { seed: 7 },
  );
});

test('load spreads far more evenly than with one random choice', () => {
  const spread = (name: 'least-request' | 'random'): number => {
    const among = endpoints(...Array.from({ length: 50 }, () => 1));
    const balancer = createBalancer(name, among);
    const by = chooser();
    for (let i = 0; i < 50_000; i++) balancer.pick(by)!.outstanding++;
    const loads = among.map(({ outstanding }) => outstanding);
    return Math.max(...loads) - Math.min(...loads);
  };
  expect(spread('least-request')).toBeLessThan(20);
  expect(spread('random')).toBeGreaterThan(60);
});
