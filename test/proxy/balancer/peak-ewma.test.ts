import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBalancer } from '../../../proxy/balancer/balancer.ts';
import { PeakEwma } from '../../../proxy/balancer/peak-ewma.ts';
import { chooser, endpoints } from './support.ts';

const FLOOR_MS = 1;

test('a slower answer counts at once and in full, a faster one over time', () => {
  const latency = new PeakEwma();
  latency.observe(10, 1_000);
  latency.observe(200, 1_001);
  expect(latency.costMs(1_001)).toBeCloseTo(200 + FLOOR_MS);
  latency.observe(10, 1_002);
  expect(latency.costMs(1_002)).toBeGreaterThan(199);
  for (let atMs = 1_002; atMs < 31_000; atMs += 10) latency.observe(10, atMs);
  expect(latency.costMs(31_000)).toBeLessThan(12 + FLOOR_MS);
});

test('silence brings the cost down, so that a slow endpoint is asked again some day', () => {
  const latency = new PeakEwma();
  latency.observe(1_000, 1);
  expect(latency.costMs(5_001)).toBeCloseTo(1_000 / Math.E + FLOOR_MS, 0);
  expect(latency.costMs(60_000)).toBeLessThan(FLOOR_MS + 0.01);
});

test('the cost lies between the floor and the slowest answer, whatever is observed when', () => {
  const observation = fc.tuple(fc.double({ min: 0, max: 1e5, noNaN: true }), fc.nat(10_000));
  fc.assert(
    fc.property(fc.array(observation, { minLength: 1, maxLength: 50 }), (observations) => {
      const latency = new PeakEwma();
      let atMs = 1;
      for (const [ms, afterMs] of observations) {
        atMs += afterMs;
        latency.observe(ms, atMs);
        const slowest = Math.max(...observations.map(([one]) => one));
        expect(latency.costMs(atMs)).toBeGreaterThanOrEqual(FLOOR_MS);
        expect(latency.costMs(atMs)).toBeLessThanOrEqual(slowest + FLOOR_MS + 1e-6);
      }
    }),
    { seed: 7 },
  );
});

test('an endpoint that is new gets one request to be judged by, and others only when it has answered', () => {
  const [known, fresh] = endpoints(1, 1);
  known!.latency.observe(5, 1);
  const balancer = createBalancer('peak-ewma', [known!, fresh!]);
  const by = chooser();
  expect(balancer.pick(by)).toBe(fresh);
  fresh!.outstanding++;
  for (let i = 0; i < 20; i++) expect(balancer.pick(by)).toBe(known);
  fresh!.outstanding--;
  fresh!.latency.observe(1, 1);
  expect(balancer.pick(by)).toBe(fresh);
});

test('where nothing is observed, as for bytes, it is the fewest connections per weight', () => {
  const [light, heavy] = endpoints(1, 3);
  const balancer = createBalancer('peak-ewma', [light!, heavy!]);
  const by = chooser();
  for (let i = 0; i < 4_000; i++) balancer.pick(by)!.outstanding++;
  expect(Math.abs(light!.outstanding - 1_000)).toBeLessThan(50);
});

test('picking and observing leave nothing for the collector', () => {
  const among = endpoints(1, 1, 1, 1);
  const balancer = createBalancer('peak-ewma', among);
  const by = { key: 1, random: Math.random };
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) balancer.pick(by)!.latency.observe(i % 7, i);
  };
  run(200_000); // compiled by now
  const before = process.memoryUsage().heapUsed;
  run(200_000);
  const bytes = process.memoryUsage().heapUsed - before;
  expect(bytes / 200_000).toBeLessThan(4); // one double a pick would be 16
});
