import { describe, expect, test } from 'vitest';
import { CASES, isNamed } from './cases.ts';
import { steady } from './compare.ts';

describe('cases of the benchmark', () => {
  test('every case has a name of its own', () => {
    const names = CASES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('a name chooses its case or its family, and nothing that merely begins alike', () => {
    const chosen = (wanted: string) => CASES.map(({ name }) => name).filter((name) => isNamed(name, wanted));
    expect(chosen('ten-endpoints')).toEqual([1, 4, 32, 128, 512].map((n) => `ten-endpoints-${n}`));
    expect(chosen('two-hops-mtls-1')).toEqual(['two-hops-mtls-1']); // not -128
    expect(chosen('latency')).toEqual(['latency-1000', 'latency-half']);
  });

  test('half the saturation is half of what the slowest set manages', () => {
    const asked: number[] = [];
    const load = steady({ kind: 'half', connections: 32 }, (connections) => {
      asked.push(connections);
      return [9_000, 4_001, 12_000];
    });
    expect(load).toEqual({ kind: 'open-loop', requestsPerSecond: 2_001 });
    expect(asked).toEqual([32]);
  });

  test('no rate is asked for that the generator cannot keep', () => {
    expect(steady({ kind: 'half', connections: 32 }, () => [90_000, 80_000])).toEqual({
      kind: 'open-loop',
      requestsPerSecond: 2_500,
    });
  });

  test('a load that is steady already is not measured first', () => {
    const load = { kind: 'requests', connections: 4, path: '/' } as const;
    const unasked = (): never => {
      throw new Error('measured');
    };
    expect(steady(load, unasked)).toBe(load);
  });
});
