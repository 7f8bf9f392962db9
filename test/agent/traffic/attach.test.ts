import { describe, expect, test } from 'vitest';
import { type Attached, attachRoutes } from '../../../agent/traffic/attach.ts';
import type { CompiledGrant, CompiledRoute, CompiledService } from '../../../agent/traffic/compiled.ts';
import { conditionsText } from '../../../agent/traffic/conditions.ts';
import { serviceFact } from '../../../agent/traffic/service-facts.ts';
import { CONFORMANCE, compiled, conformanceTests, manifests } from './conformance.ts';

function attach(
  routes: readonly CompiledRoute[],
  services: readonly CompiledService[],
  grants: readonly CompiledGrant[] = [],
): Attached {
  const byId = new Map(services.map((service) => [`${service.namespace}/${service.name}`, service]));
  return attachRoutes(
    routes.map((route) => ({ ...route, revision: 'r' })),
    { services: (id) => serviceFact(undefined, byId.get(id)), grants },
  );
}

const service = (
  name: string,
  ports: readonly object[] = [{ port: 80, appProtocol: 'http' }],
  namespace = 'shop',
  spec = {},
) =>
  compiled<CompiledService>({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { ports, ...spec },
  });

const route = (name: string, spec: object, { kind = 'HTTPRoute', namespace = 'shop', ...metadata } = {}) =>
  compiled<CompiledRoute>({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind,
    metadata: { name, namespace, ...metadata },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'cart', namespace: 'shop' }], ...spec },
  });

const to = (name: string, more: object = {}) => ({ backendRefs: [{ name, port: 80, ...more }] });
const said = (attached: Attached, id: string) => conditionsText(attached.statuses.get(id)!);

describe.skipIf(CONFORMANCE === undefined)('the manifests of the conformance suite', () => {
  const base = CONFORMANCE === undefined ? [] : manifests('mesh/manifests.yaml');
  const services = base.filter(({ kind }) => kind === 'Service').map((one) => compiled<CompiledService>(one));

  test.each(conformanceTests())('%s: each route is accepted, and all it refers to is there', (file) => {
    const routes = manifests(`tests/mesh/${file}`)
      .filter(({ kind }) => kind.endsWith('Route'))
      .map((one) => compiled<CompiledRoute>(one));
    const attached = attach(routes, services);
    for (const [, parents] of attached.statuses) expect(conditionsText(parents)).toBe('accepted');
    const backends = attached.routes.flatMap(({ http }) => http.flatMap((rule) => rule.backends));
    expect(backends.filter(({ problem }) => problem !== undefined)).toEqual([]);
    expect(attached.routes.length).toBeGreaterThan(0);
  });

  test('weights are shares, and what gets nothing need not be there', () => {
    const routes = manifests('tests/mesh/grpcroute-weight.yaml').map((one) => compiled<CompiledRoute>(one));
    const [only] = attach(routes, services).routes;
    expect(only).toMatchObject({ service: 'gateway-conformance-mesh/echo', port: 7070 });
    expect(only!.http[0]!.backends.map(({ service, weight }) => [service, weight])).toEqual([
      ['gateway-conformance-mesh/echo-v1', 70],
      ['gateway-conformance-mesh/echo-v2', 30],
    ]);
  });

  test('a route of another namespace is for callers of that namespace', () => {
    const routes = manifests('tests/mesh/mesh-consumer-route.yaml').map((one) => compiled<CompiledRoute>(one));
    const attached = attach(routes, services).routes;
    expect(new Set(attached.map(({ consumer }) => consumer))).toEqual(new Set(['gateway-conformance-mesh-consumer']));
    expect(attached.map(({ port }) => port).sort()).toContain(80);
  });
});

describe('what a route is attached to', () => {
  test('a port named, by number or name; one that is not there is said with those that are', () => {
    const ports = [
      { name: 'web', port: 80 },
      { name: 'other', port: 81 },
    ];
    const at = (parent: object) =>
      attach(
        [route('r', { parentRefs: [{ group: '', kind: 'Service', name: 'cart', ...parent }], rules: [to('cart')] })],
        [service('cart', ports)],
      );
    expect(at({ sectionName: 'other' }).routes.map(({ port }) => port)).toEqual([81]);
    expect(at({ port: 80 }).routes.map(({ port }) => port)).toEqual([80]);
    expect(at({}).routes.map(({ port }) => port)).toEqual([80, 81]);
    const missing = at({ port: 90 });
    expect(missing.routes).toEqual([]);
    expect(said(missing, 'HTTPRoute/shop/r')).toBe(
      'NoMatchingParent: service shop/cart has no port 90; it has 80 (web), 81 (other)',
    );
  });

  test('no service without an address of its own', () => {
    const headless = service('cart', undefined, 'shop', { clusterIP: 'None' });
    expect(said(attach([route('r', { rules: [to('cart')] })], [headless]), 'HTTPRoute/shop/r')).toMatch(
      /^UnsupportedValue: service shop\/cart is headless/,
    );
  });

  test('a parent that is no Service is not ours', () => {
    const gateway = route('r', { parentRefs: [{ name: 'edge' }], rules: [to('cart')] });
    expect(said(attach([gateway], [service('cart')]), 'HTTPRoute/shop/r')).toBe('no parent is a Service');
  });

  test('a service that is not there yet', () => {
    expect(said(attach([route('r', { rules: [to('cart')] })], []), 'HTTPRoute/shop/r')).toMatch(
      /^NoMatchingParent: there is no service shop\/cart/,
    );
  });
});

describe('conflicts', () => {
  test('of the kinds that claim a port the first has it, and the others are told', () => {
    const kinds = ['TCPRoute', 'HTTPRoute', 'GRPCRoute'].map((kind) =>
      route(kind.toLowerCase(), { rules: [to('cart')] }, { kind }),
    );
    const attached = attach(kinds, [service('cart', [{ port: 80 }])]);
    expect(attached.routes.map(({ http, streams }) => [http.map(({ origin }) => origin.kind), streams.length])).toEqual(
      [[['GRPCRoute'], 0]],
    );
    for (const id of ['HTTPRoute/shop/httproute', 'TCPRoute/shop/tcproute']) {
      expect(attached.statuses.get(id)![0]!.conditions[0]).toEqual({
        type: 'Accepted',
        status: 'False',
        reason: 'Conflicted',
        message: 'port 80 has GRPCRoute shop/grpcroute',
      });
    }
    expect(said(attached, 'GRPCRoute/shop/grpcroute')).toBe('accepted');
  });

  test('the oldest route goes first, then by name; one that says the same is overridden, with the winner', () => {
    const rules = { rules: [to('cart')] };
    const routes = [
      route('b', rules, { creationTimestamp: '2026-01-02T00:00:00Z' } as object),
      route('c', rules, { creationTimestamp: '2026-01-01T00:00:00Z' } as object),
      route('a', rules, { creationTimestamp: '2026-01-02T00:00:00Z' } as object),
    ];
    const attached = attach(routes, [service('cart')]);
    expect(attached.routes[0]!.http.map(({ origin }) => origin.name)).toEqual(['c', 'a', 'b']);
    expect(said(attached, 'HTTPRoute/shop/c')).toBe('accepted');
    expect(said(attached, 'HTTPRoute/shop/a')).toBe(
      'Overridden: HTTPRoute shop/c says the same on port 80 and goes before it',
    );
  });

  test('a consumer route takes the place of the producer route for its namespace, which is told', () => {
    const routes = [
      route('p', { rules: [to('cart')] }),
      route('c', { rules: [to('cart', { namespace: 'shop' })] }, { namespace: 'web' }),
    ];
    const attached = attach(routes, [service('cart')]);
    expect(attached.routes.map(({ consumer }) => consumer)).toEqual([undefined, 'web']);
    expect(said(attached, 'HTTPRoute/shop/p')).toBe('Overridden: for callers of web HTTPRoute web/c takes its place');
    expect(said(attached, 'HTTPRoute/web/c')).toBe('accepted');
  });
});

describe('where a route leads', () => {
  const one = (rule: object, grants: readonly CompiledGrant[] = []) => {
    const attached = attach(
      [route('r', { rules: [rule] })],
      [service('cart'), service('cart', undefined, 'other')],
      grants,
    );
    return { status: said(attached, 'HTTPRoute/shop/r'), rule: attached.routes[0]!.http[0]! };
  };

  test('a service that is not there gets its share of 500s', () => {
    const { status, rule } = one({
      backendRefs: [
        { name: 'cart', port: 80 },
        { name: 'crat', port: 80, weight: 3 },
      ],
    });
    expect(status).toBe('BackendNotFound: there is no service shop/crat');
    expect(rule.backends.map(({ weight, problem }) => [weight, problem])).toEqual([
      [1, undefined],
      [3, 'there is no service shop/crat'],
    ]);
  });

  test('another namespace needs a grant, and one is enough', () => {
    const rule = to('cart', { namespace: 'other' });
    expect(one(rule).status).toBe(
      'RefNotPermitted: no ReferenceGrant in other lets a HTTPRoute of shop lead to Service cart',
    );
    const grant = compiled<CompiledGrant>({
      apiVersion: 'gateway.networking.k8s.io/v1beta1',
      kind: 'ReferenceGrant',
      metadata: { name: 'g', namespace: 'other' },
      spec: {
        from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'shop' }],
        to: [{ group: '', kind: 'Service' }],
      },
    });
    expect(one(rule, [grant])).toMatchObject({ status: 'accepted', rule: { backends: [{ service: 'other/cart' }] } });
    expect(one(rule, [{ ...grant, namespace: 'elsewhere' }]).status).toMatch(/^RefNotPermitted/);
    expect(one(rule, [{ ...grant, to: [{ group: '', kind: 'Service', name: 'else' }] }]).status).toMatch(
      /^RefNotPermitted/,
    );
  });

  test('nothing but a Service', () => {
    expect(one(to('cart', { group: 'multicluster.x-k8s.io', kind: 'ServiceImport' })).status).toMatch(/^InvalidKind: /);
  });

  test('no weight at all, and no backend at all, is a 500', () => {
    expect(one(to('cart', { weight: 0 })).rule.backends).toMatchObject([{ problem: 'all weights of the rule are 0' }]);
    expect(one({}).rule.backends).toMatchObject([{ problem: 'the rule names no backend' }]);
  });

  test('a filter that is not supported closes its rule, and the others hold', () => {
    const extended = {
      filters: [{ type: 'ExtensionRef', extensionRef: { group: 'x', kind: 'Y', name: 'z' } }],
      ...to('cart'),
    };
    const attached = attach([route('r', { rules: [extended, to('cart')] })], [service('cart')]);
    expect(said(attached, 'HTTPRoute/shop/r')).toBe(
      'UnsupportedValue: rule rule-1: filter ExtensionRef is not supported',
    );
    expect(
      attached.statuses.get('HTTPRoute/shop/r')![0]!.conditions.map(({ type, status }) => `${type} ${status}`),
    ).toEqual(['Accepted True', 'ResolvedRefs True', 'PartiallyInvalid True']);
    expect(attached.routes[0]!.http.map(({ backends }) => backends[0]!.problem)).toEqual([
      'filter ExtensionRef is not supported',
      undefined,
    ]);
  });
});
