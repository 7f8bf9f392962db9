import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HEALTH_ORDER, healthOf, type Observed } from '../../../agent/observe/health.ts';

const calm: Observed = {
  requests: 2_070,
  appFailed: 0,
  meshFailed: 0,
  p99Ms: 40,
  usualP99Ms: 40,
  endpointsReady: 3,
  callers: ['shop/web'],
};
const noBurn = { fiveMin: 0, halfHour: 0, oneHour: 0, sixHours: 0 };

describe('health', () => {
  test.each([
    [{}, 'ok', 'failed 0 % of 2,070 requests'],
    [{ appFailed: 80, meshFailed: 7 }, 'bad', 'failed 4.2 % of 2,070 requests'],
    [{ appFailed: 21 }, 'warn', 'failed 1.0 % of 2,070 requests'],
    [{ appFailed: 20 }, 'ok', 'failed 1.0 % of 2,070 requests'],
    [{ p99Ms: 150 }, 'warn', 'p99 150 ms, 3.8 times its usual 40 ms'],
    [{ p99Ms: 12, usualP99Ms: 2 }, 'ok', 'failed 0 % of 2,070 requests'],
    [{ requests: 19, appFailed: 19 }, 'quiet', '19 requests, fewer than 20'],
    [{ requests: 0, endpointsReady: 0 }, 'bad', 'no ready endpoint, and called by shop/web'],
    [{ requests: 0, endpointsReady: 0, callers: [] }, 'quiet', 'no traffic'],
    [{ requests: null }, 'unknown', 'no node says anything about this time'],
    [{ requests: 0, connections: 100, meshFailed: 5 }, 'bad', 'failed 5.0 % of 100 connections'],
    [{ appFailed: 1_000, burn: noBurn }, 'ok', 'failed 48 % of 2,070 requests'],
    [
      { burn: { ...noBurn, fiveMin: 14.4, oneHour: 20 } },
      'bad',
      'uses its error budget 14.4 times too fast over 5 min, 20 over 1 h',
    ],
    [{ burn: { ...noBurn, fiveMin: 100, oneHour: 14 } }, 'ok', 'failed 0 % of 2,070 requests'],
    [
      { burn: { ...noBurn, halfHour: 6, sixHours: 6 } },
      'warn',
      'uses its error budget 6 times too fast over 30 min, 6 over 6 h',
    ],
  ] as const)('of %j is %s', (changes, health, cause) => {
    expect(healthOf({ ...calm, ...changes })).toEqual({ health, cause });
  });

  test('never gets better by one more failure, a higher p99 or fewer endpoints', () => {
    const observed = fc.record({
      requests: fc.nat(5_000),
      appFailed: fc.nat(5_000),
      meshFailed: fc.nat(500),
      p99Ms: fc.nat(9_000),
      usualP99Ms: fc.option(fc.nat(3_000)),
      endpointsReady: fc.nat(2),
      callers: fc.constantFrom([], ['shop/web']),
    });
    const rank = (one: Observed): number => HEALTH_ORDER.indexOf(healthOf(one).health);
    fc.assert(
      fc.property(observed, fc.nat(50), (one, more) => {
        const now = rank(one);
        expect(rank({ ...one, appFailed: one.appFailed + more })).toBeLessThanOrEqual(now);
        expect(rank({ ...one, meshFailed: one.meshFailed + more })).toBeLessThanOrEqual(now);
        expect(rank({ ...one, p99Ms: one.p99Ms + more })).toBeLessThanOrEqual(now);
        expect(rank({ ...one, endpointsReady: 0 })).toBeLessThanOrEqual(now);
      }),
    );
  });
});
