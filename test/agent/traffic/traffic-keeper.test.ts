import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TrafficAdvisor } from '../../../agent/traffic/traffic-advisor.ts';
import { TrafficKeeper } from '../../../agent/traffic/traffic-keeper.ts';
import type { DocumentKey } from '../../../gossip/documents/revision.ts';
import type { TrafficRules } from '../../../proxy/traffic/rules.ts';
import { compiled } from './conformance.ts';

let told: TrafficRules[];
let running: Set<string>;
let keeper: TrafficKeeper;
let advisor: TrafficAdvisor;
beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  running = new Set(['shop/cart']);
  keeper = new TrafficKeeper({
    trustDomain: 'mesh.example',
    changed: (rules) => told.push(rules),
    service: (id) => (running.has(id) ? { id, ports: [{ port: 80, protocol: 'http' }] } : undefined),
  });
  advisor = new TrafficAdvisor(keeper, {
    services: () => [...running].map((id) => ({ namespace: id.split('/')[0]!, service: id.split('/')[1]! })),
    endpoints: () => [{ namespace: 'shop', service: 'cart', labels: { version: 'v1' }, version: 'v1' }],
    callers: (id) =>
      id === 'shop/cart' ? ['spiffe://mesh.example/ns/shop/sa/web', 'spiffe://mesh.example/ns/web/sa/edge'] : [],
  });
});
afterEach(() => {
  keeper[Symbol.dispose]();
  vi.useRealTimers();
});

const OWN = 'weft.dev/v1alpha1';
const keyOf = (kind: string, name: string, namespace = 'shop'): DocumentKey => ({ kind, namespace, name });
const valueOf = (kind: string, name: string, spec: object, namespace = 'shop'): unknown =>
  compiled({ apiVersion: OWN, kind, metadata: { name, namespace }, spec });

function put(kind: string, name: string, spec: object, writtenAtMs = 0): void {
  const consumer = keeper.consumers.find((one) => one.kind === kind)!;
  void consumer.activate(keyOf(kind, name), valueOf(kind, name, spec), 'r1', writtenAtMs);
}

const parentRefs = [{ group: '', kind: 'Service', name: 'cart', port: 80 }];
const route = (name = 'cart') => ({ parentRefs, rules: [{ backendRefs: [{ name, port: 80 }] }] });

describe('what workers are told', () => {
  test('nothing before it opens, then everything, then a burst together', () => {
    put('HTTPRoute', 'a', route());
    expect(told).toEqual([]);
    keeper.open();
    expect(told).toHaveLength(1);
    for (let i = 0; i < 100; i += 1) put('RateLimit', `l${i}`, { requestsPerSecond: 1 });
    expect(told).toHaveLength(2);
    vi.advanceTimersByTime(20);
    expect(told).toHaveLength(3);
    expect(told.at(-1)!.limits).toHaveLength(100);
    expect(told.at(-1)!.routes[0]!.http[0]!.origin).toEqual({
      kind: 'HTTPRoute',
      namespace: 'shop',
      name: 'a',
      revision: 'r1',
      rule: 'rule-1',
    });
  });

  test('a service matters where a route names it, at once', () => {
    keeper.open();
    put('HTTPRoute', 'a', route('new'));
    vi.advanceTimersByTime(20);
    const before = told.length;
    expect(told.at(-1)!.routes[0]!.http[0]!.backends[0]!.problem).toBe('there is no service shop/new');
    running.add('shop/else');
    keeper.servicesChanged(['shop/else']);
    expect(told).toHaveLength(before);
    running.add('shop/new');
    keeper.servicesChanged(['shop/new']);
    expect(told).toHaveLength(before + 1);
    expect(told.at(-1)!.routes[0]!.http[0]!.backends[0]!.problem).toBeUndefined();
  });

  test('a fault ends so long after it was written; the switch of the mesh ends all', () => {
    keeper.open();
    put('FaultInjection', 'f', { reset: {}, ttl: '5m' }, 1_000);
    expect(keeper.rules.faults).toMatchObject([{ untilMs: 301_000 }]);
    keeper.meshChanged({ hasFaults: false, cookieSecret: undefined });
    expect(keeper.rules.faults).toEqual([]);
  });

  test('the secret is the same on every node of a trust domain, and another elsewhere', () => {
    const secret = (trustDomain: string) =>
      new TrafficKeeper({ trustDomain, changed: () => {}, service: () => undefined }).rules.cookieSecret;
    expect(secret('mesh.example')).toBe(keeper.rules.cookieSecret);
    expect(secret('other.example')).not.toBe(keeper.rules.cookieSecret);
  });
});

describe('advice', () => {
  const on = (kind: string, spec: object, name = 'new') =>
    advisor.onWrite(keyOf(kind, name), valueOf(kind, name, spec));

  test('none on what is right', () => {
    expect(on('HTTPRoute', route())).toEqual([]);
    expect(on('TrafficPolicy', { target: { services: ['cart'], ports: [80] } })).toEqual([]);
  });

  test('routes: what is missing, what never wins, what leads nowhere', () => {
    expect(on('HTTPRoute', route('crat'))).toEqual(['BackendNotFound: there is no service shop/crat']);
    expect(on('HTTPRoute', { rules: [] })).toEqual([
      'it takes no effect: no parentRef names a Service (group: "", kind: Service)',
    ]);
    const zero = { parentRefs, rules: [{ backendRefs: [{ name: 'cart', port: 80, weight: 0 }] }] };
    expect(on('HTTPRoute', zero)).toEqual(['rule rule-1 leads nowhere: all weights of the rule are 0']);
    const backendRefs = [{ name: 'cart', port: 80 }];
    const twice = { parentRefs, rules: [{ backendRefs }, { matches: [{ path: { value: '/' } }], backendRefs }] };
    expect(on('HTTPRoute', twice)).toEqual([
      'match 1 of rule rule-2 never wins on port 80: rule rule-1 says the same and goes before it',
    ]);
    const subset = { parentRefs, rules: [{ backendRefs: [{ name: 'cart', port: 80, subset: 'v2' }] }] };
    expect(on('HTTPRoute', subset)).toEqual([
      'subset v2 of shop/cart has no endpoint: no TrafficPolicy describes it, and no endpoint is of that version',
    ]);
  });

  test('policies: unknown services, ports and routes, and others that say the same', () => {
    put('TrafficPolicy', 'old', { target: { services: ['cart'] }, timeouts: { request: '1s' } });
    expect(
      on('TrafficPolicy', { target: { services: ['cart'] }, timeouts: { request: '2s' }, retries: { attempts: 1 } }),
    ).toEqual(['TrafficPolicy/shop/old sets timeouts for the same calls; keep one']);
    expect(on('TrafficPolicy', { target: { services: ['carts'] } })).toEqual([
      'no service shop/carts is known now; did you mean cart?',
    ]);
    expect(on('TrafficPolicy', { target: { services: ['cart'], ports: [81] } })).toEqual([
      'service shop/cart has no port 81',
    ]);
    expect(on('TrafficPolicy', { target: { routes: ['HTTPRoute/shop/x'] } })).toEqual([
      'no route HTTPRoute/shop/x is known now',
    ]);
    expect(
      on('TrafficPolicy', { target: { services: ['cart'] }, subsets: [{ name: 's', labels: { version: 'v9' } }] }),
    ).toEqual(['subset s has no endpoint: none has the labels version=v9']);
  });

  test('faults that are over are listed', () => {
    put('FaultInjection', 'f', { target: { services: ['cart'] }, reset: {} }, Date.now() - 600_000);
    expect(advisor.onAll()).toEqual([
      expect.stringMatching(/^FaultInjection shop\/f: it takes no effect: it ended at /),
    ]);
  });

  test('whose calls a document is about: those seen here, and those of its own namespace for a consumer', () => {
    const producer = keyOf('HTTPRoute', 'p');
    expect(advisor.affected(producer, valueOf('HTTPRoute', 'p', route()))).toEqual([
      'calls to shop/cart, seen here from ns/shop/sa/web, ns/web/sa/edge; other nodes may know more callers',
    ]);
    const parents = { ...route(), parentRefs: [{ ...parentRefs[0], namespace: 'shop' }] };
    expect(advisor.affected(keyOf('HTTPRoute', 'c', 'web'), valueOf('HTTPRoute', 'c', parents, 'web'))).toEqual([
      'calls to shop/cart, seen here from ns/web/sa/edge; other nodes may know more callers',
    ]);
  });
});
