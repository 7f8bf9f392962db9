import { describe, expect, test } from 'vitest';
import type { CompiledObjective } from '../../../agent/documents/service-level-objective.ts';
import { Objectives } from '../../../agent/observe/objectives.ts';
import { compiled, problemOf } from '../traffic/conformance.ts';

const DAY_MS = 86_400_000;

function slo(spec: object, name = 'cart'): object {
  const head = {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'ServiceLevelObjective',
    metadata: { name, namespace: 'shop' },
  };
  return { ...head, spec: { service: 'cart', targetPercent: 99.9, ...spec } };
}

describe('ServiceLevelObjective', () => {
  test('is about failures, in 30 days, with the usual burn rates, where nothing else is said', () => {
    expect(compiled<CompiledObjective>(slo({}))).toEqual({
      service: 'shop/cart',
      objective: {
        targetRatio: 0.999,
        windowMs: 30 * DAY_MS,
        countsFailures: true,
        limits: { bad: 14.4, warn: 6 },
      },
    });
  });

  test('takes latency, alone too, another window and other burn rates', () => {
    const indicator = { availability: false, latency: { thresholdMs: 300 } };
    const spec = { indicator, timeWindow: { duration: '7d' }, alerting: { slowBurnRate: 2 } };
    expect(compiled<CompiledObjective>(slo(spec)).objective).toMatchObject({
      ...{ countsFailures: false, latencyMs: 300, windowMs: 7 * DAY_MS },
      limits: { bad: 14.4, warn: 2 },
    });
  });

  test.each([
    [{ targetPercent: 100 }, /^spec\.targetPercent: .*99\.999/],
    [{ targetPercent: 0.999 }, /^spec\.targetPercent: .*50/],
    [{ timeWindow: { duration: '1h' } }, /^spec\.timeWindow\.duration: 1h is no number of days from 1d to 90d/],
    [{ timeWindow: { duration: '91d' } }, /^spec\.timeWindow\.duration: 91d is no number/],
    [{ indicator: { availability: false } }, /^spec\.indicator\.latency: give a thresholdMs, or leave availability/],
    [{ service: 'shop/cart' }, /^spec\.service: use at most 63/],
    [{ objective: 99.9 }, /objective/],
  ])('%j is refused by the name of the field', (spec, problem) => expect(problemOf(slo(spec))).toMatch(problem));

  test('of several about one service the first by name holds, and whoever writes one is told', () => {
    const objectives = new Objectives();
    const services = new Set(['shop/cart']);
    const key = (name: string) => ({ kind: 'ServiceLevelObjective', namespace: 'shop', name });
    const value = (targetPercent: number): CompiledObjective => compiled(slo({ targetPercent }));
    void objectives.consumer.activate(key('b'), value(99), 'rev-b');
    expect(objectives.advice(key('b'), value(99), services)).toEqual([]);
    expect(objectives.advice(key('a'), value(98), services)).toEqual([
      'shop/cart has several objectives: shop/a holds',
    ]);
    expect(objectives.advice(key('b'), value(99), new Set())).toEqual(['the mesh has no service shop/cart']);
    void objectives.consumer.activate(key('a'), value(98), 'rev-a');
    expect(objectives.byService().get('shop/cart')).toMatchObject({ name: 'a', revision: 'rev-a' });
    void objectives.consumer.deactivate(key('a'));
    expect(objectives.byService().get('shop/cart')?.objective.targetRatio).toBe(0.99);
    expect([objectives.has('shop/cart'), objectives.has('shop/web')]).toEqual([true, false]);
  });
});
