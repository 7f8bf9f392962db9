/** When an endpoint is ejected, how it comes back, and what other nodes have to say. @module */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PeakEwma } from '../../../proxy/balancer/peak-ewma.ts';
import {
  EndpointHealth,
  ejectionMs,
  healthKey,
  maxEjected,
  standingOf,
} from '../../../proxy/resilience/endpoint-health.ts';
import { Evidence, MAX_ACCUSED, OwnEjections } from '../../../proxy/resilience/evidence.ts';
import { observeLatency, outcomeOf } from '../../../proxy/resilience/outcome.ts';
import { createSharedBuffer, SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { OUTLIERS } from './support.ts';

/** The same endpoints in the eyes of two workers. */
function cluster(size: number): { one: EndpointHealth[]; other: EndpointHealth[]; tables: SharedTable[] } {
  const buffer = createSharedBuffer(2, 64);
  const tables = [0, 1, 2].map((worker) => new SharedTable(buffer, worker));
  const seenBy = (table: SharedTable): EndpointHealth[] =>
    Array.from({ length: size }, (_, i) => new EndpointHealth(table, `e${i}`));
  return { one: seenBy(tables[0]!), other: seenBy(tables[1]!), tables };
}

function failures(health: EndpointHealth, count: number, nowMs: number, peers: readonly EndpointHealth[]): void {
  for (let i = 0; i < count; i++) health.observe('failed', nowMs, nowMs, OUTLIERS, peers);
}

test('five failures in a row eject, whichever workers see them, and a success between begins anew', () => {
  const { one, other } = cluster(4);
  failures(one[0]!, 4, 1_000, one);
  one[0]!.observe('good', 1_000, 1_000, OUTLIERS, one);
  failures(one[0]!, 2, 1_000, one);
  failures(other[0]!, 2, 1_000, other);
  expect([one[0]!.isUsable, other[0]!.isUsable]).toEqual([true, true]);
  failures(one[0]!, 1, 1_000, one);
  expect([one[0]!.isUsable, other[0]!.isUsable]).toEqual([false, false]);
});

test('less than four fifths good of twenty in ten seconds eject, and of nineteen do not', () => {
  const { one } = cluster(4);
  const mix = (health: EndpointHealth, count: number, nowMs: number): void => {
    for (let i = 0; i < count; i++) health.observe(i % 4 === 3 ? 'failed' : 'good', nowMs, nowMs, OUTLIERS, one);
  };
  mix(one[0]!, 19, 1_000);
  mix(one[0]!, 19, 11_000); // those before are forgotten
  expect(one[0]!.isUsable).toBe(true);
  mix(one[0]!, 20, 22_000);
  expect(one[0]!.isUsable).toBe(false);
});

test('refusals for want of room are no failures', () => {
  const { one } = cluster(2);
  for (let i = 0; i < 100; i++) one[0]!.observe('busy', 1_000, 1_000, OUTLIERS, one);
  expect(one[0]!.isUsable).toBe(true);
});

test('at most half is ejected, and the last one never', () => {
  const { one } = cluster(5);
  for (const health of one) failures(health, 20, 1_000, one);
  expect(one.filter(({ isUsable }) => isUsable)).toHaveLength(3);
  const { one: alone } = cluster(1);
  failures(alone[0]!, 20, 1_000, alone);
  expect(alone[0]!.isUsable).toBe(true);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0, max: 1, noNaN: true }), (count, ratio) => {
      const most = maxEjected(count, ratio);
      expect(count - most).toBeGreaterThanOrEqual(1);
      expect(most).toBeLessThanOrEqual(Math.max(1, count * ratio));
    }),
    { seed: 7 },
  );
});

test('how an endpoint stands can be told without taking part: by whom it is ejected, and for how long', () => {
  const { one, tables } = cluster(4);
  const standing = (nowMs: number) => standingOf(tables[2]!.peek(healthKey('e0'))!, nowMs);
  expect(standing(1_000)).toEqual({ isEjected: false, ejectedForMs: 0, suspectedBy: 0 });
  failures(one[0]!, 5, 1_000, one);
  expect(standing(2_000)).toEqual({ isEjected: true, ejectedForMs: OUTLIERS.ejectMs - 1_000, suspectedBy: 0 });
  expect(standing(60_000)).toEqual({ isEjected: true, ejectedForMs: 0, suspectedBy: 0 }); // until somebody has tried it
  one[1]!.suspectedBy(2);
  expect(standingOf(tables[2]!.peek(healthKey('e1'))!, 1_000)).toMatchObject({ isEjected: true, suspectedBy: 2 });
});

test('when its time is over one request of all workers is let through, and its answer decides', () => {
  const { one, other } = cluster(4);
  failures(one[0]!, 5, 1_000, one);
  expect([one[0]!.tryProbe(5_999, OUTLIERS), one[0]!.probeAtMs(5_999)]).toEqual([false, 6_000]);
  expect([one[0]!.tryProbe(6_000, OUTLIERS), other[0]!.tryProbe(6_000, OUTLIERS)]).toEqual([true, false]);
  other[0]!.observe('good', 900, 6_001, OUTLIERS, other); // sent before it was ejected: says nothing
  expect(one[0]!.isUsable).toBe(false);
  one[0]!.observe('failed', 6_000, 6_010, OUTLIERS, one);
  expect(other[0]!.probeAtMs(6_010)).toBe(16_010); // twice as long
  expect(other[0]!.tryProbe(16_010, OUTLIERS)).toBe(true);
  other[0]!.observe('good', 16_010, 16_020, OUTLIERS, other);
  expect([one[0]!.isUsable, other[0]!.isUsable]).toEqual([true, true]);
  failures(one[0]!, 5, 20_000, one);
  expect(one[0]!.probeAtMs(20_000)).toBe(40_000); // the third in a row
});

test('one that was well for as long as it was ejected begins anew, and no ejection is longer than the longest', () => {
  const { one } = cluster(4);
  failures(one[0]!, 5, 1_000, one);
  one[0]!.tryProbe(6_000, OUTLIERS);
  one[0]!.observe('good', 6_000, 6_000, OUTLIERS, one);
  failures(one[0]!, 5, 20_000, one);
  expect(one[0]!.probeAtMs(20_000)).toBe(25_000);
  expect([1, 2, 6, 7, 40, 1_000].map((inARow) => ejectionMs(inARow, OUTLIERS))).toEqual([
    5_000, 10_000, 160_000, 300_000, 300_000, 300_000,
  ]);
});

test('a request that was let through and lost leaves its place to another one', () => {
  const { one, other } = cluster(4);
  failures(one[0]!, 5, 1_000, one);
  expect(one[0]!.tryProbe(6_000, OUTLIERS)).toBe(true); // and its worker dies
  expect(other[0]!.tryProbe(10_999, OUTLIERS)).toBe(false);
  expect(other[0]!.tryProbe(11_000, OUTLIERS)).toBe(true);
  other[0]!.observe('none', 11_000, 11_005, OUTLIERS, other); // and its caller goes away
  expect(one[0]!.tryProbe(11_005, OUTLIERS)).toBe(true);
});

test('two other nodes are believed, one is not, and neither is passed on', () => {
  const { one, tables } = cluster(4);
  const [, , control] = tables;
  const evidence = new Evidence(control!);
  const own = new OwnEjections(control!);
  const ids = ['e0', 'e1', 'e2', 'e3'];
  evidence.replace('n2', ['e0', 'e1']);
  expect(one.map(({ isUsable }) => isUsable)).toEqual([true, true, true, true]);
  evidence.replace('n3', ['e1']);
  expect(one.map(({ isUsable }) => isUsable)).toEqual([true, false, true, true]);
  expect(own.list(1_000, () => ids)).toEqual([]);
  failures(one[3]!, 5, 1_000, one);
  expect(own.list(1_001, () => ids)).toEqual([{ endpoint: 'e3', untilMs: 6_000 }]);
  expect(own.list(7_999, () => ids)).toEqual([{ endpoint: 'e3', untilMs: 6_000 }]); // nobody has tried it yet
  expect(own.list(8_000, () => ids)).toEqual([]);
  evidence.replace('n2', []);
  expect(one.map(({ isUsable }) => isUsable)).toEqual([true, true, true, false]);
});

test('a node that accuses everybody is heard in part', () => {
  const control = SharedTable.alone(1_024);
  const evidence = new Evidence(control);
  evidence.replace(
    'n2',
    Array.from({ length: 10_000 }, (_, i) => `e${i}`),
  );
  expect(control.size).toBe(MAX_ACCUSED);
});

test('who fails fast or has no room looks slow, and not fast', () => {
  expect([200, 404, 429, 500, 503].map((status) => outcomeOf(status, false))).toEqual([
    'good',
    'good',
    'busy',
    'failed',
    'failed',
  ]);
  expect(outcomeOf(503, true)).toBe('busy');
  const costOf = (outcome: 'good' | 'failed' | 'busy', retryAfterMs = 0): number => {
    const latency = new PeakEwma();
    observeLatency(latency, outcome, 1, retryAfterMs, 1_000);
    return latency.costMs(1_000);
  };
  expect(costOf('failed')).toBeGreaterThan(10 * costOf('good'));
  expect(costOf('busy')).toBeGreaterThan(costOf('failed'));
  expect(costOf('busy', 5_000)).toBeGreaterThan(4 * costOf('busy'));
  expect(costOf('busy', 1e9)).toBeLessThan(31_000);
});
