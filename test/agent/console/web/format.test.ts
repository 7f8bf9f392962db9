/** How figures and ages are written. */
import { expect, test } from 'vitest';
import { bytesRate, count, duration, plural, rate, share } from '../../../../agent/console/web/format/numbers.ts';
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
