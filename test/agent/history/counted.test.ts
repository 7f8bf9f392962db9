import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countedBetween, readingOf } from '../../../agent/history/counted.ts';
import { blameOf, outcomesOf, statusClass } from '../../../agent/history/outcomes.ts';
import { SCALAR } from '../../../agent/history/rows.ts';
import { Sampler } from '../../../agent/history/sampler.ts';
import { REASON_CODES, type ReasonCode } from '../../../proxy/reasons.ts';
import type { SeriesStats } from '../../../proxy/telemetry/stats-reader.ts';
import { series } from './support.ts';

function requestsOf(rows: ReturnType<typeof countedBetween>): number[] {
  return rows.map(({ measures }) => measures.scalars[SCALAR.requests]!);
}

describe('what was counted', () => {
  test('between two readings is their difference, and all of a series that began anew', () => {
    const before = readingOf([series([0, 10, 0, 0, 1])]);
    expect(requestsOf(countedBetween(before, readingOf([series([0, 15, 0, 0, 3])]), 9))).toEqual([7]);
    expect(requestsOf(countedBetween(before, readingOf([series([0, 4, 0, 0, 0])]), 9))).toEqual([4]);
    expect(
      requestsOf(countedBetween(before, readingOf([series([0, 10, 0, 0, 1], { connectionsActive: 0 })]), 9)),
    ).toEqual([]);
  });

  test('of more series than fit loses no request', () => {
    const many = Array.from({ length: 20 }, (_, i): SeriesStats => {
      const one = series([0, i + 1, 0, 0, 0]);
      return { ...one, labels: { ...one.labels, destination: `shop/s${i}` } };
    });
    const rows = countedBetween(new Map(), readingOf(many), 6);
    expect(rows.length).toBeLessThanOrEqual(6);
    expect(rows.some(({ labels }) => labels.destination === 'other')).toBe(true);
    expect(requestsOf(rows).reduce((a, b) => a + b)).toBe(210);
  });

  test('is told by class of status, of gRPC by whether the server failed', () => {
    const classes = ['204', '2xx', '101', '0', 'grpc 0', 'grpc 13', 'grpc 5', 'grpc other'].map(statusClass);
    expect(classes).toEqual(['2xx', '2xx', '1xx', '0', 'grpc ok', 'grpc failed', 'grpc ok', 'grpc ok']);
  });

  test('is the fault of one side only', () => {
    const classes = [0, 90, 0, 6, 10];
    const failures = { 'access-denied': 2, 'connect-failed': 3, 'upstream-reset': 4, 'client-aborted': 5 } as const;
    expect(outcomesOf(classes, failures, 0)).toEqual({ clientErrors: 4, appFailed: 7, meshFailed: 3, denied: 2 });
    expect(outcomesOf([0, 100, 0, 0, 0], { 'connect-failed': 3 }, 10)).toMatchObject({ appFailed: 7, meshFailed: 3 });
    // Ten aborts, eight with 5xx and two with 4xx, and a reset, which has no status.
    expect(outcomesOf([0, 90, 0, 6, 10], { 'fault-injected': 11 }, 0, [0, 0, 0, 2, 8])).toEqual({
      clientErrors: 4,
      appFailed: 2,
      meshFailed: 0,
      denied: 11,
    });
    expect(outcomesOf([0, 9, 0, 0, 0], { 'fault-injected': 4 }, 5, [0, 4, 0, 0, 0])).toMatchObject({ appFailed: 1 });
    const failed = fc.dictionary(fc.constantFrom(...REASON_CODES), fc.nat(9));
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 5, maxLength: 5 }), failed, (counts, reasons) => {
        const outcomes = outcomesOf(counts, reasons as Partial<Record<ReasonCode, number>>, 0);
        expect(Math.min(...Object.values(outcomes))).toBeGreaterThanOrEqual(0);
        const ofMesh = Object.entries(reasons).filter(([reason]) => blameOf(reason as ReasonCode) === 'mesh');
        expect(outcomes.meshFailed).toBe(ofMesh.reduce((sum, [, count]) => sum + count, 0));
      }),
    );
  });
});

describe('the sampler', () => {
  test('gives each step of the clock once, and what a late look counted to the last one', () => {
    const sampler = new Sampler(1_000_003);
    const requests = (nowMs: number, total: number): [number, number[]] | undefined => {
      const step = sampler.take(nowMs, [series([0, total, 0, 0, 0])]);
      return step && [step.atMs, requestsOf(step.rows)];
    };
    expect(Sampler.dueInMs(1_000_003)).toBe(9_997);
    expect(requests(1_010_001, 5)).toEqual([1_000_000, [5]]);
    expect(requests(1_010_002, 6)).toBeUndefined();
    expect(requests(1_020_000, 8)).toEqual([1_010_000, [3]]);
    expect(requests(1_055_000, 9)).toEqual([1_040_000, [1]]);
    expect(requests(1_030_000, 10)).toBeUndefined();
    expect(requests(1_060_000, 12)).toEqual([1_050_000, [3]]);
  });

  test('shows the last 10 s while somebody looks, and the last step before that', () => {
    const sampler = new Sampler(0);
    const at = (nowMs: number) => [series([0, nowMs / 100, 0, 0, 0])] as const;
    const seen = () => {
      const windows = sampler.recent();
      const requests = windows.flatMap(({ rows }) => requestsOf(rows)).reduce((a, b) => a + b, 0);
      return [windows[0]?.fromMs, windows.at(-1)?.toMs, requests];
    };
    expect(seen()).toEqual([undefined, undefined, 0]);
    sampler.take(10_000, at(10_000));
    expect(seen()).toEqual([0, 10_000, 100]);
    for (const nowMs of [12_000, 14_000, 16_000, 18_000]) sampler.glance(nowMs, at(nowMs));
    expect(seen()).toEqual([0, 18_000, 180]);
    for (const nowMs of [20_000, 22_000]) sampler.glance(nowMs, at(nowMs));
    expect(seen()).toEqual([12_000, 22_000, 100]);
    sampler.lookAway();
    expect(seen()).toEqual([0, 10_000, 100]);
  });
});
