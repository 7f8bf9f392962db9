import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Histogram } from '../../../agent/demo/histogram.ts';

const latencies = fc.array(fc.double({ min: 0.02, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 200 });

test('a quantile is within 4 % of the exact one', () => {
  fc.assert(
    fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
      const histogram = new Histogram();
      for (const value of values) histogram.record(value);
      const exact = [...values].sort((a, b) => a - b)[Math.max(1, Math.ceil(share * values.length)) - 1]!;
      expect(histogram.quantile(share)! / exact).toBeGreaterThan(0.96);
      expect(histogram.quantile(share)! / exact).toBeLessThan(1.04);
    }),
  );
});

test('histograms sent in parts add up to the whole', () => {
  fc.assert(
    fc.property(latencies, latencies, (first, second) => {
      const whole = new Histogram();
      const sum = new Histogram();
      for (const part of [first, second]) {
        const sent = new Histogram();
        for (const value of part) {
          whole.record(value);
          sent.record(value);
        }
        sum.addSparse(sent.toSparse());
      }
      expect(sum.total).toBe(first.length + second.length);
      expect(sum.toSparse()).toEqual(whole.toSparse());
    }),
  );
});

test('an empty histogram has no quantiles, also after clear', () => {
  const histogram = new Histogram();
  histogram.record(5);
  histogram.clear();
  expect(histogram.quantile(0.5)).toBeUndefined();
});
