/** Windows of time: what clocks show, and until when an answer stands. @module */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { AccessWindow } from '../../../proxy/access/policy.ts';
import { Clocks, isOpen, standsUntilMs } from '../../../proxy/access/windows.ts';

const formats = new Map<string, Intl.DateTimeFormat>();

function clocks(text: string): Clocks {
  return new Clocks(Date.parse(text), formats);
}

const NIGHT: AccessWindow = { days: [5], fromMinute: 22 * 60, toMinute: 6 * 60, timeZone: 'Europe/Berlin' };

test.each([
  ['2026-03-27T20:59:00Z', false],
  ['2026-03-27T21:00:00Z', true],
  ['2026-03-28T04:59:00Z', true],
  ['2026-03-28T05:00:00Z', false],
  ['2026-03-28T21:30:00Z', false],
])('a window over midnight belongs to the day on which it opens (%s)', (instant, expected) => {
  expect(isOpen(NIGHT, clocks(instant))).toBe(expected);
});

test('a window follows its clock when that is put forward', () => {
  const morning = { ...NIGHT, days: [0], fromMinute: 3 * 60, toMinute: 4 * 60 };
  expect(isOpen(morning, clocks('2026-03-29T00:59:59Z'))).toBe(false);
  expect(isOpen(morning, clocks('2026-03-29T01:00:00Z'))).toBe(true); // 02:00 is followed by 03:00 that night
  expect(isOpen(morning, clocks('2026-03-29T02:00:00Z'))).toBe(false);
});

test('an answer stands until the instant it names', () => {
  const window = fc.record({
    days: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { maxLength: 3 }),
    fromMinute: fc.integer({ min: 0, max: 1_439 }),
    toMinute: fc.integer({ min: 0, max: 1_440 }),
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/New_York'),
  });
  // Around the changes of summer time in spring and autumn.
  const instant = fc
    .constantFrom(Date.UTC(2026, 2, 29), Date.UTC(2026, 9, 25), Date.UTC(2026, 3, 4, 14), Date.UTC(2026, 10, 1))
    .chain((dayMs) => fc.integer({ min: -6 * 3_600_000, max: 12 * 3_600_000 }).map((ms) => dayMs + ms));
  fc.assert(
    fc.property(
      window,
      instant,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (asked, nowMs, share) => {
        const now = new Clocks(nowMs, formats);
        const untilMs = standsUntilMs(asked, now);
        expect(untilMs).toBeGreaterThan(nowMs);
        const laterMs = nowMs + Math.floor(share * (untilMs - nowMs));
        expect(isOpen(asked, new Clocks(laterMs, formats))).toBe(isOpen(asked, now));
      },
    ),
    { numRuns: 3_000, seed: 4 },
  );
});
