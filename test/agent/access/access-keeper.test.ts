/** Access documents in use: what the data plane is told, when, and what a wrong clock makes of it. */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AccessKeeper } from '../../../agent/access/access-keeper.ts';
import { adviceOnPermissive, adviceOnPolicy } from '../../../agent/access/advice.ts';
import { MAX_SKEW_MS, withoutClock } from '../../../agent/access/clock.ts';
import { commonSkewMs } from '../../../agent/access/clock-watch.ts';
import type { CompiledAccessPolicy } from '../../../agent/documents/access-policy.ts';
import { explainAccess } from '../../../proxy/access/explain.ts';
import type { AccessPolicy, AccessRule, AccessRules, AccessSource } from '../../../proxy/access/policy.ts';

const NOW_MS = Date.parse('2026-03-02T12:00:00Z'); // a Monday
const YEAR_MS = 365 * 86_400_000;
const NIGHT = { days: [], fromMinute: 1_320, toMinute: 360, timeZone: 'UTC' };
const DAY = { days: [], fromMinute: 360, toMinute: 1_320, timeZone: 'UTC' };

const rule = (changes: Partial<AccessRule> = {}): AccessRule => ({ name: 'r', from: [], to: [], when: [], ...changes });

function policy(changes: Partial<AccessPolicy> = {}): CompiledAccessPolicy {
  const target = { namespace: 'shop', services: [], labels: {} };
  return { id: 'shop/p', action: 'DENY', isDryRun: false, target, rules: [rule()], ...changes };
}

const key = (name: string) => ({ kind: 'AccessPolicy', namespace: 'shop', name });

describe('the data plane', () => {
  let told: AccessRules[];
  let keeper: AccessKeeper;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    told = [];
    keeper = new AccessKeeper({
      changed: (rules) => told.push(rules),
      log: pino({ level: 'silent' }),
      nowMs: () => NOW_MS,
    });
  });
  afterEach(() => {
    keeper[Symbol.dispose]();
    vi.useRealTimers();
  });

  test('hears nothing until all that was in use is there, and then all at once', () => {
    keeper.activate(key('p'), policy(), 'rev1');
    keeper.activate(key('q'), policy({ id: 'shop/q' }), 'rev2');
    expect(told).toEqual([]);
    keeper.open();
    expect(told).toHaveLength(1);
    expect(told[0]!.policies.map(({ id, revision }) => `${id} ${revision}`)).toEqual(['shop/p rev1', 'shop/q rev2']);
  });

  test('hears of a change at once, and of a thousand in two goes', () => {
    keeper.open();
    for (let i = 0; i < 1_000; i++) keeper.activate(key(`p${i}`), policy({ id: `shop/p${i}` }), 'rev');
    expect(told.map(({ policies }) => policies.length)).toEqual([0, 1]);
    expect(keeper.rules.policies).toHaveLength(1_000);
    vi.advanceTimersByTime(20);
    expect(told.map(({ policies }) => policies.length)).toEqual([0, 1, 1_000]);
  });

  test('hears of removals, and of what the mesh says as a whole', () => {
    keeper.open();
    keeper.activate(key('p'), policy(), 'rev');
    vi.advanceTimersByTime(20);
    keeper.deactivate(key('p'));
    vi.advanceTimersByTime(20);
    const permissive = [{ namespace: 'shop', service: 'cart', port: 80, untilMs: NOW_MS + YEAR_MS }];
    keeper.meshChanged({ defaultAction: 'DENY', permissive });
    expect(told.at(-2)).toEqual({ policies: [], defaultAction: 'ALLOW', permissive: [] });
    expect(told.at(-1)).toEqual({ policies: [], defaultAction: 'DENY', permissive });
  });

  test('goes without time rules while the clock is off, and with them again after', () => {
    keeper.activate(key('p'), policy({ action: 'ALLOW', rules: [rule({ when: [DAY] })] }), 'rev');
    keeper.open();
    keeper.clockCompared(MAX_SKEW_MS);
    expect([keeper.skewMs, told.length]).toEqual([undefined, 1]);
    keeper.clockCompared(-MAX_SKEW_MS - 1);
    expect([keeper.skewMs, told.at(-1)!.policies[0]!.rules]).toEqual([-MAX_SKEW_MS - 1, []]);
    vi.advanceTimersByTime(20);
    keeper.clockCompared(100);
    expect(told.at(-1)!.policies[0]!.rules).toHaveLength(1);
  });
});

describe('on a node whose clock is off', () => {
  const FROM_ADA: AccessSource = {
    identities: ['ns/shop/sa/ada'],
    notIdentities: [],
    namespaces: [],
    notNamespaces: [],
    cidrs: [],
    notCidrs: [],
    labels: {},
  };
  const ada = { identity: 'spiffe://x/ns/shop/sa/ada', address: '10.0.0.1', labels: [] };
  const destination = { namespace: 'shop', service: 'cart', labels: {}, port: 80 };

  /** Whether a call is let in by a policy, seen with a clock that is a minute off. */
  function outcome(changes: Partial<AccessPolicy>): string {
    const rules = { policies: [{ ...policy(changes), revision: '' }], defaultAction: 'ALLOW', permissive: [] } as const;
    const query = { caller: ada, destination, request: 'any', nowMs: NOW_MS } as const;
    return explainAccess(withoutClock(rules, NOW_MS, 60_000), query).outcome;
  }

  test.each<[string, Partial<AccessPolicy>, string]>([
    [
      'the window of an ALLOW is closed, though its clock says open',
      { action: 'ALLOW', rules: [rule({ when: [DAY] })] },
      'denied',
    ],
    ['the window of a DENY is open, though its clock says closed', { rules: [rule({ when: [NIGHT] })] }, 'denied'],
    [
      'a DENY whose window names another caller is none of this one',
      { rules: [rule({ when: [DAY], from: [{ ...FROM_ADA, identities: ['ns/x/*'] }] })] },
      'allowed',
    ],
    ['an ALLOW that ends now lets nobody in', { action: 'ALLOW', validUntilMs: NOW_MS + 60_000 }, 'denied'],
    ['an ALLOW that begins now lets nobody in', { action: 'ALLOW', validFromMs: NOW_MS - 60_000 }, 'denied'],
    ['a DENY that ended now still refuses', { validUntilMs: NOW_MS - 60_000 }, 'denied'],
    ['a DENY that begins in a moment already refuses', { validFromMs: NOW_MS + 60_000 }, 'denied'],
    ['an ALLOW that ends next year lets in', { action: 'ALLOW', validUntilMs: NOW_MS + YEAR_MS }, 'allowed'],
    ['a DENY that ended last year is over', { validUntilMs: NOW_MS - YEAR_MS }, 'allowed'],
    [
      'a rule without a time holds',
      { action: 'ALLOW', rules: [rule({ when: [DAY] }), rule({ name: 's', from: [FROM_ADA] })] },
      'allowed',
    ],
  ])('%s', (_what, changes, wanted) => {
    expect(outcome(changes)).toBe(wanted);
  });

  test('a permissive port near its end is closed, and one with a year to go is not', () => {
    const port = { namespace: 'shop', service: 'cart', port: 80 };
    const permissive = [
      { ...port, untilMs: NOW_MS + 90_000 },
      { ...port, port: 81, untilMs: NOW_MS + YEAR_MS },
    ];
    const { permissive: left } = withoutClock({ policies: [], defaultAction: 'ALLOW', permissive }, NOW_MS, 6_000);
    expect(left.map(({ port }) => port)).toEqual([81]);
  });

  test.each<[readonly (number | undefined)[], number]>([
    [[], 0],
    [[undefined], 0],
    [[7_000], 7_000],
    [[7_000, 20], 20],
    [[9_000, 10, 20], 20],
    [[-9_000, -8_000, 10], -8_000],
  ])('its skew is what most see: of %j it is %d', (skews, wanted) => {
    expect(commonSkewMs(skews.map((skewMs) => (skewMs === undefined ? {} : { skewMs })))).toBe(wanted);
  });
});

describe('a writer is told', () => {
  const services = [
    { namespace: 'shop', service: 'cart' },
    { namespace: 'bank', service: 'ledger' },
  ];
  const about = (...names: string[]) => policy({ target: { namespace: 'shop', services: names, labels: {} } });

  test('of services that nobody knows', () => {
    expect(adviceOnPolicy(about('cart'), services, NOW_MS)).toEqual([]);
    expect(adviceOnPolicy(about('crat', 'ledger'), services, NOW_MS)).toEqual([
      'no service shop/crat is known now; did you mean cart?',
      'no service shop/ledger is known now',
    ]);
  });

  test('of ends that have passed, and of rules that go by labels alone', () => {
    const source = { identities: [], notIdentities: [], namespaces: [], notNamespaces: [], cidrs: [], notCidrs: [] };
    const labelled = rule({ from: [{ ...source, labels: { tier: 'front' } }] });
    expect(adviceOnPolicy({ ...policy({ rules: [labelled] }), validUntilMs: NOW_MS }, services, NOW_MS)).toEqual([
      'it takes no effect: validUntil has passed',
      'rule r goes by labels alone, which any workload file may say; name identities too',
    ]);
    const ports = [{ namespace: 'shop', service: 'card', port: 80, untilMs: NOW_MS }];
    expect(adviceOnPermissive(ports, services, NOW_MS)).toEqual([
      'no service shop/card is known now; did you mean cart?',
      'shop/card:80 is STRICT: until has passed',
    ]);
  });
});
