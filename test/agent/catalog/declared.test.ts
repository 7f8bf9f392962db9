/** From catalog-info.yaml to services: ties, facts, rules; and back to YAML that reads as it was written. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { servedEntities, serveEntities } from '../../../agent/catalog/backstage/entity-api.ts';
import { exportEntities } from '../../../agent/catalog/backstage/export.ts';
import { declaredFacts } from '../../../agent/catalog/declared/declared-facts.ts';
import type { DeclaredEntity } from '../../../agent/catalog/declared/entities.ts';
import { refOf, refText } from '../../../agent/catalog/declared/entity-ref.ts';
import { OBSERVED, withoutObserved } from '../../../agent/catalog/declared/observed-annotations.ts';
import { tieComponents } from '../../../agent/catalog/declared/ties.ts';
import { OpenApis } from '../../../agent/catalog/openapi/operations.ts';
import { type CatalogSight, CatalogView } from '../../../agent/catalog/rows.ts';
import type { Entity } from '../../../agent/documents/catalog-entities.ts';
import { OPEN_ACCESS } from '../../../proxy/access/policy.ts';
import { compiled } from '../traffic/conformance.ts';

const NOW = 1_790_000_000_000;
const declare = (entity: Entity): DeclaredEntity => ({ entity, revision: 'r', writtenAtMs: NOW });
const component = (metadata: Entity['metadata'], spec: object = {}): DeclaredEntity =>
  declare({
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata,
    spec: { type: 'service', lifecycle: 'production', owner: 'team', ...spec },
  });
const endpoint = (service: string, more: object = {}) =>
  ({
    id: `n/${service}/http`,
    node: 'n',
    namespace: 'pay',
    service,
    workload: service,
    state: 'ready',
    version: 'v1',
    labels: {},
    protocol: 'http',
    ...more,
  }) as CatalogSight['endpoints'][number];

function sight(more: Partial<CatalogSight> = {}): CatalogSight {
  const entities = more.entities ?? [];
  const byRef = new Map(entities.map((one) => [refText(refOf(one.entity)), one]));
  const nothing = { relations: [], routes: [], facts: new Map(), plaintext: new Map(), certificates: new Map() };
  return {
    mesh: { services: new Map(), ...nothing },
    endpoints: [],
    written: [],
    entities,
    find: (ref) => byRef.get(ref),
    openApis: new OpenApis(),
    access: OPEN_ACCESS,
    policies: [],
    routes: [],
    hasObjective: undefined,
    nowMs: NOW,
    ...more,
  };
}

describe('which service a component is', () => {
  const tied = (services: string[], ...all: DeclaredEntity[]) =>
    [...tieComponents(all, services)].map(([id, { entity }]) => [id, entity.metadata.name]);

  test.each([
    [
      'the annotation of Weft',
      { name: 'x', annotations: { 'weft.dev/service': 'pay/a, b' }, namespace: 'ops' },
      [
        ['pay/a', 'x'],
        ['ops/b', 'x'],
      ],
    ],
    [
      'that of Kubernetes',
      { name: 'x', annotations: { 'backstage.io/kubernetes-id': 'a', 'backstage.io/kubernetes-namespace': 'pay' } },
      [['pay/a', 'x']],
    ],
    ['the same name, whatever the case', { name: 'A', namespace: 'pay' }, [['pay/a', 'A']]],
    ['the only one of its name, for a component without namespace', { name: 'a' }, [['pay/a', 'a']]],
    ['none of that name: it is silent', { name: 'c', namespace: 'pay' }, [['pay/c', 'c']]],
  ])('%s', (_how, metadata, expected) =>
    expect(tied(['pay/a', 'pay/b', 'shop/b'], component(metadata))).toEqual(expected),
  );

  test('of two namespaces with that name none is meant, and a library is no service', () => {
    expect(tied(['pay/b', 'shop/b'], component({ name: 'b' }))).toEqual([['default/b', 'b']]);
    expect(tied(['pay/b'], component({ name: 'lib' }, { type: 'library' }))).toEqual([]);
  });

  test('nobody else describes a service that its own namespace describes', () => {
    const own = component({ name: 'a', namespace: 'pay' });
    const other = component({ name: '0', namespace: 'evil', annotations: { 'weft.dev/service': 'pay/a' } });
    expect(tied(['pay/a'], other, own)).toEqual([['pay/a', 'a']]);
  });
});

test('a component says who, what, where; secrets of integrations are not shown', () => {
  const system = declare({
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'System',
    metadata: { name: 'money', namespace: 'pay' },
    spec: { owner: 'team', domain: 'finance' },
  });
  const found = declaredFacts(
    component(
      {
        name: 'ledger',
        namespace: 'pay',
        description: 'Books',
        labels: { tier: 'T1' },
        annotations: {
          'backstage.io/source-location': 'url:https://example.com/repo',
          'pagerduty.com/integration-key': 'secret-key',
        },
        links: [
          { url: 'https://example.com/docs', title: 'Docs' },
          { url: 'https://example.com/run', type: 'runbook' },
        ],
      },
      { system: 'money', owner: 'group:ops/team' },
    ),
    (ref) => (ref === 'system:pay/money' ? system : undefined),
  );
  expect(Object.fromEntries(found.map(({ key, value }) => [key, value]))).toEqual({
    owner: 'ops/team',
    description: 'Books',
    lifecycle: 'production',
    type: 'service',
    tier: 'T1',
    system: 'money',
    domain: 'finance',
    repository: 'https://example.com/repo',
    docs: 'https://example.com/docs',
    runbook: 'https://example.com/run',
    onCall: 'PagerDuty',
  });
  expect(JSON.stringify(found)).not.toContain('secret-key');
  expect(found.every(({ source, by }) => source === 'declared' && by === 'Component pay/ledger')).toBe(true);
});

test('the APIs that a component provides are held against the routes that were called, and that is a rule', () => {
  const api = (name: string, definition: unknown, type = 'openapi'): DeclaredEntity =>
    declare({
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'API',
      metadata: { name, namespace: 'pay' },
      spec: { type, lifecycle: 'production', owner: 'team', definition },
    });
  const route = { service: 'pay/ledger', method: 'GET', template: '/v1/a', consumers: [], statuses: {}, count: 3 };
  const seen = { ...sight().mesh, routes: [{ ...route, firstSeenMs: 1, lastSeenMs: 2 }] };
  const of = (definition: unknown, type?: string) => {
    const provides = component({ name: 'ledger', namespace: 'pay' }, { providesApis: ['books'] });
    const entities = [provides, api('books', definition, type)];
    const detail = new CatalogView(sight({ entities, endpoints: [endpoint('ledger')], mesh: seen })).detail(
      'pay/ledger',
    )!;
    return { api: detail.api, rule: detail.rules.find(({ id }) => id === 'openapi') };
  };
  expect(of('openapi: 3.0.3\npaths: { /v1/a: { get: {} }, /v1/b: { get: {} } }')).toMatchObject({
    api: { definedBy: ['API pay/books'], problems: [], undeclared: [], unused: [{ template: '/v1/b' }] },
    rule: { isMet: true },
  });
  expect(of('openapi: 3.0.3\npaths: { /v1/b: { get: {} } }')).toMatchObject({
    api: { undeclared: [{ method: 'GET', template: '/v1/a', count: 3 }] },
    rule: { isMet: false, fix: 'describe GET /v1/a in API pay/books' },
  });
  expect(of({ $text: './a.yaml' })).toMatchObject({
    api: { undeclared: [], unused: [] },
    rule: { isMet: false, fix: expect.stringContaining('API pay/books: its definition is elsewhere') },
  });
  expect(of('syntax = "proto3";', 'grpc')).toEqual({ api: null, rule: undefined });
});

describe('the tabs', () => {
  const seen = (calledMs: number | null, lastSeenMs = NOW) => ({
    firstSeenMs: 1,
    lastSeenMs,
    trafficMs: calledMs,
    calledMs,
  });
  const tabOf = (id: string, more: Partial<CatalogSight>) =>
    new CatalogView(sight(more)).rows().find((row) => row.id === id)?.tab;
  const services = new Map([
    ['pay/called', seen(NOW)],
    ['pay/idle', seen(null)],
    ['pay/old', seen(NOW - 999_999_999, NOW - 999_999_999)],
  ]);
  const mesh = { ...sight().mesh, services };
  const entities = [component({ name: 'declared', namespace: 'pay' })];

  test('where nobody declares anything, nothing is undeclared', () => {
    expect(tabOf('pay/called', { mesh })).toBe('seen');
    expect(tabOf('pay/called', { mesh, entities })).toBe('undeclared');
    expect(tabOf('pay/idle', { mesh, entities })).toBe('seen');
  });

  test('what is there no more is gone, or silent where it is declared', () => {
    expect(tabOf('pay/old', { mesh })).toBe('gone');
    expect(tabOf('pay/declared', { mesh, entities })).toBe('silent');
    expect(tabOf('pay/old', { mesh, entities: [component({ name: 'old', namespace: 'pay' })] })).toBe('silent');
  });
});

describe('the rules', () => {
  const failing = (more: Partial<CatalogSight>) =>
    new CatalogView(sight({ endpoints: [endpoint('a'), endpoint('a', { id: 'n2/a/http' })], ...more }))
      .rules('pay/a')
      .filter(({ isMet }) => !isMet)
      .map(({ id }) => id);
  const policy = { id: 'pay/a', revision: '', action: 'ALLOW', isDryRun: false, rules: [] } as const;
  const target = { namespace: 'pay', services: ['a'], labels: {} };
  const settings = { timeouts: { requestMs: 1_000 } };
  const origin = { kind: 'TrafficPolicy', namespace: 'pay', name: 'a', revision: '' } as never;

  test('a service that nobody cares for fails those that need somebody', () => {
    expect(failing({})).toEqual(['owner', 'description', 'docs', 'on-call', 'timeout', 'access']);
  });

  test.each<[string, Partial<CatalogSight>]>([
    ['access', { access: { ...OPEN_ACCESS, policies: [{ ...policy, target }] } }],
    ['access', { access: { ...OPEN_ACCESS, defaultAction: 'DENY' } }],
    [
      'timeout',
      { policies: [{ origin, settings, target: { namespace: 'pay', services: [], ports: [], routes: [], from: [] } }] },
    ],
    ['owner', { entities: [component({ name: 'a', namespace: 'pay' })] }],
  ])('%s is met by %o', (rule, more) => expect(failing(more)).not.toContain(rule));

  test.each<[string, Partial<CatalogSight>]>([
    ['access', { access: { ...OPEN_ACCESS, policies: [{ ...policy, isDryRun: true, target }] } }],
    ['access', { access: { ...OPEN_ACCESS, policies: [{ ...policy, validUntilMs: NOW - 1, target }] } }],
    ['access', { access: { ...OPEN_ACCESS, policies: [{ ...policy, target: { ...target, services: ['b'] } }] } }],
    [
      'timeout',
      {
        policies: [
          { origin, settings, target: { namespace: 'pay', services: ['a'], ports: [80], routes: [], from: [] } },
        ],
      },
    ],
    ['replicas', { endpoints: [endpoint('a'), endpoint('a', { id: 'x', state: 'unready' })] }],
    ['version', { endpoints: [endpoint('a'), endpoint('a', { id: 'x', version: '' })] }],
    [
      'mtls-strict',
      { access: { ...OPEN_ACCESS, permissive: [{ namespace: 'pay', service: 'a', port: 80, untilMs: NOW + 1 }] } },
    ],
    ['slo', { hasObjective: () => false }],
    ['owner', { entities: [component({ name: 'a', namespace: 'pay' }, { owner: 'unknown' })] }],
  ])('%s is not met by %o', (rule, more) => expect(failing(more)).toContain(rule));

  test('what is not met says what to do, what is met says nothing', () => {
    for (const { isMet, fix } of new CatalogView(sight({ endpoints: [endpoint('a')] })).rules('pay/a')) {
      expect(fix === '').toBe(isMet);
    }
  });
});

describe('the export', () => {
  const word = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?$/);
  const extra = fc.dictionary(word, fc.jsonValue(), { maxKeys: 4, noNullPrototype: true });
  const written = fc
    .record({
      kind: fc.constantFrom('Component', 'Resource', 'System', 'Domain'),
      name: word,
      owner: word,
      description: fc.string(),
      annotations: fc.option(fc.dictionary(word, fc.string(), { minKeys: 1, maxKeys: 3, noNullPrototype: true }), {
        nil: undefined,
      }),
      extra,
    })
    .map(({ kind, name, owner, description, annotations, extra }) => ({
      apiVersion: 'backstage.io/v1alpha1',
      kind,
      metadata: { name, namespace: 'pay', description, ...(annotations && { annotations }), 'x-extra': extra },
      spec: { type: 'service', lifecycle: 'production', owner, 'x-extra': extra },
    }));

  test('what was declared reads back as it was written, whatever was observed', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(written, {
          maxLength: 5,
          selector: ({ kind, metadata }) => `${kind} ${metadata.name.toLowerCase()}`,
        }),
        (all) => {
          const entities = all.map((one) => declare(compiled<Entity>(one)));
          const endpoints = all.map(({ metadata }) => endpoint(metadata.name.toLowerCase()));
          const view = new CatalogView(sight({ entities, endpoints }));
          const text = exportEntities(entities, view)
            .map((entity) => `---\n${stringify(entity)}`)
            .join('');
          const read = parseAllDocuments(text).flatMap((document) => {
            const entity = document.toJS() as Entity;
            const isOurs = entity.metadata.annotations?.[`${OBSERVED}only`] === 'true';
            return isOurs ? [] : [withoutObserved(compiled<Entity>(entity))];
          });
          const order = (entity: object) => refText(refOf(entity as Entity));
          const sorted = (list: readonly object[]) => list.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
          expect(sorted(read)).toEqual(sorted(all));
        },
      ),
      { numRuns: 40 },
    );
  });

  test('a service that nobody declared is a component that Backstage takes', () => {
    const relation = {
      from: 'pay/a',
      to: 'pay/b',
      protocol: 'http',
      count: 1,
      bytes: 1,
      firstSeenMs: 1,
      lastSeenMs: NOW,
    };
    const mesh = { ...sight().mesh, relations: [relation] };
    const view = new CatalogView(sight({ endpoints: [endpoint('a'), endpoint('b')], mesh }));
    const [a] = exportEntities([], view);
    expect(compiled<Entity>(a!)).toMatchObject({
      metadata: {
        name: 'a',
        namespace: 'pay',
        annotations: { 'weft.dev/service': 'pay/a', [`${OBSERVED}calls`]: 'pay/b' },
      },
      spec: { owner: 'unknown', dependsOn: ['component:pay/b'] },
    });
  });
});

describe("Backstage's API", () => {
  const entities = servedEntities(
    [
      component({ name: 'Ledger', namespace: 'pay', annotations: { 'weft.dev/tier': 'T1' } }).entity,
      component({ name: 'web' }, { owner: 'user:jane', dependsOn: ['component:pay/ledger'] }).entity,
    ],
    [['component:pay/ledger', 'component:default/store']],
  );
  const ask = (path: string, query = '') => serveEntities(entities, path, new URLSearchParams(query));
  const names = (query: string): string[] => {
    const { body } = ask('', query) as { body: Entity[] };
    return body.map(({ metadata }) => metadata.name);
  };

  test.each([
    ['filter=kind=component', ['Ledger', 'web']],
    ['filter=kind=component,metadata.namespace=default', ['web']],
    ['filter=metadata.annotations.weft.dev/tier', ['Ledger']],
    ['filter=metadata.annotations.weft.dev/tier=t1&filter=metadata.name=WEB', ['Ledger', 'web']],
    ['filter=relations.ownedBy=user:default/jane', ['web']],
    ['filter=kind=api', []],
    ['offset=1&limit=5', ['web']],
  ])('%s', (query, expected) => expect(names(query)).toEqual(expected));

  test('by name, whatever the case, with relations in both directions and those of traffic', () => {
    const { body } = ask('/by-name/Component/pay/ledger') as { body: (typeof entities)[number] };
    expect(body.relations.map(({ type, targetRef }) => `${type} ${targetRef}`).sort()).toEqual([
      'dependencyOf component:default/web',
      'dependsOn component:default/store',
      'ownedBy group:pay/team',
    ]);
    expect(ask('/by-name/component/pay/nobody')).toMatchObject({ status: 404 });
  });

  test('pages follow each other until there are no more', () => {
    const first = ask('/by-query', 'limit=1') as { body: { items: Entity[]; pageInfo: { nextCursor?: string } } };
    expect(first.body).toMatchObject({ totalItems: 2, pageInfo: { nextCursor: '1' } });
    const second = ask('/by-query', `limit=1&cursor=${first.body.pageInfo.nextCursor}`);
    expect(second).toMatchObject({ body: { items: [{ metadata: { name: 'web' } }], pageInfo: { prevCursor: '0' } } });
    expect(ask('/by-query', 'limit=many')).toMatchObject({ status: 400 });
  });
});
