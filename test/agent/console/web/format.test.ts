/** How figures and ages are written. */
import { expect, test } from 'vitest';
import { bytesRate, count, duration, plural, rate, share } from '../../../../agent/console/web/format/numbers.ts';
import { inputText, ownRange } from '../../../../agent/console/web/format/own-range.ts';
import { age, ago, clockSeconds } from '../../../../agent/console/web/format/times.ts';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test.each([
  [rate(138), '138/s'],
  [rate(1_240), '1.24 k/s'],
  [rate(999.9), '1 k/s'],
  [rate(0.8), '0.8/s'],
  [rate(0), '0/s'],
  [rate(null), '–'],
  [share(0.042), '4.2 %'],
  [share(0.42), '42 %'],
  [share(0), '0 %'],
  [share(0.0001), '<0.1 %'],
  [share(0.999), '99.9 %'],
  [share(0.9999), '99.99 %'],
  [share(1), '100 %'],
  [share(null), '–'],
  [duration(64.4), '64 ms'],
  [duration(1_180), '1.18 s'],
  [duration(999.9), '1 s'],
  [duration(19_200_000), '5 h 20 min'],
  [duration(125_000), '2 min 5 s'],
  [duration(null), '–'],
  [bytesRate(12_400_000), '12.4 MB/s'],
  [count(86_400), '86,400'],
  [plural(1, 'service'), '1 service'],
  [plural(24, 'service'), '24 services'],
  [ago(660_000), '11 min ago'],
  [age(48_000), '48 s'],
  [clockSeconds(Date.UTC(2026, 8, 21, 14, 2, 20), 'utc'), '14:02:20'],
])('%s', (written, wanted) => {
  expect(plain(written)).toBe(wanted);
});

test("a range of one's own is from and to, or until now; what is no range says what to change", () => {
  const at = { zone: 'utc', nowMs: Date.UTC(2026, 8, 21, 14, 13) } as const;
  const asked = (from: string, to: string) => ownRange(from, to, at);
  expect(asked('2026-09-21T13:00', '2026-09-21T14:00:30')).toEqual({
    rangeMs: 3_630_000,
    atMs: Date.UTC(2026, 8, 21, 14, 0, 30),
  });
  expect(asked('2026-09-21T14:00', '')).toEqual({ rangeMs: 780_000, atMs: null });
  expect(asked('', '')).toMatchObject({ field: 'from' });
  expect(asked('2026-09-21T13:00', '2026-09-21T14:14')).toMatchObject({
    field: 'to',
    error: expect.stringMatching(/not that late/),
  });
  expect(asked('2026-09-21T14:00', '2026-09-21T13:00')).toMatchObject({
    field: 'from',
    error: expect.stringMatching(/10 s before/),
  });
  expect(asked('2026-09-01T14:00', '')).toMatchObject({ field: 'from', error: expect.stringMatching(/14 d/) });
  for (const zone of ['utc', 'local'] as const)
    expect(ownRange(inputText(at.nowMs - 60_000, zone), inputText(at.nowMs, zone), { ...at, zone })).toEqual({
      rangeMs: 60_000,
      atMs: at.nowMs,
    });
});
