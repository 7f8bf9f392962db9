/** Windows of streams: what may be sent, and how much all of them may hold. @module */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EXTRA_BYTES, FIRST_CREDIT, MAX_WINDOW, Window, WindowBudget } from '../../../proxy/streams/credit.ts';

test('a reader that keeps up is granted more and more, up to the largest window', () => {
  const window = new Window(new WindowBudget());
  let mayStill = FIRST_CREDIT;
  for (let i = 0; i < 50; i++) {
    const size = Math.min(mayStill, 65_536);
    expect(window.receive(size)).toBe(true);
    mayStill += window.take(size) - size;
  }
  expect(mayStill).toBeGreaterThan(MAX_WINDOW / 2);
  expect(mayStill).toBeLessThanOrEqual(MAX_WINDOW);
});

test('a reader that stalls keeps its window as it is', () => {
  const window = new Window(new WindowBudget());
  expect(window.receive(FIRST_CREDIT)).toBe(true);
  window.stalled();
  expect(window.take(FIRST_CREDIT)).toBe(FIRST_CREDIT);
});

test('a sender that ignores its credit is noticed with the first byte too many', () => {
  const window = new Window(new WindowBudget());
  expect(window.receive(FIRST_CREDIT)).toBe(true);
  expect(window.receive(1)).toBe(false);
});

test('whatever streams do, what they may hold together is bounded, and all of it comes back', () => {
  const steps = fc.array(fc.tuple(fc.nat(99), fc.nat(65_536), fc.boolean()), { maxLength: 2_000 });
  fc.assert(
    fc.property(steps, (moves) => {
      const budget = new WindowBudget();
      const streams = Array.from({ length: 100 }, () => ({ window: new Window(budget), open: FIRST_CREDIT }));
      for (const [at, bytes, stalls] of moves) {
        const stream = streams[at]!;
        const sent = Math.min(bytes, stream.open);
        expect(stream.window.receive(sent)).toBe(true);
        if (stalls) stream.window.stalled();
        stream.open += stream.window.take(sent) - sent;
        const all = streams.reduce((sum, { open }) => sum + open, 0);
        expect(all).toBeLessThanOrEqual(streams.length * FIRST_CREDIT + EXTRA_BYTES);
      }
      for (const { window } of streams) window.reset();
      expect(budget.left).toBe(EXTRA_BYTES);
    }),
    { numRuns: 30 },
  );
});
