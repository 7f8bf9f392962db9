import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { budgetOf, burnRate, burnRates, PROPOSED } from '../../../agent/observe/slo.ts';

describe('an objective', () => {
  test('burns at 1 where exactly the allowed share fails, and at nothing where too few were made', () => {
    expect(burnRate({ requests: 10_000, failed: 10 }, PROPOSED)).toBeCloseTo(1);
    expect(burnRate({ requests: 1_000, failed: 14.4 }, PROPOSED)).toBeCloseTo(14.4);
    expect(burnRate({ requests: 19, failed: 19 }, PROPOSED)).toBeNull();
  });

  test('reads each window from its last steps, and takes none for one without failures', () => {
    const good = { requests: 100, failed: 0 };
    const bad = { requests: 100, failed: 10 };
    const steps = [...new Array<typeof good>(71).fill(good), bad];
    const rates = burnRates(steps, 300_000, PROPOSED);
    expect(rates.fiveMin).toBeCloseTo(100);
    expect(rates.halfHour).toBeCloseTo(100 / 6);
    expect(rates.oneHour).toBeCloseTo(100 / 12);
    expect(rates.sixHours).toBeCloseTo(100 / 72);
    expect(burnRates([...steps.slice(1), null], 300_000, PROPOSED).fiveMin).toBeNull();
  });

  test('has a budget that more failures only make smaller, and that lasts at a rate of 1', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 1e6 }), fc.nat(1_000), fc.nat(1_000), (requests, failed, more) => {
        const hour = { requests: 1_000, failed: 100 };
        const before = budgetOf({ requests, failed }, hour, PROPOSED);
        const after = budgetOf({ requests, failed: failed + more }, hour, PROPOSED);
        expect(after.leftRatio!).toBeLessThanOrEqual(before.leftRatio!);
        expect(after.exhaustedInMs!).toBeLessThanOrEqual(before.exhaustedInMs!);
      }),
    );
    expect(budgetOf({ requests: 1e6, failed: 1 }, { requests: 1e5, failed: 100 }, PROPOSED).exhaustedInMs).toBeNull();
    expect(budgetOf({ requests: 0, failed: 0 }, { requests: 0, failed: 0 }, PROPOSED).leftRatio).toBeNull();
  });
});
