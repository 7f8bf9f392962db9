/** What replaying says of other rules is what the data plane then does, and where that hangs on what was not kept it says so. @module */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AccessReplay } from '../../../agent/console/replay/access-replay.ts';
import { replayLimit } from '../../../agent/console/replay/limit-replay.ts';
import { type ObservedCall, ObservedPath } from '../../../agent/console/replay/observed.ts';
import { Places } from '../../../agent/console/replay/places.ts';
import { type Affected, replay } from '../../../agent/console/replay/replay.ts';
import { RouteReplay } from '../../../agent/console/replay/route-replay.ts';
import { explainAccess } from '../../../proxy/access/explain.ts';
import { peerOf } from '../../../proxy/access/peer.ts';
import type { AccessPolicy, AccessRules } from '../../../proxy/access/policy.ts';
import { DescribedRouteRequest } from '../../../proxy/routing/request.ts';
import { compileRoutes } from '../../../proxy/routing/table.ts';
import type { Fault, HttpMatch, HttpRule, ServiceRoutes } from '../../../proxy/traffic/rules.ts';
import { allow, deny, operation, rules, source } from '../../proxy/access/policies.ts';
import { backend, match, rule } from '../../proxy/routing/support.ts';

const NOW = 1_790_000_000_000;
const identity = (name: string): string => `spiffe://test.example/ns/shop/sa/${name}`;
const port = (service: string, labels: Record<string, string> = {}) => ({
  namespace: 'shop',
  service,
  identity: identity(service),
  address: '10.0.0.7',
  labels,
  port: 8080,
  servicePort: 80,
  protocol: 'http' as const,
});
const places = new Places(
  [port('cart'), port('cart-v2')],
  ['web', 'bot'].map((name) => ({ ...port(name) })),
);
const call = (part: Partial<ObservedCall> = {}): ObservedCall => ({
  source: identity('web'),
  caller: 'shop/web',
  destination: 'shop/cart',
  protocol: 'http',
  method: 'GET',
  route: '/v1/items',
  count: 100,
  ...part,
});

const METHODS = ['GET', 'POST'];
const PATTERNS = ['/v1/items', '/v1/*', '/v1/items/*', '/v1/items/42', '*/42', '/v1/items/42/tags', '*'];
/** Routes with paths that fall under each. */
const ROUTES: Readonly<Record<string, readonly string[]>> = {
  '/v1/items': ['/v1/items'],
  '/v1/items/{id}': ['/v1/items/42', '/v1/items/7', '/v1/items/b-9'],
  '/v1/items/{id}/tags': ['/v1/items/42/tags', '/v1/items/7/tags'],
  '/v1/{rest}': ['/v1/a', '/v1/items/42'],
  '/v1/*': ['/v1', '/v1/items', '/v1/items/42/tags'],
  '{other}': ['/', '/v1/items/42'],
};
const some = <T>(values: readonly T[]) => fc.subarray([...values], { minLength: 0, maxLength: 2 });

describe('access', () => {
  const ruleOf = fc
    .record({
      from: some(['web', 'bot']),
      methods: some(METHODS),
      notMethods: some(METHODS),
      paths: some(PATTERNS),
      notPaths: some(PATTERNS),
      header: fc.boolean(),
    })
    .map(({ from, header, ...to }) => ({
      from: from.length === 0 ? [] : [source({ identities: from.map((name) => `ns/shop/sa/${name}`) })],
      to: [operation({ ...to, headers: header ? [{ name: 'x-team', values: ['a'], isNot: false }] : [] })],
    }));
  const policies = fc
    .array(fc.record({ isDeny: fc.boolean(), isDryRun: fc.boolean(), one: ruleOf }), { maxLength: 4 })
    .map((all) =>
      all.map(({ isDeny, isDryRun, one }, i): AccessPolicy => {
        return { ...(isDeny ? deny : allow)(`p${i}`, one), isDryRun };
      }),
    );
  const world = fc.record({
    policies,
    defaultAction: fc.constantFrom('ALLOW' as const, 'DENY' as const),
    who: fc.constantFrom('web', 'bot'),
    method: fc.constantFrom(...METHODS),
    route: fc.constantFrom(...Object.keys(ROUTES)),
  });
  const headers = [[], [['x-team', 'a']], [['x-team', 'b']]] as const;

  test('that is settled is what becomes of every request under the route, whatever its headers', () => {
    let unknown = 0;
    fc.assert(
      fc.property(world, ({ policies: written, defaultAction, who, method, route }) => {
        const inUse = rules(written, { defaultAction });
        const { outcome } = new AccessReplay(inUse, places, { nowMs: NOW }).judge(
          call({ source: identity(who), method, route }),
        );
        const outcomes = ROUTES[route]!.flatMap((path) =>
          headers.map((lines) => {
            const request = { method, path, host: 'cart.shop.weft', headers: lines };
            const caller = { identity: identity(who), address: undefined, labels: [] };
            const destination = { namespace: 'shop', service: 'cart', labels: {}, port: 8080 };
            return explainAccess(inUse, { caller, destination, request, nowMs: NOW }).outcome;
          }),
        );
        if (outcome === 'unknown') unknown++;
        else expect(new Set(outcomes)).toEqual(new Set([outcome]));
        const isPlain =
          ROUTES[route]!.length === 1 && written.every((one) => one.rules[0]!.to[0]!.headers.length === 0);
        if (isPlain) expect(outcome).not.toBe('unknown');
      }),
      { numRuns: 1_000 },
    );
    expect(unknown).toBeLessThan(700);
  });

  test('of bytes that are not HTTP, of plaintext and of nobody is judged by what is known of them', () => {
    const inUse = rules([allow('web', { from: [source({ identities: ['ns/shop/sa/web'] })] })]);
    const judge = (part: Partial<ObservedCall>, used: AccessRules = inUse) =>
      new AccessReplay(used, places, { nowMs: NOW }).judge(call({ protocol: 'tcp', method: '', route: '', ...part }))
        .outcome;
    expect([judge({}), judge({ source: identity('bot') }), judge({ source: '' })]).toEqual([
      'allowed',
      'denied',
      'denied',
    ]);
    const open = [{ namespace: 'shop', service: 'cart', port: 8080, untilMs: NOW + 1 }];
    expect(judge({ source: '' }, rules([], { permissive: open }))).toBe('allowed');
    expect(judge({ destination: 'shop/gone' })).toBe('unknown');
    const near = rules([allow('near', { from: [source({ cidrs: ['10.0.0.0/8'] })] })]);
    expect([judge({}, near), judge({ source: identity('elsewhere') }, near)]).toEqual(['allowed', 'unknown']);
  });
});

test('20,000 routes between 1,000 services under 1,000 policies are judged within a second of processor', () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `service-${i}`);
  const many = new Places(
    names.map((name) => port(name)),
    [],
  );
  const written = names.map((name, i): AccessPolicy => {
    const from = [source({ identities: [`ns/shop/sa/service-${(i + 1) % 1_000}`] })];
    const one = allow(name, { from, to: [operation({ methods: ['GET'], paths: ['/v1/*'] })] });
    return { ...one, target: { namespace: 'shop', services: [name], labels: {} } };
  });
  const calls = names.flatMap((name, i) =>
    Array.from({ length: 20 }, (_, k) => {
      const caller = `service-${(i + 1 + (k % 5)) % 1_000}`;
      return call({ source: identity(caller), caller, destination: `shop/${name}`, route: `/v1/a${k}/{id}` });
    }),
  );
  const began = process.cpuUsage();
  const judge = new AccessReplay(rules(written), many, { nowMs: NOW });
  const allowed = calls.filter((one) => judge.judge(one).outcome === 'allowed').length;
  const { user } = process.cpuUsage(began); // other tests take the rest of the clock
  process.stdout.write(`20,000 calls under 1,000 policies: ${(user / 1_000).toFixed(0)} ms of processor\n`);
  expect(allowed).toBe(4_000);
  expect(user / 1_000).toBeLessThan(1_000);
});

describe('routes', () => {
  const matches = fc.record({
    path: fc.constantFrom<HttpMatch['path']>(
      undefined,
      { type: 'exact', value: '/v1/items' },
      { type: 'exact', value: '/v1/items/42' },
      { type: 'prefix', value: '/v1' },
      { type: 'prefix', value: '/v1/items/' },
      { type: 'regex', value: '/v1/items/[0-9]+' },
    ),
    method: fc.constantFrom(undefined, ...METHODS),
    header: fc.boolean(),
  });
  const routesOf = fc.array(fc.record({ of: matches, to: fc.constantFrom('shop/cart', 'shop/cart-v2') }), {
    maxLength: 4,
  });

  test('lead every request where they are said to lead its route', () => {
    fc.assert(
      fc.property(
        routesOf,
        fc.constantFrom(...Object.keys(ROUTES)),
        fc.constantFrom(...METHODS),
        (all, route, method) => {
          const http = all.map(({ of: { path, method: wanted, header }, to }, position): HttpRule => {
            const asked = match({
              ...(path === undefined ? {} : { path }),
              ...(wanted === undefined ? {} : { method: wanted }),
              headers: header ? [{ name: 'x-team', type: 'exact', value: 'a', isNot: false }] : [],
            });
            return rule({ position, matches: [asked], backends: [backend(to)] });
          });
          const routes: ServiceRoutes = { service: 'shop/cart', port: 80, http, streams: [] };
          const { ends } = new RouteReplay([routes], places).judge(call({ method, route }));
          if (ends === undefined || http.length === 0) return;
          const table = compileRoutes(routes);
          for (const path of ROUTES[route]!) {
            for (const headers of [[], [['x-team', 'a']]] as [string, string][][]) {
              const request = new DescribedRouteRequest({ method, path, headers });
              const caller = peerOf({ identity: identity('web'), address: undefined, labels: [] });
              const [to] = table.match(request, caller, () => 0)?.rule.backends ?? [];
              const found =
                to === undefined
                  ? 'status 404: no rule of the routes takes it'
                  : to.service === 'shop/cart'
                    ? 'to shop/cart'
                    : 'to shop/cart-v2:80';
              expect([...ends.keys()]).toEqual([found]);
            }
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('a change', () => {
  const before = { access: rules([]), routes: [] as ServiceRoutes[], faults: [] as Fault[] };
  const isAbout = (service: string): boolean => service === 'shop/cart';
  const told = (
    calls: readonly ObservedCall[],
    after: { access?: AccessRules; routes?: readonly ServiceRoutes[]; faults?: readonly Fault[] },
    from = before,
  ) =>
    replay(
      { outbound: calls, inbound: calls },
      { before: from, after: { ...from, ...after } },
      { places, isAbout, nowMs: NOW },
    );
  const counts = (all: readonly Affected[]) =>
    all.map(({ caller, requests, changed, unknown }) => [caller, requests, changed, unknown]);
  const routed = (...http: HttpRule[]): ServiceRoutes[] => [{ service: 'shop/cart', port: 80, http, streams: [] }];
  const split = (weight: number) =>
    routed(rule({ backends: [backend('shop/cart', { weight: 100 - weight }), backend('shop/cart-v2', { weight })] }));

  test('of access counts whom it shuts out, and leaves the others as they are', () => {
    const access = rules([allow('web', { from: [source({ identities: ['ns/shop/sa/web'] })] })]);
    const calls = [
      call(),
      call({ source: identity('bot'), caller: 'shop/bot', count: 7 }),
      call({ destination: 'shop/other' }),
    ];
    const found = told(calls, { access });
    expect(counts(found)).toEqual([
      ['shop/bot', 7, 7, 0],
      ['shop/web', 100, 0, 0],
    ]);
    expect(found[0]!.how).toEqual(['denied, status 403: no rule lets it in']);
  });

  test('that hangs on a header is known of nobody, unless it did before', () => {
    const byHeader = operation({ headers: [{ name: 'x-team', values: ['a'], isNot: false }] });
    const access = rules([allow('team', { to: [byHeader] })]);
    expect(counts(told([call()], { access }))).toEqual([['shop/web', 100, 0, 100]]);
    const again = { ...access, policies: access.policies.map((one) => ({ ...one, revision: '2' })) };
    expect(counts(told([call()], { access: again }, { ...before, access }))).toEqual([['shop/web', 100, 0, 0]]);
  });

  test('for a part of the week is known of nobody it is about, whatever the hour', () => {
    const when = [{ days: [], fromMinute: 0, toMinute: 60, timeZone: 'UTC' }];
    const bots = [source({ identities: ['ns/shop/sa/bot'] })];
    const calls = [call(), call({ source: identity('bot'), caller: 'shop/bot', count: 7 })];
    expect(counts(told(calls, { access: rules([deny('nights', { from: bots, when })]) }))).toEqual([
      ['shop/bot', 7, 0, 7],
      ['shop/web', 100, 0, 0],
    ]);
  });

  test('of a split moves its share, of another split the difference', () => {
    expect(counts(told([call({ count: 1_000 })], { routes: split(10) }))).toEqual([['shop/web', 1_000, 100, 0]]);
    const found = told(
      [call({ count: 900 }), call({ destination: 'shop/cart-v2', count: 100 })],
      { routes: split(20) },
      { ...before, routes: split(10) },
    );
    expect(found.map(({ to, changed, unknown }) => [to, changed, unknown])).toEqual([
      ['shop/cart', 90, 0],
      ['shop/cart-v2', 0, 100],
    ]);
    expect(found[0]!.how).toEqual(['to shop/cart-v2:80']);
  });

  test('that takes no request of a kind any more ends these in 404', () => {
    const reads = routed(rule({ matches: [match({ method: 'GET' })], backends: [backend('shop/cart')] }));
    const [found] = told([call(), call({ method: 'POST', count: 3 })], { routes: reads });
    expect([found!.requests, found!.changed, found!.how]).toEqual([
      103,
      3,
      ['status 404: no rule of the routes takes it'],
    ]);
  });

  test('that fails some on purpose counts them, and what it delays or asks headers of is not known', () => {
    const fault = (part: Partial<Fault>): Fault => ({
      origin: { kind: 'FaultInjection', namespace: 'shop', name: 'f', revision: '', rule: '' },
      target: { namespace: 'shop', services: ['cart'], ports: [], routes: [], from: [] },
      headers: [],
      untilMs: NOW + 1,
      ...part,
    });
    const abort = { status: 503, percent: 20 };
    const [aborted] = told([call()], { faults: [fault({ abort, reset: { percent: 50 } })] });
    expect([aborted!.changed, aborted!.how]).toEqual([60, ['status 503 by the fault, reset by the fault']]);
    const byHeader = [{ name: 'x-test', type: 'present' as const, value: '', isNot: false }];
    const of = (part: Partial<Fault>) => counts(told([call()], { faults: [fault(part)] }))[0];
    expect(of({ abort, headers: byHeader })).toEqual(['shop/web', 100, 0, 100]);
    expect(of({ delay: { ms: 100, percent: 10 } })).toEqual(['shop/web', 100, 0, 100]);
    expect(of({ abort, untilMs: NOW })).toEqual(['shop/web', 100, 0, 0]);
    const other = [source({ identities: ['ns/shop/sa/bot'] })];
    const target = { namespace: 'shop', services: ['cart'], ports: [], routes: [], from: other };
    expect(of({ abort, target })).toEqual(['shop/web', 100, 0, 0]);
  });

  test('of timeouts alone is not known, and one that says the same changes nothing', () => {
    const plain = routed(rule({ backends: [backend('shop/cart')] }));
    expect(counts(told([call()], { routes: plain }))).toEqual([['shop/web', 100, 0, 0]]);
    const hasty = routed(rule({ backends: [backend('shop/cart')], timeouts: { requestMs: 10 } }));
    expect(counts(told([call()], { routes: hasty }))).toEqual([['shop/web', 100, 0, 100]]);
  });
});

describe('a limit', () => {
  const limit = { per: 'target' as const, requestsPerSecond: 1, burst: 5, isShadow: false };
  const steps = (caller: string, requests: (number | null)[], node = 'n1') => ({
    caller,
    to: 'shop/cart',
    node,
    requests,
    buckets: 1,
  });
  const told = (rows: Parameters<typeof replayLimit>[0], part: Partial<typeof limit> | { per: 'caller' } = {}) =>
    replayLimit(rows, { ...limit, ...part }, 10_000).map(({ caller, requests, changed, unknown }) => [
      caller,
      requests,
      changed,
      unknown,
    ]);

  test('refuses at least what no bucket holds, in shares of who came; and in quiet steps nobody', () => {
    const rows = [steps('shop/web', [30, 2, null]), steps('shop/bot', [10, 0, 4])];
    expect(told(rows)).toEqual([
      ['shop/web', 32, 18, 14], // of 40 in the first step 15 fit, and the bucket may be empty in the next
      ['shop/bot', 14, 6, 8],
    ]);
    expect(told(rows, { per: 'caller' })).toEqual([
      ['shop/web', 32, 15, 17],
      ['shop/bot', 14, 0, 10],
    ]);
    expect(told(rows, { isShadow: true })).toEqual([
      ['shop/web', 32, 0, 0],
      ['shop/bot', 14, 0, 0],
    ]);
    expect(told([steps('shop/web', [20]), steps('shop/web', [20], 'n2')])).toEqual([['shop/web', 40, 10, 30]]);
  });

  test('refuses for certain no more than a bucket that is full at the best of times does', () => {
    const instants = fc.array(fc.integer({ min: 0, max: 29_999 }), { maxLength: 80 });
    fc.assert(
      fc.property(instants, fc.integer({ min: 1, max: 20 }), (all, burst) => {
        const counts = [0, 1, 2].map((step) => all.filter((ms) => Math.floor(ms / 10_000) === step).length);
        let [tokens, atMs, refused] = [burst, 0, 0];
        for (const ms of all.toSorted((a, b) => a - b)) {
          tokens = Math.min(burst, tokens + (ms - atMs) / 1_000);
          atMs = ms;
          if (tokens >= 1) tokens--;
          else refused++;
        }
        const [one] = replayLimit([steps('shop/web', counts)], { ...limit, burst }, 10_000);
        expect(one?.changed ?? 0).toBeLessThanOrEqual(refused);
        expect(refused).toBeLessThanOrEqual((one?.changed ?? 0) + (one?.unknown ?? 0));
      }),
    );
  });
});

test('a path is, begins or ends as a route says of all, of some or of none of its paths', () => {
  const texts = fc.constantFrom('/v1', '/v1/', '/v1/items', '/v1/items/42', '/v1/items/42/tags', '/tags', '42', '/');
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(ROUTES)), texts, (route, text) => {
      const path = new ObservedPath(route);
      const paths = ROUTES[route]!;
      const check = (said: string, held: readonly boolean[]): void => {
        if (said === 'yes') expect(held).not.toContain(false);
        if (said === 'no') expect(held).not.toContain(true);
      };
      check(
        path.is(text),
        paths.map((one) => one === text),
      );
      check(
        path.startsWith(text),
        paths.map((one) => one.startsWith(text)),
      );
      check(
        path.endsWith(text),
        paths.map((one) => one.endsWith(text)),
      );
      const trimmed = text.replace(/\/+$/, '');
      check(
        path.isUnder(text),
        paths.map((one) => one === trimmed || one.startsWith(`${trimmed}/`)),
      );
    }),
  );
});
