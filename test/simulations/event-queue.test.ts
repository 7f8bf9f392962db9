/** The calendar gives what a sorted list would: by time, and first planned first served. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventQueue } from '../../simulations/world/event-queue.ts';

const delayMs = fc.oneof(fc.double({ min: 0, max: 3, noNaN: true }), fc.integer({ min: 0, max: 20_000 }));

test('happenings run by time, and in the order of planning within an instant', () => {
  fc.assert(
    fc.property(fc.array(delayMs, { maxLength: 60 }), fc.array(delayMs, { maxLength: 20 }), (first, nested) => {
      const queue = new EventQueue();
      const ran: { atMs: number; order: number }[] = [];
      let order = 0;
      const plan = (ms: number, then?: () => void): void => {
        const own = order++;
        const atMs = queue.nowMs + ms;
        queue.later(ms, () => {
          expect(queue.nowMs).toBe(atMs);
          ran.push({ atMs, order: own });
          then?.();
        });
      };
      for (const [i, ms] of first.entries()) plan(ms, () => nested[i] !== undefined && plan(nested[i]!));
      queue.runUntil(100_000);
      expect(queue.size).toBe(0);
      expect(ran).toEqual(ran.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order));
      expect(ran.length).toBe(first.length + Math.min(first.length, nested.length));
    }),
  );
});

test('a run stops at its end and goes on from there', () => {
  const queue = new EventQueue();
  const ran: number[] = [];
  for (const ms of [1, 10, 10.5, 5_000, 90_000]) queue.later(ms, () => ran.push(ms));
  queue.runUntil(10);
  expect([...ran, queue.nowMs]).toEqual([1, 10, 10]);
  queue.later(0, () => ran.push(0));
  queue.runUntil(89_999.9);
  expect(ran).toEqual([1, 10, 0, 10.5, 5_000]);
  queue.runUntil(90_000);
  expect(ran.at(-1)).toBe(90_000);
});
