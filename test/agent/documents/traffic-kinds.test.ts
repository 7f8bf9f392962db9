import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expressionProblem } from '../../../agent/documents/expressions.ts';
import { meshTrafficOf } from '../../../agent/documents/mesh-config.ts';
import { durationOf } from '../../../agent/documents/traffic-fields.ts';
import { trafficPolicyKind } from '../../../agent/documents/traffic-policy.ts';
import type {
  CompiledFault,
  CompiledLimit,
  CompiledPolicy,
  CompiledRoute,
  CompiledService,
} from '../../../agent/traffic/compiled.ts';
import { compiled, problemOf } from '../traffic/conformance.ts';

const GATEWAY = 'gateway.networking.k8s.io/v1';
const OWN = 'weft.dev/v1alpha1';
const document = (kind: string, spec: object, { apiVersion = OWN, namespace = 'shop' } = {}) => ({
  apiVersion,
  kind,
  metadata: { name: 'x', namespace },
  spec,
});
const httpRoute = (rule: object, apiVersion = GATEWAY) => document('HTTPRoute', { rules: [rule] }, { apiVersion });
const ruleOf = (rule: object, apiVersion = GATEWAY) => compiled<CompiledRoute>(httpRoute(rule, apiVersion)).http[0]!;
const cart = [{ name: 'cart', port: 80 }];

describe('lengths of time', () => {
  test.each([
    ['10s', 10_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['1m500ms', 60_500],
    ['0s', 0],
  ])('%s', (text, ms) => expect(durationOf(text)).toBe(ms));

  test('whatever is written in order comes back as its sum', () => {
    fc.assert(
      fc.property(fc.nat(99), fc.nat(99), fc.nat(99), fc.nat(999), (h, m, s, ms) => {
        expect(durationOf(`${h}h${m}m${s}s${ms}ms`)).toBe(((h * 60 + m) * 60 + s) * 1_000 + ms);
      }),
    );
  });

  test.each(['10', '1.5s', '-1s', '1d', '100000s', ''])('%s is none', (text) => {
    expect(problemOf(httpRoute({ timeouts: { request: text }, backendRefs: cart }))).toMatch(
      /^spec\.rules\.0\.timeouts\.request: /,
    );
  });
});

describe('expressions', () => {
  test.each([
    ['a(b', 'missing closing ) at character 4'],
    ['a[z-a]', 'invalid character class range at character 3'],
    ['(?=a)', 'invalid or unsupported Perl syntax at character 1'],
    ['x*+', 'at character'],
  ])('%s is refused with its position', (text, problem) => {
    expect(expressionProblem(text)).toContain(problem);
    const match = { path: { type: 'RegularExpression', value: text } };
    expect(problemOf(httpRoute({ matches: [match], backendRefs: cart }))).toMatch(
      /^spec\.rules\.0\.matches\.0\.path\.value: /,
    );
  });

  test('one that is slow elsewhere is taken: here it is not', () =>
    expect(expressionProblem('(a+)+$')).toBeUndefined());
});

describe('HTTPRoute', () => {
  test('matches, filters, timeouts and retries as the Gateway API writes them', () => {
    const rule = ruleOf({
      matches: [
        {
          path: { type: 'Exact', value: '/cart' },
          method: 'GET',
          headers: [{ name: 'X-Beta', value: 'yes' }],
          queryParams: [{ type: 'RegularExpression', name: 'v', value: '[0-9]+' }],
        },
      ],
      filters: [
        { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'A', value: 'b' }], remove: ['C'] } },
        {
          type: 'RequestMirror',
          requestMirror: { backendRef: { name: 'cart', port: 81 }, fraction: { numerator: 1, denominator: 8 } },
        },
        { type: 'CORS', cors: { allowOrigins: ['https://*.example.org'], allowCredentials: true } },
        {
          type: 'URLRewrite',
          urlRewrite: { hostname: 'a.example', path: { type: 'ReplaceFullPath', replaceFullPath: '/b' } },
        },
      ],
      backendRefs: [{ name: 'cart', port: 80, weight: 1_000_000 }],
      timeouts: { request: '10s', backendRequest: '2s' },
      retry: { codes: [503], attempts: 2, backoff: '100ms' },
      sessionPersistence: { sessionName: 's', absoluteTimeout: '1h', cookieConfig: { lifetimeType: 'Permanent' } },
    });
    expect(rule).toMatchObject({
      name: 'rule-1',
      matches: [
        {
          path: { type: 'exact', value: '/cart' },
          method: 'GET',
          headers: [{ name: 'x-beta', type: 'exact', value: 'yes', isNot: false }],
          query: [{ name: 'v', type: 'regex', value: '[0-9]+', isNot: false }],
        },
      ],
      actions: {
        requestHeaders: { set: [['A', 'b']], add: [], remove: ['C'] },
        rewrite: { hostname: 'a.example', path: { type: 'full', value: '/b' } },
        cors: { allowOrigins: ['https://*.example.org'], allowCredentials: true, maxAgeSeconds: 5 },
      },
      mirrors: [{ backend: { namespace: 'shop', name: 'cart', port: 81 }, percent: 12.5 }],
      backends: [{ weight: 1_000_000 }],
      timeouts: { requestMs: 10_000, backendRequestMs: 2_000 },
      retry: { codes: [503], attempts: 2, backoffMs: 100 },
      affinity: { type: 'cookie', name: 's', ttlMs: 3_600_000 },
    });
  });

  const own = [
    [{ matches: [{ sources: [{ namespaces: ['web'] }] }], backendRefs: cart }, 'matches.0.sources'],
    [{ matches: [{ cookies: [{ name: 'a', value: 'b' }] }], backendRefs: cart }, 'matches.0.cookies'],
    [{ matches: [{ percentage: 0.01 }], backendRefs: cart }, 'matches.0.percentage'],
    [{ matches: [{ headers: [{ name: 'a', value: 'b', not: true }] }], backendRefs: cart }, 'matches.0.headers.0.not'],
    [{ matches: [{ headers: [{ name: 'a', type: 'Present' }] }], backendRefs: cart }, 'matches.0.headers.0.type'],
    [{ backendRefs: [{ name: 'cart', port: 80, subset: 'v2' }] }, 'backendRefs.0.subset'],
    [{ filters: [{ type: 'DirectResponse', directResponse: { statusCode: 410, body: 'gone' } }] }, 'filters.0.type'],
  ] as const;
  test.each(own)('%j is of weft.dev alone', (rule, field) => {
    expect(compiled<CompiledRoute>(httpRoute(rule, OWN)).http).toHaveLength(1);
    expect(problemOf(httpRoute(rule))).toBe(
      `spec.rules.0.${field}: is of apiVersion weft.dev/v1alpha1 alone; write that, or leave it out`,
    );
  });

  test.each([
    [{ backendRefs: [{ name: 'cart' }] }, 'backendRefs.0.port: must be given for a Service'],
    [{ backendRefs: [{ name: 'cart', port: 80, weight: 1_000_001 }] }, 'backendRefs.0.weight: '],
    [{ filters: [{ type: 'URLRewrite' }] }, 'filters.0.urlRewrite: must be given for type URLRewrite'],
    [{ filters: [{ type: 'CORS', urlRewrite: {} }] }, 'filters.0.urlRewrite: is not for type CORS; leave it out'],
    [
      { filters: [{ type: 'RequestRedirect', requestRedirect: {} }], backendRefs: cart },
      'backendRefs: RequestRedirect answers by itself',
    ],
    [{ timeouts: { request: '1s', backendRequest: '2s' } }, 'timeouts.backendRequest: is longer than request'],
    [{ matches: [{ path: { value: 'cart' } }] }, 'matches.0.path.value: cart is no path; begin it with /'],
    [
      {
        filters: [
          { type: 'ResponseHeaderModifier', responseHeaderModifier: { add: [{ name: 'a', value: 'b\r\nc: d' }] } },
        ],
      },
      'filters.0.responseHeaderModifier.add.0.value: ',
    ],
  ])('%j is refused', (rule, problem) => {
    expect(problemOf(httpRoute(rule))).toContain(`spec.rules.0.${problem}`);
  });
});

test('GRPCRoute: service and method are a path', () => {
  const matches = [
    { method: { service: 'shop.Cart', method: 'Add' } },
    { method: { service: 'shop.Cart' } },
    { method: { method: 'Add' } },
    { method: { type: 'RegularExpression', service: 'shop\\..*|web' } },
  ];
  const route = compiled<CompiledRoute>(
    document('GRPCRoute', { rules: [{ matches, backendRefs: cart }] }, { apiVersion: GATEWAY }),
  );
  expect(route.http[0]!.matches.map(({ path }) => path)).toEqual([
    { type: 'exact', value: '/shop.Cart/Add' },
    { type: 'prefix', value: '/shop.Cart' },
    { type: 'regex', value: '/[^/]+/Add' },
    { type: 'regex', value: '/(?:shop\\..*|web)/[^/]+' },
  ]);
});

test('TLSRoute: server names count; Service: what is spoken, and ports by name', () => {
  const spec = { hostnames: ['*.example.org'], rules: [{ backendRefs: cart }] };
  expect(compiled<CompiledRoute>(document('TLSRoute', spec, { apiVersion: GATEWAY })).streams[0]).toMatchObject({
    serverNames: ['*.example.org'],
    backends: [{ name: 'cart', weight: 1 }],
  });
  const ports = [
    { name: 'a', port: 80, targetPort: 'web', appProtocol: 'kubernetes.io/h2c' },
    { name: 'b', port: 81, protocol: 'UDP' },
    { name: 'c', port: 82, appProtocol: 'acme.example/own' },
  ];
  const service = compiled<CompiledService>(
    document('Service', { clusterIP: '10.0.0.1', ports, selector: { app: 'x' } }, { apiVersion: 'v1' }),
  );
  expect(service).toEqual({
    namespace: 'shop',
    name: 'x',
    selector: { app: 'x' },
    ports: [
      { name: 'a', port: 80, targetPort: 'web', protocol: 'http2' },
      { name: 'c', port: 82, targetPort: 82, protocol: 'auto' },
    ],
    type: 'virtual',
  });
});

describe('our own kinds', () => {
  test('TrafficPolicy: what is left out is left to others', () => {
    const policy = compiled<CompiledPolicy>(
      document('TrafficPolicy', {
        target: { services: ['cart'], from: [{ identities: ['ns/shop/sa/web'] }] },
        timeouts: { request: '2s' },
        outliers: { mode: 'off' },
        subsets: [{ name: 'canary', labels: { track: 'canary' } }],
        fallbacks: [{ service: 'old', port: 80 }, { respond: { statusCode: 503 } }],
      }),
    );
    expect(policy.settings).toEqual({
      timeouts: { requestMs: 2_000 },
      outliers: 'off',
      subsets: { canary: { track: 'canary' } },
      fallbacks: [
        { kind: 'service', service: 'shop/old', port: 80 },
        { kind: 'respond', respond: { status: 503, contentType: 'text/plain; charset=utf-8', body: '' } },
      ],
    });
    expect(policy.target).toMatchObject({ namespace: 'shop', services: ['cart'] });
  });

  test("of another namespace's services a policy is about callers of its own namespace, whatever it says", () => {
    const from = (target: object) =>
      compiled<CompiledPolicy>(document('TrafficPolicy', { target }, { namespace: 'web' })).target.from;
    expect(from({ namespace: 'shop' })).toMatchObject([{ namespaces: ['web'], notNamespaces: [] }]);
    // Nobody is both in and not in it.
    expect(from({ namespace: 'shop', from: [{ namespaces: ['other'] }] })).toMatchObject([
      { namespaces: ['web'], notNamespaces: ['web'] },
    ]);
  });

  test('a check of endpoints is for everybody: of no caller, no route and no other namespace', () => {
    const compile = (target: object, namespace = 'shop') =>
      trafficPolicyKind.compile(document('TrafficPolicy', { target, healthCheck: { interval: '2s' } }, { namespace }));
    expect(compile({ services: ['web'] })).toMatchObject({
      ok: true,
      value: { settings: { healthCheck: { intervalMs: 2_000, timeoutMs: 1_000, unhealthyAfter: 3, healthyAfter: 2 } } },
    });
    const problem = expect.stringContaining('spec.healthCheck: is the same for all');
    expect(compile({ from: [{ namespaces: ['shop'] }] })).toEqual({ ok: false, problem });
    expect(compile({ services: ['web'], namespace: 'shop' }, 'other')).toEqual({ ok: false, problem });
  });

  test('of weft-system it is about all namespaces', () => {
    const { target } = compiled<CompiledPolicy>(document('TrafficPolicy', {}, { namespace: 'weft-system' }));
    expect(target).toEqual({ services: [], ports: [], routes: [], from: [] });
  });

  test('RateLimit: a burst of a second, at least one', () => {
    const burst = (requestsPerSecond: number) =>
      compiled<CompiledLimit>(document('RateLimit', { requestsPerSecond })).burst;
    expect([burst(0.1), burst(7.5), burst(100)]).toEqual([1, 8, 100]);
  });

  test('RateLimit: what is counted where calls arrive knows no routes', () => {
    const under = (per: string) =>
      document('RateLimit', { requestsPerSecond: 1, per, target: { routes: ['HTTPRoute/shop/cart'] } });
    expect(problemOf(under('caller'))).toMatch(/^spec\.target\.routes: leave it out, or write `per: route`/);
    expect(compiled<CompiledLimit>(under('route')).target.routes).toEqual(['HTTPRoute/shop/cart']);
  });

  test('FaultInjection ends by itself, and does something', () => {
    expect(compiled<CompiledFault>(document('FaultInjection', { abort: { status: 503 } }))).toMatchObject({
      ttlMs: 600_000,
      abort: { status: 503, percent: 100 },
    });
    expect(problemOf(document('FaultInjection', {}))).toMatch(/^spec: does nothing; give one of/);
    expect(problemOf(document('FaultInjection', { reset: {}, ttl: '200h' }))).toMatch(
      /^spec\.ttl: 200h is out of bounds/,
    );
  });

  test('MeshConfig: faults are on and the secret follows from the trust domain where nobody says', () => {
    const mesh = (spec: object) =>
      meshTrafficOf(compiled({ apiVersion: OWN, kind: 'MeshConfig', metadata: { name: 'default' }, spec }));
    expect(mesh({})).toEqual({ hasFaults: true, cookieSecret: undefined });
    expect(mesh({ faults: 'off', cookieSecret: 'sixteen letters.' })).toEqual({
      hasFaults: false,
      cookieSecret: 'sixteen letters.',
    });
  });
});
