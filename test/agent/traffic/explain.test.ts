/** weft explain and weft get trafficpolicy --effective against an admin server, over documents as their kinds compile them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ExplainView } from '../../../agent/access/views.ts';
import { accessRoutes } from '../../../agent/admin/access-routes.ts';
import { AdminServer } from '../../../agent/admin/admin-server.ts';
import { trafficRoutes } from '../../../agent/admin/traffic-routes.ts';
import { runCli } from '../../../agent/cli/cli.ts';
import type { TrafficWorld } from '../../../agent/traffic/explain/dialled.ts';
import type { EffectiveView } from '../../../agent/traffic/explain/views.ts';
import { TrafficKeeper } from '../../../agent/traffic/traffic-keeper.ts';
import type { Standing } from '../../../proxy/resilience/endpoint-health.ts';
import type { Endpoint, Service } from '../../../proxy/snapshot.ts';
import { sources } from '../admin/fixtures.ts';
import { compiled } from './conformance.ts';

const NOW_MS = Date.parse('2026-03-02T12:00:00Z');
const REVISION = '0123456789abcdef0123456789abcdef';

function endpoint(node: string, service: string, changes: Partial<Endpoint & { workload: string }> = {}) {
  const workload = `${service}-${node}`;
  return {
    id: `${node}/shop/${workload}/http`,
    node,
    namespace: 'shop',
    service,
    workload,
    identity: `spiffe://prod.example/ns/shop/sa/${service}`,
    labels: {},
    address: `10.0.${node.slice(1)}.${service.length}`,
    port: 8080,
    servicePort: 80,
    portName: 'http',
    protocol: 'http' as const,
    tunnelPort: 15008,
    weight: 1,
    version: 'v1',
    zone: node === 'n3' ? 'eu/b' : 'eu/a',
    state: 'ready' as const,
    ...changes,
  };
}

const service = (name: string): Service => ({
  id: `shop/${name}`,
  namespace: 'shop',
  service: name,
  vips: [`240.240.0.${name.length}`],
  ports: [{ port: 80, protocol: 'http' }],
});

const ENDPOINTS = [
  endpoint('n1', 'web'),
  endpoint('n1', 'cart'),
  endpoint('n3', 'cart'),
  endpoint('n2', 'cart', { state: 'unready' }),
  endpoint('n2', 'cart-next', { version: 'v2' }),
  endpoint('n3', 'cart-old'),
];
const SERVICES = ['web', 'cart', 'cart-next', 'cart-old', 'front'].map(service);

let keeper: TrafficKeeper;
let standings: Map<string, Standing>;
let directory: string;
let server: AdminServer;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weft-way-'));
  const world = (): TrafficWorld => ({
    node: 'n1',
    zone: 'eu/a',
    register: { trustDomain: 'prod.example', ports: ENDPOINTS, local: [ENDPOINTS[0]!], services: SERVICES },
    rules: keeper.rules,
    services: SERVICES,
    endpoints: ENDPOINTS,
    standing: (id) => standings.get(id),
    nowMs: NOW_MS,
  });
  const rules = { policies: [], defaultAction: 'ALLOW' as const, permissive: [] };
  const access = () => ({ ...world(), rules, clockSkewMs: undefined });
  server = await AdminServer.start({
    socket: join(directory, 'agent.sock'),
    listen: '127.0.0.1:0',
    sources: sources(),
    routes: [accessRoutes({ world: access, traffic: world, stats: () => [] }), trafficRoutes(world)],
    log: pino({ level: 'silent' }),
  });
});
afterAll(async () => {
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  standings = new Map(ENDPOINTS.map(({ id }) => [id, { isEjected: false, ejectedForMs: 0, suspectedBy: 0 }]));
  keeper?.[Symbol.dispose]();
  keeper = new TrafficKeeper({
    trustDomain: 'prod.example',
    changed: () => {},
    service: (id) => SERVICES.find((one) => one.id === id),
  });
});

function put(kind: string, name: string, spec: object, namespace = 'shop'): void {
  const apiVersion = kind === 'HTTPRoute' ? 'gateway.networking.k8s.io/v1' : 'weft.dev/v1alpha1';
  const value = compiled({ apiVersion, kind, metadata: { name, namespace }, spec });
  const consumer = keeper.consumers.find((one) => one.kind === kind)!;
  void consumer.activate({ kind, namespace, name }, value, REVISION, NOW_MS);
}

async function weft(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCli([...argv, '-s', server.socket], {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: {},
    signal: new AbortController().signal,
    nowMs: () => NOW_MS,
  });
  return { code, out, err };
}

const explain = (...argv: readonly string[]) => weft('explain', ...argv);
const view = async (...argv: readonly string[]): Promise<ExplainView> =>
  JSON.parse((await explain(...argv, '-o', 'json')).out) as ExplainView;
const parentRefs = [{ group: '', kind: 'Service', name: 'cart', port: 80 }];

function putAll(): void {
  put('HTTPRoute', 'cart', {
    parentRefs,
    rules: [
      {
        name: 'beta',
        matches: [{ headers: [{ name: 'x-beta', value: 'on' }] }],
        backendRefs: [{ name: 'cart-next', port: 80 }],
      },
      {
        name: 'split',
        matches: [{ path: { type: 'PathPrefix', value: '/items' } }],
        filters: [
          { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x-way', value: 'split' }] } },
        ],
        timeouts: { request: '2s' },
        retry: { attempts: 3, codes: [503], backoff: '10ms' },
        backendRefs: [
          { name: 'cart', port: 80, weight: 9_999 },
          { name: 'cart-next', port: 80, weight: 1 },
        ],
      },
    ],
  });
  put('TrafficPolicy', 'cart', {
    target: { services: ['cart'] },
    timeouts: { request: '5s', backend: '1s' },
    circuit: { maxRequests: 100 },
    fallbacks: [{ service: 'cart-old', port: 80 }, { respond: { statusCode: 503, body: 'later' } }],
  });
  put('RateLimit', 'items', { target: { services: ['cart'] }, requestsPerSecond: 50, burst: 75 });
  put('FaultInjection', 'slow', {
    target: { services: ['cart'] },
    ttl: '10m',
    delay: { duration: '250ms', percent: 5 },
  });
}

describe('the way of a request', () => {
  test('names every decision, the document behind it, and where it may end up', async () => {
    putAll();
    standings.set('n3/shop/cart-n3/http', { isEjected: true, ejectedForMs: 4_000, suspectedBy: 2 });
    const { out, code } = await explain('GET', '/items?id=1', '--from', 'web', '--to', 'cart:80');
    const r = 'revision 0123456789ab';
    const route = `HTTPRoute shop/cart rule split, ${r}`;
    const policy = `TrafficPolicy shop/cart, ${r}`;
    expect(code).toBe(0);
    expect(out.slice(0, out.indexOf('\nto '))).toBe(`from  spiffe://prod.example/ns/shop/sa/web at 10.0.1.3
way   shop/cart:80/http, by the routes for all its callers
ROUTE                RULE   MATCH  REVISION      HERE           WHY
HTTPRoute shop/cart  split  1      0123456789ab  takes it       all it asks for holds
HTTPRoute shop/cart  beta   1      0123456789ab  does not hold  header x-beta is missing, and is to be exact "on"
by ${route}
  request headers: set x-way: split
  limit: 50 a second per target, burst 75, counted at the caller's node (RateLimit shop/items, ${r})
  fault: 250ms of delay for 5 %, for 10m more, until 2026-03-02T12:10:00.000Z (FaultInjection shop/slow, ${r})
  timeouts: request 2s (${route})
  timeouts: backend 1s (${policy})
  timeouts: connect 1s, idle none (default)
  retries: attempts 3, codes 503, backoff 10ms, maxBackoff 100ms, anyMethod true (${route})
  retries: on connect-failure+refused+reset (default)
  retryBudget: ratio 0.2, window 10s, minPerSecond 10 (default)
  circuit: maxRequests 100 (${policy})
  circuit: maxConnections 65536, maxPending 1024, maxRetries 1024 (default)
  affinity: none (default)
  99.99 % to shop/cart:80
    balancer: name peak-ewma (default)
    locality: mode off spillBelow 0.7 (default)
    panicBelow: 0.5 (default)
    warmUp: none (default)
    outliers: consecutive 5, successRatio 0.8, minRequests 20, window 10s, eject 5s, maxEject 5m, maxEjected 0.5 (default)
    concurrency: off (default)
    endpoints: 1 of 3 shown below may take it
      n1/shop/cart-n1/http at 10.0.1.4:8080, version v1, same node (n1, eu/a), ready, well
      n2/shop/cart-n2/http at 10.0.2.4:8080, version v1, same zone (n2, eu/a), unready, well: left out
      n3/shop/cart-n3/http at 10.0.3.4:8080, version v1, same region (n3, eu/b), ready, ejected for 4s more, by 2 other nodes: left out
    fallback 1, where none can: shop/cart-old:80, 1 of its endpoints could take it now (${policy})
    fallback 2, where none can: answer 503 (${policy})
  0.01 % to shop/cart-next:80
    balancer: name peak-ewma (default)
    locality: mode off spillBelow 0.7 (default)
    panicBelow: 0.5 (default)
    warmUp: none (default)
    outliers: consecutive 5, successRatio 0.8, minRequests 20, window 10s, eject 5s, maxEject 5m, maxEjected 0.5 (default)
    concurrency: off (default)
    endpoints: 1 of 1 shown below may take it
      n2/shop/cart-next-n2/http at 10.0.2.9:8080, version v2, same zone (n2, eu/a), ready, well
`);
  });

  test('goes by headers as people paste them, and access is told where it leads', async () => {
    putAll();
    const { traffic, answers } = await view('GET', '/items', '--from', 'web', '--to', 'cart', '-H', 'X-Beta: on');
    expect(traffic![0]!.considered.map(({ source, outcome }) => [source.rule, outcome])).toEqual([
      ['split', 'won'],
      ['beta', 'lost'],
    ]);
    expect(answers.map(({ destination }) => destination.service).sort()).toEqual(['cart', 'cart-next']);
    const other = await view('GET', '/else', '--from', 'web', '--to', 'cart', '-H', 'X-Beta: on');
    expect(other.traffic![0]!.ways[0]).toMatchObject({
      source: { rule: 'beta' },
      backends: [{ service: 'shop/cart-next' }],
    });
    expect(other.answers.map(({ destination }) => destination.service)).toEqual(['cart-next']);
  });

  test('that no rule takes ends in a 404', async () => {
    putAll();
    const { out } = await explain('GET', '/else', '--from', 'web', '--to', 'cart');
    expect(out).toContain('404: no rule of these routes takes the request (weft-reason: no-route)\n');
    expect(out).toContain('path is "/else", and is to be prefix "/items"');
  });

  test('may lead from a service that runs nowhere itself, or end in an answer of the rule', async () => {
    put('HTTPRoute', 'front', {
      parentRefs: [{ group: '', kind: 'Service', name: 'front', port: 80 }],
      rules: [
        {
          name: 'all',
          backendRefs: [
            { name: 'cart', port: 80 },
            { name: 'gone', port: 80 },
          ],
        },
        {
          name: 'moved',
          matches: [{ path: { type: 'Exact', value: '/old' } }],
          filters: [{ type: 'RequestRedirect', requestRedirect: { hostname: 'new.example', statusCode: 301 } }],
        },
      ],
    });
    const split = await explain('GET', '/', '--from', 'web', '--to', 'front');
    expect(split.out).toContain('50 % to shop/gone:80: status 500: there is no service shop/gone\n');
    expect(split.out).toContain('to    shop/cart:80/http');
    const moved = await explain('GET', '/old', '--from', 'web', '--to', 'front');
    expect(moved.out).toContain('redirect: 301 to host new.example\n  answered by the mesh: a redirect, status 301\n');
  });

  test("falls under the routes of the caller's namespace in place of those for everybody", async () => {
    putAll();
    const ref = { ...parentRefs[0], namespace: 'shop' };
    put(
      'HTTPRoute',
      'mine',
      { parentRefs: [ref], rules: [{ backendRefs: [{ namespace: 'shop', name: 'cart', port: 80 }] }] },
      'bank',
    );
    const call = ['GET', '/', '--to', 'shop/cart', '--from'] as const;
    expect((await view(...call, 'ns/bank/sa/till')).traffic![0]).toMatchObject({
      routes: 'consumer',
      ways: [{ source: { namespace: 'bank', name: 'mine' } }],
    });
    expect((await view(...call, 'shop/web')).traffic![0]).toMatchObject({ routes: 'producer', ways: [] });
  });

  test('to an endpoint by itself asks no route, and without a request nothing is said of it', async () => {
    putAll();
    const direct = await view('GET', '/items', '--from', 'web', '--to', '10.0.3.4:8080');
    expect(direct.traffic![0]).toMatchObject({ routes: 'none', ways: [{ source: null, limits: [], faults: [] }] });
    expect(direct.traffic![0]!.ways[0]!.backends[0]!.endpoints.map(({ id }) => id)).toEqual(['n3/shop/cart-n3/http']);
    expect((await view('--from', 'web', '--to', 'cart')).traffic).toEqual([]);
  });
});

describe('effective settings', () => {
  const ask = async (...argv: readonly string[]): Promise<EffectiveView['calls'][number]> => {
    const { out, err } = await weft('get', 'trafficpolicy', '--effective', ...argv, '-o', 'json');
    expect(err).toBe('');
    return (JSON.parse(out) as EffectiveView).calls[0]!;
  };

  test('come each with the document that says so, the more specific before the general, or as a default', async () => {
    putAll();
    put('TrafficPolicy', 'web', {
      target: { services: ['cart'], from: [{ identities: ['ns/shop/sa/web'] }] },
      timeouts: { request: '3s' },
      outliers: { mode: 'off' },
    });
    const { settings } = await ask('--from', 'web', '--to', 'cart');
    const find = (name: string) => settings.find(({ setting }) => setting === name);
    expect(find('timeouts.request')).toMatchObject({ value: '3s', source: { name: 'web', revision: REVISION } });
    expect(find('timeouts.backend')).toMatchObject({ value: '1s', source: { name: 'cart' } });
    expect(find('timeouts.idle')).toEqual({ setting: 'timeouts.idle', value: '0s', source: null });
    expect(find('outliers')).toMatchObject({ value: 'off', source: { name: 'web' } });
    const other = await ask('--from', 'ns/shop/sa/job', '--to', 'cart');
    expect(other.settings.find(({ setting }) => setting === 'timeouts.request')).toMatchObject({ value: '5s' });
  });

  test('under a route are told with what its rules say themselves', async () => {
    putAll();
    const { rules } = await ask('--from', 'web', '--to', 'cart', '--route', 'HTTPRoute/shop/cart');
    put('TrafficPolicy', 'routed', {
      target: { services: ['cart'], routes: ['HTTPRoute/shop/cart'] },
      timeouts: { idle: '7s' },
      panicBelow: 0.1,
    });
    const routed = await ask('--from', 'web', '--to', 'cart', '--route', 'HTTPRoute/shop/cart');
    expect(routed.settings).toContainEqual({
      setting: 'timeouts.idle',
      value: '7s',
      source: { kind: 'TrafficPolicy', namespace: 'shop', name: 'routed', revision: REVISION, rule: '' },
    });
    expect(routed.settings).toContainEqual({ setting: 'panicBelow', value: 0.5, source: null });
    expect(rules.map(({ rule }) => rule)).toEqual(['beta', 'split']);
    expect(rules[0]!.settings).toEqual([]);
    expect(rules[1]!.settings.map(({ setting, value }) => [setting, value])).toEqual([
      ['timeouts.request', '2s'],
      ['retries.attempts', 3],
      ['retries.codes', [503]],
      ['retries.backoff', '10ms'],
      ['retries.maxBackoff', '100ms'],
      ['retries.anyMethod', true],
    ]);
    const { out } = await weft(
      'get',
      'trafficpolicy',
      '--effective',
      '--from',
      'web',
      '--to',
      'cart',
      '--route',
      'HTTPRoute/shop/cart',
    );
    expect(out).toMatch(/^timeouts\.backend +1s +TrafficPolicy shop\/cart, revision 0123456789ab$/m);
    expect(out).toMatch(/^retries\.attempts +3 +HTTPRoute shop\/cart rule split, revision 0123456789ab$/m);
  });

  test('are refused in words that help: an end left out, a service or route that is not there', async () => {
    const failed = async (...argv: readonly string[]) =>
      (await weft('get', 'trafficpolicy', '--effective', ...argv)).err;
    expect(await failed('--from', 'web')).toContain('--to is missing: settings are those of calls');
    expect(await failed('--from', 'web', '--to', 'crat')).toContain('did you mean cart?');
    expect(await failed('--from', 'web', '--to', 'cart', '--route', 'HTTPRoute/shop/x')).toContain(
      'HTTPRoute/shop/x is no HTTPRoute or GRPCRoute in use here that is about cart',
    );
  });
});
