/** Who may hold how many connections. @module */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConnectionBudget } from '../../../proxy/listeners/connection-budget.ts';

function takeAll(budget: ConnectionBudget, unit: string): number {
  let taken = 0;
  while (budget.take(unit)) taken++;
  return taken;
}

test('a unit that floods leaves an eighth to the others, which get it', () => {
  const budget = new ConnectionBudget(800);
  expect(takeAll(budget, 'flood')).toBe(700);
  expect(takeAll(budget, 'quiet')).toBe(100);
  expect(budget.take('third')).toBe(false);
  budget.release('flood');
  expect(budget.take('flood')).toBe(false); // it has more than its share, and there is only the reserve
  expect(budget.take('third')).toBe(true);
});

test('what was given back is there again, for anybody', () => {
  const budget = new ConnectionBudget(16);
  const taken = takeAll(budget, 'a');
  for (let i = 0; i < taken; i++) budget.release('a');
  expect(budget.open).toBe(0);
  expect(takeAll(budget, 'b')).toBe(taken);
});

test('no order of events exceeds the limit, and a unit below its share finds a place while there is one', () => {
  const event = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean());
  fc.assert(
    fc.property(fc.integer({ min: 16, max: 64 }), fc.array(event, { maxLength: 300 }), (max, events) => {
      const budget = new ConnectionBudget(max);
      const held: Record<string, number> = { a: 0, b: 0, c: 0 };
      for (const [unit, isTaking] of events) {
        if (isTaking) {
          const isThereRoom = budget.open < max;
          const isTaken = budget.take(unit);
          if (isTaken) held[unit]!++;
          else if (isThereRoom) expect(held[unit]!).toBeGreaterThanOrEqual(max / 3);
        } else if (held[unit]! > 0) {
          budget.release(unit);
          held[unit]!--;
        }
        expect(budget.open).toBe(held.a! + held.b! + held.c!);
        expect(budget.open).toBeLessThanOrEqual(max);
      }
    }),
  );
});
