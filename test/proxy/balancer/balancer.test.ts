/** What holds for every balancer, and how they deal with one endpoint that is slow. @module */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BALANCERS, type BalancerName, createBalancer } from '../../../proxy/balancer/balancer.ts';
import { CHI_SQUARE_LIMIT, chiSquare, chooser, endpoints, picks, seeded, type TestEndpoint } from './support.ts';

describe.each(BALANCERS)('%s', (name) => {
  test('picks from what there is, and leaves out what was tried until nothing is left', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 6 }), fc.nat(), (weights, seed) => {
        const among = endpoints(...weights);
        const balancer = createBalancer(name, among);
        const by = chooser(seed);
        by.key = seed;
        const tried: TestEndpoint[] = [];
        for (let i = 0; i < among.length; i++) {
          const picked: TestEndpoint | undefined = i === 0 ? balancer.pick(by) : balancer.pickOther(by, tried);
          expect(among).toContain(picked);
          expect(tried).not.toContain(picked);
          tried.push(picked!);
        }
        expect(balancer.pickOther(by, tried)).toBeUndefined();
        if (among.length === 0) expect(balancer.pick(by)).toBeUndefined();
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  test('endpoints of weight 0 take traffic only where there are no others', () => {
    const [mute, silent, healthy] = endpoints(0, 0, 100);
    healthy!.outstanding = 9;
    expect([...picks(createBalancer(name, [mute!, silent!, healthy!]), 100).keys()]).toEqual([healthy]);
    expect(picks(createBalancer(name, [mute!, silent!]), 1_000).size).toBe(2);
  });
});

test('random follows the weights', () => {
  const among = endpoints(1, 2, 3, 4);
  expect(chiSquare(picks(createBalancer('random', among), 40_000), among)).toBeLessThan(CHI_SQUARE_LIMIT[3]!);
});

test('round robin takes turns exactly, and spreads heavy endpoints between the others', () => {
  const even = endpoints(1, 1, 1, 1);
  expect([...picks(createBalancer('round-robin', even), 4_000).values()]).toEqual([1_000, 1_000, 1_000, 1_000]);
  const [light, other, heavy] = endpoints(1, 1, 5);
  const balancer = createBalancer('round-robin', [light!, other!, heavy!]);
  const by = chooser();
  const turns = Array.from({ length: 700 }, () => balancer.pick(by)!);
  for (let i = 0; i + 7 <= turns.length; i += 7) {
    const count = turns.slice(i, i + 7).filter((turn) => turn === heavy).length;
    expect(Math.abs(count - 5)).toBeLessThanOrEqual(1);
  }
  const longest = Math.max(
    ...turns.map((turn, i) => (turn === heavy ? turns.slice(i).findIndex((next) => next !== heavy) : 0)),
  );
  expect(longest).toBeLessThanOrEqual(4);
});

/**
 * A minute of 1,000 requests a second, come by chance, to four endpoints: each answers in 10 ms, the last in 100.
 *
 * @returns what part of the requests the slow one got, and how long the mean request took
 */
function oneIsSlow(name: BalancerName, seed: number): { share: number; meanMs: number } {
  const among = endpoints(1, 1, 1, 1);
  const balancer = createBalancer(name, among);
  const by = chooser(seed);
  const random = seeded(seed + 1);
  const answers: { atMs: number; endpoint: TestEndpoint; tookMs: number }[] = [];
  let slow = 0;
  let total = 0;
  let sumMs = 0;
  const untilNextMs = (): number => -Math.log(1 - random());
  for (let atMs = 1; atMs < 60_000; atMs += untilNextMs()) {
    by.key = Math.floor(random() * 2 ** 32);
    for (let i = answers.length - 1; i >= 0; i--) {
      const { atMs: answeredAtMs, endpoint, tookMs } = answers[i]!;
      if (answeredAtMs > atMs) continue;
      endpoint.outstanding--;
      endpoint.latency.observe(tookMs, answeredAtMs);
      answers[i] = answers.at(-1)!;
      answers.pop();
    }
    const endpoint = balancer.pick(by)!;
    const tookMs = (endpoint === among[3] ? 100 : 10) * (0.8 + 0.4 * random());
    endpoint.outstanding++;
    answers.push({ atMs: atMs + tookMs, endpoint, tookMs });
    total++;
    sumMs += tookMs;
    if (endpoint === among[3]) slow++;
  }
  return { share: slow / total, meanMs: sumMs / total };
}

test.each([
  ['peak-ewma', 0, 0.02],
  ['least-request', 0.02, 0.12],
  ['round-robin', 0.24, 0.26],
  ['random', 0.24, 0.26],
  ['ring-hash', 0.18, 0.32],
  ['maglev', 0.24, 0.26],
] as const)(
  'of four endpoints the one that is ten times slower gets little or its quarter, by %s',
  (name, least, most) => {
    for (const seed of [1, 2, 3]) {
      const { share } = oneIsSlow(name, seed);
      expect(share).toBeGreaterThan(least);
      expect(share).toBeLessThan(most);
    }
  },
);
