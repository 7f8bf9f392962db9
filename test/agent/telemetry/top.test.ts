/** Rates out of running totals: between two looks, over nodes, within bounds. */
import { describe, expect, test } from 'vitest';
import { TopDesk, topViewOf } from '../../../agent/telemetry/top/top.ts';
import { BUCKETS, bucketOf } from '../../../proxy/telemetry/histogram.ts';
import type { SeriesStats } from '../../../proxy/telemetry/stats-reader.ts';

const ALL = { asked: 1, answered: 1, missing: [] };

/** As workers count: so many requests of 12 ms, of which some got a 5xx. */
function series(requests: number, failed = 0, labels: Record<string, string> = {}): SeriesStats {
  const latencyCounts = Array(BUCKETS).fill(0);
  latencyCounts[bucketOf(12)] = requests;
  return {
    labels: {
      direction: 'outbound',
      source: 'spiffe://lab.example/ns/shop/sa/web',
      destination: 'shop/cart',
      protocol: 'http',
      ...labels,
    },
    requests: [0, requests - failed, 0, 0, failed],
    latencyCounts,
  } as unknown as SeriesStats;
}

describe('a desk', () => {
  function desk(): { look: (series: readonly SeriesStats[], atMs: number) => ReturnType<TopDesk['look']> } {
    let [now, nowMs]: [readonly SeriesStats[], number] = [[], 0];
    const top = new TopDesk({ series: () => now, nowMs: () => nowMs });
    return {
      look: (series, atMs) => {
        [now, nowMs] = [series, atMs];
        return top.look();
      },
    };
  }

  test('tells what was counted since it was last asked, and nothing where that is long ago', () => {
    const { look } = desk();
    expect(look([series(100)], 0)).toEqual({ spanMs: 0, rows: [] });
    const second = look([series(150, 20)], 2_000);
    expect(second).toMatchObject({ spanMs: 2_000, rows: [{ destination: 'shop/cart', requests: 50, failed: 20 }] });
    expect(look([series(999)], 2_100)).toBe(second); // somebody else asks as well
    expect(look([series(999)], 60_000)).toEqual({ spanMs: 0, rows: [] });
  });

  test('counts a request once, where its caller is', () => {
    const { look } = desk();
    const both = (count: number) => [
      series(count),
      series(count, 0, { direction: 'inbound' }),
      series(count, 0, { direction: 'inbound', source: '', destination: 'shop/door' }),
    ];
    look(both(0), 0);
    expect(look(both(10), 1_000).rows.map(({ destination, requests }) => [destination, requests])).toEqual([
      ['shop/cart', 10],
      ['shop/door', 10],
    ]);
  });

  test('names the busiest two hundred and adds up the others', () => {
    const { look } = desk();
    const many = (count: number) =>
      Array.from({ length: 500 }, (_, i) => series(count * (i + 1), 0, { destination: `shop/s${i}` }));
    look(many(0), 0);
    const { rows } = look(many(1), 1_000);
    expect(rows).toHaveLength(201);
    expect([rows[0]!.destination, rows.at(-1)!.destination]).toEqual(['shop/s499', 'other']);
    expect(rows.reduce((sum, { requests }) => sum + requests, 0)).toBe((500 * 501) / 2);
  });
});

test('nodes are added up by rate, whenever each was asked', () => {
  const row = {
    source: 'spiffe://x/ns/shop/sa/web',
    destination: 'shop/cart',
    protocol: 'http',
    method: '',
    route: '',
  };
  const latencyCounts = Array(BUCKETS).fill(0);
  latencyCounts[bucketOf(12)] = 10;
  const answers = new Map([
    ['node-1', { spanMs: 1_000, rows: [{ ...row, requests: 10, failed: 1, latencyCounts }] }],
    ['node-2', { spanMs: 2_000, rows: [{ ...row, requests: 10, failed: 2, latencyCounts }] }],
    ['node-3', { spanMs: 0, rows: [] }],
  ]);
  const { rows, waitingFor } = topViewOf(answers, { service: 'cart', coverage: ALL });
  expect(waitingFor).toEqual(['node-3']);
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ requestsPerSec: 15, failedRatio: 2 / 15 });
  expect(rows[0]!.p50Ms).toBeGreaterThan(9);
  expect(rows[0]!.p50Ms).toBeLessThan(15);
  for (const [service, count] of [
    ['shop/web', 1],
    ['web', 1],
    ['pay', 0],
    ['', 1],
  ] as const)
    expect(topViewOf(answers, { service, coverage: ALL }).rows).toHaveLength(count);
});
