/** Buckets against one that counts tokens, and under many threads at once. @module */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSharedBuffer, SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { TokenBucket } from '../../../proxy/resilience/token-bucket.ts';
import { hammers } from './threads.ts';

/** Counts tokens, in 4,096ths. */
class NaiveBucket {
  tokens: number;
  readonly #burst: number;
  #atTick = 0;

  constructor(burst: number) {
    this.#burst = burst * 4_096;
    this.tokens = this.#burst;
  }

  take(atTick: number): boolean {
    this.tokens = Math.min(this.#burst, this.tokens + atTick - this.#atTick);
    this.#atTick = atTick;
    if (this.tokens < 4_096) return false;
    this.tokens -= 4_096;
    return true;
  }
}

test('decides as a bucket that counts tokens does, over moments and months', () => {
  // Rates of which a tick is a whole part of a millisecond, so that both count exactly.
  const rate = fc.constantFrom(125, 250, 1_000, 8_000, 64_000);
  const wait = fc.oneof(
    { weight: 8, arbitrary: fc.nat(9_000) },
    { weight: 2, arbitrary: fc.nat(4_000_000) },
    { weight: 1, arbitrary: fc.nat(2 ** 40) },
    { weight: 1, arbitrary: fc.integer({ min: -20_000, max: 20_000 }).map((near) => 2 ** 32 + near) },
  );
  fc.assert(
    fc.property(
      rate,
      fc.integer({ min: 1, max: 50 }),
      fc.array(wait, { maxLength: 200 }),
      (perSecond, burst, waits) => {
        const bucket = new TokenBucket(SharedTable.alone(2), 'b', { requestsPerSecond: perSecond, burst });
        const naive = new NaiveBucket(burst);
        const msOf = (ticks: number): number => (ticks * 1_000) / perSecond / 4_096;
        let tick = 0;
        for (const ticks of waits) {
          tick += ticks;
          expect(bucket.take(msOf(tick))).toBe(naive.take(tick));
          expect(bucket.remaining).toBe(Math.floor(naive.tokens / 4_096));
          expect(bucket.retryAfterMs).toBeCloseTo(msOf(Math.max(0, 4_096 - naive.tokens)), 6);
        }
      },
    ),
    { seed: 7, numRuns: 300 },
  );
});

test('after the wait it names the next request is let in, and not a tick before', () => {
  const bucket = new TokenBucket(SharedTable.alone(2), 'b', { requestsPerSecond: 10, burst: 2 });
  expect([bucket.take(5_000), bucket.take(5_000), bucket.take(5_000)]).toEqual([true, true, false]);
  expect([bucket.retryAfterMs, bucket.remaining]).toEqual([expect.closeTo(100), 0]);
  expect(bucket.take(5_099)).toBe(false);
  expect(bucket.take(5_101)).toBe(true);
});

test.each([
  [0.01, 1],
  [1, 1_000_000],
  [1_000_000, 1],
  [5_000_000, 2_000_000_000],
])('at %d a second and a burst of %d it keeps both', (requestsPerSecond, burst) => {
  const bucket = new TokenBucket(SharedTable.alone(2), 'b', { requestsPerSecond, burst });
  const many = Math.min(burst, 50_000);
  let allowed = 0;
  for (let i = 0; i < many; i++) if (bucket.take(1e7)) allowed++;
  expect(allowed).toBe(many);
  if (burst > many) return;
  expect(bucket.take(1e7)).toBe(false);
  const refillMs = (many * 1_000) / requestsPerSecond;
  expect(bucket.fillMs / refillMs).toBeCloseTo(1, 2);
  expect(bucket.take(1e7 + refillMs * 1.01)).toBe(true);
});

test('three threads get no more out of a bucket than there is, and no less', async () => {
  const said = await hammers(createSharedBuffer(3), 3, { kind: 'bucket', times: 100_000, rate: 100, burst: 12_345 });
  expect(said.reduce((sum, allowed) => sum + allowed, 0)).toBe(12_345);
});
