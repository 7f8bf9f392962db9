/** A server with three times the load it can bear, in virtual time. @module */
import { expect, test } from 'vitest';
import { AdaptiveLimit, CallerShare } from '../../../proxy/resilience/adaptive.ts';
import { ceilingOf, priorityOf } from '../../../proxy/resilience/priority.ts';
import { createSharedBuffer, SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { DEFAULT_CONCURRENCY } from '../../../proxy/traffic/rules.ts';
import { type Flow, simulate, type Tally } from './virtual-server.ts';

const PRIORITIES = [0, 1, 2, 3] as const;
const WHOLE = { limits: DEFAULT_CONCURRENCY, seconds: 30, fromSecond: 5 };

function sum(tallies: readonly Tally[], of: keyof Tally): number {
  return tallies.reduce((total, tally) => total + tally[of], 0);
}

test.each([
  { atOnce: 4, serviceMs: 10 },
  { atOnce: 32, serviceMs: 20 },
  { atOnce: 100, serviceMs: 50 },
])('at 3x overload of $atOnce at once, goodput stays and what matters most gets through', ({ atOnce, serviceMs }) => {
  const perSecond = (atOnce * 1_000) / serviceMs;
  for (const seed of [1, 2]) {
    const flows = PRIORITIES.map((priority): Flow => ({ caller: 'web', priority, perSecond: (perSecond * 3) / 4 }));
    const { tallies } = simulate({ seed, atOnce, serviceMs, flows, ...WHOLE });
    const goodput = sum(tallies, 'served') / (WHOLE.seconds - WHOLE.fromSecond) / perSecond;
    expect(goodput).toBeGreaterThan(0.9);
    const [first, second, third, fourth] = tallies.map(({ served, asked }) => served / asked);
    expect(first).toBeGreaterThan(0.99);
    expect(second).toBeGreaterThan(third!);
    expect(third).toBeGreaterThanOrEqual(fourth!);
    // Six times as long as without a queue, and as long as the places take that are kept for what matters most.
    const boundMs = 6 * serviceMs + (16 * serviceMs) / atOnce;
    expect(sum(tallies, 'sumMs') / sum(tallies, 'served')).toBeLessThan(boundMs);
  }
});

test('minutes of overload are not taken for the normal case', () => {
  const flows = PRIORITIES.map((priority): Flow => ({ caller: 'web', priority, perSecond: 1_200 }));
  const { limits, tallies } = simulate({
    seed: 4,
    atOnce: 32,
    serviceMs: 20,
    flows,
    ...WHOLE,
    seconds: 180,
    fromSecond: 120,
  });
  expect(Math.max(...limits.slice(10))).toBeLessThan(3 * 32);
  expect(sum(tallies, 'served') / 60 / 1_600).toBeGreaterThan(0.9);
  expect(sum(tallies, 'sumMs') / sum(tallies, 'served')).toBeLessThan(3 * 20);
});

test('a caller with ten times the load a server can bear does not push out the others', () => {
  for (const seed of [5, 6]) {
    const others = Array.from({ length: 9 }, (_, i): Flow => ({ caller: `c${i}`, priority: 1, perSecond: 800 / 9 }));
    const flows: Flow[] = [{ caller: 'rogue', priority: 1, perSecond: 16_000 }, ...others];
    const { tallies } = simulate({ seed, atOnce: 32, serviceMs: 20, flows, ...WHOLE, seconds: 30 });
    const [rogue, ...rest] = tallies;
    expect(sum(rest, 'served') / sum(rest, 'asked')).toBeGreaterThan(0.99);
    expect((sum(rest, 'served') + rogue!.served) / 25 / 1_600).toBeGreaterThan(0.9);
  }
});

test('a caller alone has all of it, and below capacity nobody is refused', () => {
  const flows: Flow[] = [{ caller: 'web', priority: 1, perSecond: 1_100 }];
  const { tallies } = simulate({ seed: 7, atOnce: 32, serviceMs: 20, flows, ...WHOLE });
  expect(tallies[0]!.served / tallies[0]!.asked).toBeGreaterThan(0.999);
});

test('the bounds hold, whatever is learned', () => {
  const flows: Flow[] = [{ caller: 'web', priority: 1, perSecond: 3_000 }];
  const limits = { ...DEFAULT_CONCURRENCY, minRequests: 10, maxRequests: 12 };
  const run = simulate({ seed: 8, atOnce: 4, serviceMs: 10, flows, ...WHOLE, limits, seconds: 20 });
  expect(run.limits.every((limit) => limit >= 10 && limit <= 12)).toBe(true);
});

test('workers share one limit', () => {
  const buffer = createSharedBuffer(2);
  const limits = { ...DEFAULT_CONCURRENCY, minRequests: 3, maxRequests: 3 };
  const [one, other] = [0, 1].map((worker) => {
    const table = new SharedTable(buffer, worker);
    return { limit: new AdaptiveLimit(table, 'cart', limits), share: new CallerShare(table, 'cart', 'web') };
  });
  const asks = [one!, other!, one!, other!].map(({ limit, share }) => limit.tryAcquire(share, 0, 1_000));
  expect(asks).toEqual([true, true, true, false]);
  one!.limit.release(one!.share, 5, true, 1_005);
  expect([other!.limit.tryAcquire(other!.share, 1, 1_006), other!.limit.inFlight]).toEqual([true, 3]);
});

test('ceilings fall with importance, rise within a share, and are never below one', () => {
  for (const limit of [1, 4, 50]) {
    const at = PRIORITIES.map((priority) => ceilingOf({ limit, priority, callers: 1, held: 0 }));
    expect(at).toEqual(at.toSorted((a, b) => b - a));
    expect(at[3]).toBeGreaterThanOrEqual(1);
    const held = {
      few: ceilingOf({ limit, priority: 1, callers: 5, held: 0 }),
      many: ceilingOf({ limit, priority: 1, callers: 5, held: limit }),
    };
    expect(held.few).toBeGreaterThan(held.many);
  }
});

test('a priority is one digit, and anything else as if it were not said', () => {
  expect(['0', '3', '4', '-1', '', '1.5', ' 1', undefined].map((text) => priorityOf(text, 1))).toEqual([
    0, 3, 1, 1, 1, 1, 1, 1,
  ]);
  expect(priorityOf(undefined, 9)).toBe(3);
});
