/** Who checks an endpoint, and which check policies ask for. */
import { describe, expect, test } from 'vitest';
import { CHECKERS, Checkers } from '../../../agent/health/checkers.ts';
import { healthCheckOf } from '../../../agent/health/health-checks.ts';
import type { CallTarget, PolicySettings, TrafficPolicy } from '../../../proxy/traffic/rules.ts';

const MEMBERS = Array.from({ length: 50 }, (_, i) => `n${i}`);
const ENDPOINTS = Array.from({ length: 2_000 }, (_, i) => ({ id: `n${i % 50}/w${i}/http`, node: `n${i % 50}` }));

describe('checkers of an endpoint', () => {
  test('are three others, the same whoever asks, and every node has about as many to check', () => {
    const [one, other] = [new Checkers(MEMBERS), new Checkers([...MEMBERS].reverse())];
    const load = new Map<string, number>();
    for (const endpoint of ENDPOINTS) {
      const names = one.of(endpoint);
      expect(other.of(endpoint)).toEqual(names);
      expect(new Set(names).size).toBe(CHECKERS);
      expect(names).not.toContain(endpoint.node);
      for (const name of names) load.set(name, (load.get(name) ?? 0) + 1);
    }
    const mean = (ENDPOINTS.length * CHECKERS) / MEMBERS.length;
    expect(Math.min(...load.values())).toBeGreaterThan(mean * 0.6);
    expect(Math.max(...load.values())).toBeLessThan(mean * 1.4);
  });

  test('change by one where a member goes, and only where it was among them', () => {
    const [before, after] = [new Checkers(MEMBERS), new Checkers(MEMBERS.filter((name) => name !== 'n7'))];
    for (const endpoint of ENDPOINTS) {
      const stayed = before.of(endpoint).filter((name) => name !== 'n7');
      expect(after.of(endpoint)).toEqual(expect.arrayContaining([...stayed]));
    }
  });

  test('are as many as there are where there are fewer', () => {
    expect(new Checkers(['n0', 'n1']).of({ id: 'n0/web/http', node: 'n0' })).toEqual(['n1']);
    expect(new Checkers(['n0']).of({ id: 'n0/web/http', node: 'n0' })).toEqual([]);
  });
});

describe('the check that policies ask for', () => {
  const ON = { intervalMs: 1_000, timeoutMs: 500, unhealthyAfter: 3, healthyAfter: 2 };
  const policy = (name: string, target: Partial<CallTarget>, settings: PolicySettings): TrafficPolicy => ({
    origin: { kind: 'TrafficPolicy', namespace: 'shop', name, revision: 'r', rule: '' },
    target: { services: [], ports: [], routes: [], from: [], ...target },
    settings,
  });
  const web = { namespace: 'shop', service: 'web', servicePort: 80 };

  test('is that of the most specific one, and none where none asks', () => {
    expect(healthCheckOf([policy('a', {}, { panicRatio: 0.3 })])).toBeUndefined();
    const checkOf = healthCheckOf([
      policy('all', { namespace: 'shop' }, { healthCheck: ON }),
      policy('cart', { namespace: 'shop', services: ['cart'] }, { healthCheck: 'off' }),
    ])!;
    expect(checkOf(web)).toEqual(ON);
    expect(checkOf({ ...web, service: 'cart' })).toBeUndefined();
    expect(checkOf({ ...web, namespace: 'other' })).toBeUndefined();
  });
});
