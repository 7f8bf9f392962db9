/** Limits and budgets of one caller and service. @module */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Circuit } from '../../../proxy/resilience/circuit.ts';
import { RECENT_CELLS, RecentCounts } from '../../../proxy/resilience/recent-counts.ts';
import { createSharedBuffer, SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { DEFAULT_SETTINGS } from '../../../proxy/traffic/rules.ts';
import { hammers } from './threads.ts';

const LIMITS = { maxConnections: 1, maxPending: 2, maxRequests: 3, maxRetries: 0 };
const BUDGET = DEFAULT_SETTINGS.retryBudget;

test('each kind has a limit of its own, over all workers together', () => {
  const buffer = createSharedBuffer(2);
  const [one, other] = [0, 1].map((worker) => new Circuit(new SharedTable(buffer, worker), 'a', 'shop/cart', 80));
  expect([one!, other!, one!, other!].map((circuit) => circuit.tryAcquire('requests', LIMITS))).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(one!.tryAcquire('connections', LIMITS)).toBe(true);
  expect(other!.tryAcquire('connections', LIMITS)).toBe(false);
  expect(one!.tryAcquire('retries', LIMITS)).toBe(false);
  expect(other!.active('requests')).toBe(3);
  one!.release('requests');
  expect(other!.tryAcquire('requests', LIMITS)).toBe(true);
});

test('callers, services and ports do not share a circuit', () => {
  const table = SharedTable.alone(64);
  const circuits = [
    new Circuit(table, 'a', 'shop/cart', 80),
    new Circuit(table, 'b', 'shop/cart', 80),
    new Circuit(table, 'a', 'shop/web', 80),
    new Circuit(table, 'a', 'shop/cart', 81),
  ];
  for (const circuit of circuits) expect(circuit.tryAcquire('connections', LIMITS)).toBe(true);
});

test('three threads that press for two places never hold three', async () => {
  const said = await hammers(createSharedBuffer(3), 3, { kind: 'limit', times: 300_000, limit: 2 });
  expect(Math.max(...said)).toBeLessThanOrEqual(2);
  expect(Math.max(...said)).toBeGreaterThan(0);
});

test('a fifth of the requests of ten seconds may be repeats, and ten a second always', () => {
  const circuit = new Circuit(SharedTable.alone(16), 'a', 'shop/cart', 80);
  const spend = (nowMs: number): number => {
    let spent = 0;
    while (circuit.trySpendRetry(nowMs, BUDGET)) spent++;
    return spent;
  };
  expect(spend(500)).toBe(100); // nobody called: ten a second, for ten seconds
  for (let i = 0; i < 2_000; i++) circuit.countRequest(4_500 + i / 4, BUDGET);
  expect(spend(5_000)).toBe(300); // 400 for 2,000 requests, 100 of them gone
  expect(spend(9_999)).toBe(0);
  expect(spend(10_000)).toBe(100); // those of the first second are ten seconds old
  expect(spend(15_000)).toBe(0); // no request for ten seconds; the last 100 were five seconds ago
  expect(spend(20_000)).toBe(100);
});

test('a storm of failures makes at most 1.2 of 1', () => {
  const circuit = new Circuit(SharedTable.alone(16), 'a', 'shop/cart', 80);
  let sent = 0;
  for (let i = 0; i < 60_000; i++) {
    const nowMs = i; // a thousand a second, for a minute
    circuit.countRequest(nowMs, BUDGET);
    sent++;
    for (let attempt = 0; attempt < 2 && circuit.trySpendRetry(nowMs, BUDGET); attempt++) sent++;
  }
  expect(sent / 60_000).toBeLessThanOrEqual(1.2);
  expect(sent / 60_000).toBeGreaterThan(1.19);
});

test('counts of a window are those of its last ten tenths, whatever came before', () => {
  const event = fc.record({ waitMs: fc.nat(3_000), adds: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), fc.integer({ min: 10, max: 20_000 }), (events, windowMs) => {
      const counts = new RecentCounts(new Int32Array(RECENT_CELLS), 0);
      const seen: number[] = [];
      let nowMs = 0;
      for (const { waitMs, adds } of events) {
        nowMs += waitMs;
        const tick = (ms: number): number => Math.floor((ms * 10) / windowMs);
        for (let i = 0; i < adds; i++) {
          counts.add(nowMs, windowMs);
          seen.push(nowMs);
        }
        expect(counts.total(nowMs, windowMs)).toBe(seen.filter((ms) => tick(ms) > tick(nowMs) - 10).length);
      }
    }),
    { seed: 7 },
  );
});
