/** Balancers that choose by a key: even shares, the same choice everywhere, and little that moves. @module */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBalancer } from '../../../proxy/balancer/balancer.ts';
import { hash32 } from '../../../proxy/balancer/hash.ts';
import { CHI_SQUARE_LIMIT, chiSquare, chooser, endpoints, picks, TestEndpoint } from './support.ts';

test('hashes of names that look alike spread evenly', () => {
  const among = endpoints(...Array.from({ length: 10 }, () => 1));
  const counts = new Map(among.map((endpoint) => [endpoint, 0]));
  for (let i = 0; i < 50_000; i++) {
    const endpoint = among[hash32(`node-1/shop/web-${i}/http`) % 10]!;
    counts.set(endpoint, counts.get(endpoint)! + 1);
  }
  expect(chiSquare(counts, among)).toBeLessThan(CHI_SQUARE_LIMIT[9]!);
});

/** Whom each of many keys belongs to. */
function owners(name: 'ring-hash' | 'maglev', among: readonly TestEndpoint[]): readonly string[] {
  const balancer = createBalancer(name, among);
  const by = chooser();
  return Array.from({ length: 20_000 }, () => {
    by.key = Math.floor(by.random() * 2 ** 32);
    return balancer.pick(by)!.name;
  });
}

describe.each([
  { name: 'ring-hash', unevenness: 0.25, moved: 0 },
  { name: 'maglev', unevenness: 0.05, moved: 0.1 },
] as const)('$name', ({ name, unevenness, moved }) => {
  test('shares of equal endpoints differ little', () => {
    const among = endpoints(...Array.from({ length: 10 }, () => 1));
    for (const count of picks(createBalancer(name, among), 100_000).values()) {
      expect(Math.abs(count / 10_000 - 1)).toBeLessThan(unevenness);
    }
  });

  test('shares follow the weights', () => {
    const among = endpoints(1, 2, 5);
    const counts = picks(createBalancer(name, among), 80_000);
    for (const endpoint of among) {
      expect(Math.abs(counts.get(endpoint)! / (10_000 * endpoint.weight) - 1)).toBeLessThan(unevenness);
    }
  });

  test('all agree whatever order they know the endpoints in', () => {
    const among = endpoints(1, 1, 2, 3, 1);
    expect(owners(name, [...among].reverse())).toEqual(owners(name, among));
  });

  test('when one goes its keys go to all others, and hardly any other key moves', () => {
    const among = endpoints(...Array.from({ length: 10 }, () => 1));
    const before = owners(name, among);
    const gone = among[3]!.name;
    const after = owners(name, among.toSpliced(3, 1));
    const others = before.map((owner, i) => [owner, after[i]!] as const).filter(([owner]) => owner !== gone);
    expect(others.filter(([owner, now]) => owner !== now).length / before.length).toBeLessThanOrEqual(moved);
    const heirs = new Set(after.filter((_, i) => before[i] === gone));
    expect(heirs.size).toBe(9);
  });

  test('a key stays with its endpoint however loaded that is', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.array(fc.nat(1_000), { minLength: 1, maxLength: 8 }), (key, loads) => {
        const among = loads.map((load, i) => new TestEndpoint(`e${i}`, 1, load));
        const by = chooser();
        by.key = key;
        const balancer = createBalancer(name, among);
        const first = balancer.pick(by);
        first!.outstanding += 1_000;
        expect(balancer.pick(by)).toBe(first);
      }),
      { seed: 7, numRuns: 30 },
    );
  });
});
