import { expect, test } from 'vitest';
import { rise } from './weights.ts';

test('what rises evenly rises from the first figure to the last, and one wave in the middle does not count', () => {
  expect(rise([10, 12, 14, 16])).toBeCloseTo(6);
  expect(rise([16, 14, 12])).toBeCloseTo(-4);
  expect(rise([10, 10, 50, 10, 10])).toBeCloseTo(0);
  expect(rise([10])).toBe(0);
});
