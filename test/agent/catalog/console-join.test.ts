/** The console's answers with what the catalog knows in them: what it says is in its shapes, and figures stay as they were. */
import { expect, test } from 'vitest';
import { joinDetail, joinRows } from '../../../agent/catalog/console-join.ts';
import type { CatalogDetail, CatalogRow } from '../../../agent/catalog/rows.ts';
import { serviceDetail, serviceRow } from '../../../agent/console/shapes/services.ts';

const FIGURES = {
  requestsPerSec: 5,
  appFailedRatio: 0,
  meshFailedRatio: 0,
  deniedRatio: 0,
  p50Ms: 1,
  p99Ms: 2,
  bytesPerSec: 3,
};
const row = (id: string): CatalogRow => ({
  id,
  namespace: 'pay',
  name: id.slice(4),
  tab: 'silent',
  owner: 'team',
  tier: null,
  language: { value: 'Go 1.24', source: 'observed' },
  protocol: '',
  versions: ['v2'],
  endpointsReady: 1,
  endpointsTotal: 1,
  firstSeenMs: 1,
  lastSeenMs: 2,
  rulesMet: 3,
  rulesTotal: 11,
});

test('a row keeps its figures and gains the rest; one without figures has unknown ones', () => {
  const shown = serviceRow.parse({
    ...FIGURES,
    ...row('pay/a'),
    owner: null,
    tab: 'seen',
    protocol: 'http',
    versions: ['v1'],
    health: 'ok',
    cause: 'fine',
    trend: [0],
  });
  const joined = joinRows([shown], [row('pay/a'), row('pay/b')]);
  expect(joined).toEqual(joined.map((one) => serviceRow.parse(one)));
  expect(joined).toMatchObject([
    {
      id: 'pay/a',
      requestsPerSec: 5,
      health: 'ok',
      tab: 'silent',
      owner: 'team',
      protocol: 'http',
      versions: ['v1', 'v2'],
    },
    { id: 'pay/b', requestsPerSec: null, health: 'quiet', rulesMet: 3 },
  ]);
});

test('a service gains facts, rules, and what was called outside of the range', () => {
  const column = {
    startMs: 0,
    stepMs: 1,
    requestsPerSec: [],
    appFailedRatio: [],
    meshFailedRatio: [],
    p50Ms: [],
    p95Ms: [],
    p99Ms: [],
    inFlight: [],
    bytesPerSec: [],
  };
  const route = { method: 'GET', template: '/a', consumers: [], statuses: {}, firstSeenMs: null, lastSeenMs: null };
  const view = serviceDetail.parse({
    id: 'pay/a',
    asOfMs: 1,
    health: 'ok',
    problem: null,
    now: FIGURES,
    facts: [],
    objective: null,
    series: column,
    statuses: {},
    versions: [],
    routes: [{ ...FIGURES, ...route }],
    callers: [],
    calls: [],
    endpoints: [],
    policies: [],
    rules: [],
    events: [],
    coverage: { asked: 1, answered: 1, missing: [] },
  });
  const seen = {
    service: 'pay/a',
    method: 'GET',
    consumers: ['pay/w'],
    statuses: { 200: 1 },
    count: 1,
    firstSeenMs: 7,
    lastSeenMs: 8,
  };
  const known: CatalogDetail = {
    ...row('pay/a'),
    facts: [{ key: 'owner', value: 'team', source: 'declared', by: 'Component pay/a', atMs: null }],
    rules: [{ id: 'owner', title: 'An owner is named', isMet: true, fix: '' }],
    routes: [
      { ...seen, template: '/a' },
      { ...seen, template: '/b' },
    ],
    callers: [
      {
        service: 'pay/w',
        protocol: 'http',
        hops: 1,
        via: [],
        tls: 'mutual',
        count: 1,
        bytes: 2,
        firstSeenMs: 7,
        lastSeenMs: 8,
      },
    ],
    calls: [],
    declaredUnused: [],
    usedUndeclared: [],
    component: null,
  };
  const joined = joinDetail(view, known);
  expect(serviceDetail.parse(joined)).toEqual(joined);
  expect(joined.routes).toMatchObject([
    { template: '/a', requestsPerSec: 5, firstSeenMs: 7 },
    { template: '/b', requestsPerSec: null, statuses: { 200: 1 } },
  ]);
  expect(joined.callers).toMatchObject([{ service: 'pay/w', requestsPerSec: null, lastSeenMs: 8 }]);
  expect(joined.facts).toHaveLength(1);
  expect(joinDetail(view, undefined)).toBe(view);
});
