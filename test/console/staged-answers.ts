/** Answers as a mesh in trouble gives them: every field of every page has something in it. Fixed clock, no randomness. */
import type { MeshEvent, Series, Session, Signals } from '../../agent/console/shapes/common.ts';
import type { EdgeDetail, Explained } from '../../agent/console/shapes/edge.ts';
import type {
  DocumentCheck,
  DocumentDetail,
  DocumentRow,
  Identities,
  Logs,
  MemberDetail,
  MemberRow,
  NameIndex,
  Span,
  Trace,
  Traces,
} from '../../agent/console/shapes/mesh.ts';
import type { ServiceDetail, ServiceRow } from '../../agent/console/shapes/services.ts';
import type { Topology } from '../../agent/console/shapes/topology.ts';
import type { Coverage } from '../../agent/mesh-query/shapes.ts';

export const NOW_MS = Date.UTC(2026, 8, 21, 14, 13, 0);
const STEP_MS = 10_000;
const STEPS = 90;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ONSET_MS = NOW_MS - 11 * MINUTE_MS;

export const WHOLE: Coverage = { asked: 6, answered: 6, missing: [] };
export const PARTIAL: Coverage = {
  asked: 6,
  answered: 5,
  missing: [{ node: 'node-4', reason: 'silent', lastHeardMs: NOW_MS - 48_000, endpoints: 7 }],
};

const signals = (requestsPerSec: number, appFailedRatio = 0, p99Ms = 20, meshFailedRatio = 0): Signals => ({
  requestsPerSec,
  appFailedRatio,
  meshFailedRatio,
  deniedRatio: 0,
  p50Ms: p99Ms / 4,
  p99Ms,
  bytesPerSec: requestsPerSec * 700,
});

const series: Series = {
  startMs: NOW_MS - STEPS * STEP_MS,
  stepMs: STEP_MS,
  requestsPerSec: column((i) => 138 + 6 * Math.sin(i / 3)),
  appFailedRatio: column((i) => (i < 24 ? 0.001 : 0.042)),
  meshFailedRatio: column(() => 0.001),
  p50Ms: column(() => 12),
  p95Ms: column((i) => (i < 24 ? 34 : 410)),
  p99Ms: column((i) => (i < 24 ? 61 : 1_180)),
  inFlight: column((i) => (i < 24 ? 21 : 38)),
  bytesPerSec: column(() => 91_000),
};

/** The last five steps are of no node that answered. */
function column(value: (i: number) => number): (number | null)[] {
  return Array.from({ length: STEPS }, (_, i) => (i > STEPS - 6 ? null : value(i)));
}

const source = { kind: 'HTTPRoute', namespace: 'pay', name: 'ledger', rev: '8f00b204e9800998', line: 9 };
const signer = 'spiffe://shop.example/operator/anna';

export const EVENTS: readonly MeshEvent[] = [
  event('e3', 11, 'health', 'ledger bad: 4.2 % failing', { detail: 'failed 4.2 % of 2,070 requests' }),
  event('e2', 11.4, 'document', 'HTTPRoute ledger: v2 1 % to 10 %', { document: { ...source, signer } }),
  event('e1', 44, 'deploy', 'Deployed v2, 2 endpoints', { node: 'node-2' }),
  ...Array.from({ length: 4 }, (_, i) =>
    event(`j${i}`, 50 + i, 'ejection', '10.2.0.14 ejected', { touches: ['shop/search'] }),
  ),
  event('m1', 60, 'member', 'node-4 is silent', { touches: ['node:node-4'], node: 'node-1' }),
];

function event(
  id: string,
  minutes: number,
  kind: MeshEvent['kind'],
  title: string,
  more: Partial<MeshEvent>,
): MeshEvent {
  const atMs = NOW_MS - minutes * MINUTE_MS;
  return { id, atMs, kind, title, detail: '', touches: ['pay/ledger'], document: null, node: null, count: 1, ...more };
}

function service(id: string, perSec: number, more: Partial<ServiceRow> = {}): ServiceRow {
  const [namespace = '', name = ''] = id.split('/');
  return {
    ...signals(perSec),
    ...{ id, namespace, name, tab: 'seen', health: 'ok', cause: '', owner: `${namespace}-team`, tier: '2' },
    ...{ language: { value: 'Node 26', source: 'observed' }, protocol: 'http', versions: ['v1'] },
    ...{ endpointsReady: 4, endpointsTotal: 4, firstSeenMs: NOW_MS - 9 * DAY_MS, lastSeenMs: NOW_MS - 2_000 },
    ...{ rulesMet: 8, rulesTotal: 10, trend: Array.from({ length: 24 }, () => 0) },
    ...more,
  };
}

const SERVICES: readonly ServiceRow[] = [
  service('pay/ledger', 138, {
    ...signals(138, 0.041, 1_180, 0.001),
    ...{
      health: 'bad',
      cause: 'failed 4.2 % of 2,070 requests',
      versions: ['v1', 'v2'],
      endpointsReady: 5,
      endpointsTotal: 6,
    },
    ...{ language: { value: 'Go 1.24', source: 'observed' }, protocol: 'grpc', tier: '1' },
    trend: Array.from({ length: 24 }, (_, i) => (i < 7 ? 0.001 : 0.042)),
  }),
  service('pay/payments', 143, { ...signals(143, 0.041, 1_220), health: 'bad', cause: 'failed 4.1 %' }),
  service('shop/checkout', 146, { ...signals(146, 0.023, 940), health: 'warn', cause: 'failed 2.3 %' }),
  service('shop/search', 310, { ...signals(310, 0.002, 1_910), health: 'warn', cause: 'p99 3.1 times its usual' }),
  service('shop/catalog', 720, { owner: null, language: { value: 'Node 26', source: 'inferred' } }),
  service('shop/storefront', 990),
  service('fin/reports', 0, { ...signals(0), health: 'quiet', lastSeenMs: NOW_MS - 22 * MINUTE_MS, owner: null }),
  service('pay/refunds', 0, { tab: 'silent', health: 'quiet', language: null, rulesTotal: 0, lastSeenMs: null }),
  service('outside/acquirer', 12, { tab: 'undeclared', language: null, owner: null }),
];

const problem: NonNullable<ServiceDetail['problem']> = {
  id: 'p1',
  service: 'pay/ledger',
  health: 'bad',
  cause: 'Failed 4.2 % of 2,070 requests',
  failedRatio: 0.042,
  p99Ms: 1_180,
  sinceMs: ONSET_MS,
  where: { version: 'v2', route: 'POST /v1/entries' },
  after: { eventId: 'e2', title: 'HTTPRoute ledger, revision 8f00b204', leadMs: 20_000 },
  feltBy: [
    { service: 'pay/payments', failedRatio: 0.041 },
    { service: 'shop/checkout', failedRatio: 0.023 },
  ],
};

const route = (method: string, template: string, figures: Signals, consumers: string[]) => ({
  ...figures,
  ...{ method, template, consumers, statuses: { 200: 9_400, 500: 210 } },
  ...{ firstSeenMs: NOW_MS - 9 * DAY_MS, lastSeenMs: NOW_MS - 3_000 },
});
const neighbour = (service: string, figures: Signals, hops = 1, via: string[] = []) => ({
  ...figures,
  ...{ service, hops, via, protocol: 'http', tls: 'mutual' },
  ...{ firstSeenMs: NOW_MS - 9 * DAY_MS, lastSeenMs: NOW_MS - 3_000 },
});

function serviceDetail(coverage: Coverage): ServiceDetail {
  return {
    ...{ id: 'pay/ledger', asOfMs: NOW_MS, health: 'bad', problem, now: signals(138, 0.041, 1_180, 0.001) },
    facts: [
      {
        key: 'description',
        value: 'Double-entry book of all payments',
        source: 'declared',
        by: 'catalog-info.yaml',
        atMs: NOW_MS - DAY_MS,
      },
      { key: 'owner', value: 'payments-team', source: 'declared', by: 'catalog-info.yaml', atMs: NOW_MS - DAY_MS },
      { key: 'tier', value: '1', source: 'declared', by: 'catalog-info.yaml', atMs: NOW_MS - DAY_MS },
      { key: 'language', value: 'Go 1.24', source: 'observed', by: 'process of node-2', atMs: NOW_MS - HOUR_MS },
      {
        key: 'repository',
        value: 'https://git.example/pay/ledger',
        source: 'declared',
        by: 'catalog-info.yaml',
        atMs: null,
      },
    ],
    objective: {
      ...{ targetRatio: 0.999, windowMs: 30 * DAY_MS, budgetLeftRatio: 0.38, exhaustedInMs: 5.33 * HOUR_MS },
      ...{ latencyMs: null, knownMs: 14 * DAY_MS, source: null, isProposed: true },
    },
    series,
    statuses: { '2xx': series.requestsPerSec, '5xx': series.appFailedRatio },
    api: {
      definedBy: ['API pay/ledger'],
      problems: [],
      undeclared: [
        {
          ...{ method: 'POST', template: '/v1/entries', count: 9_610 },
          ...{ consumers: ['pay/payments'], lastSeenMs: NOW_MS - 1_000 },
        },
      ],
      unused: [{ method: 'DELETE', template: '/v1/entries/{id}' }],
    },
    versions: [
      { ...signals(124, 0.001, 58), name: 'v1', shareRatio: 0.9, endpoints: 4 },
      { ...signals(14, 0.42, 1_900), name: 'v2', shareRatio: 0.1, endpoints: 2 },
    ],
    routes: [
      route('POST', '/v1/entries', signals(96, 0.061, 1_420), ['pay/payments']),
      route('GET', '/v1/accounts/{id}', signals(22, 0, 18), ['pay/payments', 'pay/invoices']),
      route('GET', '/healthz', signals(0.6, 0, 2), []),
    ],
    callers: [
      neighbour('pay/payments', signals(138, 0.041, 1_200)),
      neighbour('shop/checkout', signals(146, 0.023, 940), 2, ['pay/payments']),
      neighbour('shop/storefront', signals(990, 0.003, 188), 3, []),
    ],
    calls: [{ ...neighbour('data/pg-ledger', signals(276, 0, 4)), protocol: 'tcp', tls: 'plaintext' }],
    endpoints: [1, 2, 3].map((i) => ({
      ...{ workload: `ledger-${i}`, node: `node-${i}`, zone: 'a', address: `10.2.0.1${i}`, port: 8080, weight: 1 },
      ...{ version: i < 3 ? 'v1' : 'v2', state: i === 1 ? 'draining' : 'ready', isEjected: i === 3 },
      identity: 'spiffe://shop.example/ns/pay/sa/ledger',
    })),
    answeredBy: ['node-1', 'node-2'].map((node) => ({ ...signals(69, 0.041, 1_180), node })),
    policies: [source, { ...source, kind: 'RateLimit', name: 'ledger-callers', line: null }],
    rules: [
      { id: 'owner', title: 'Has an owner', isMet: true, fix: '' },
      {
        id: 'docs',
        title: 'Has documentation',
        isMet: false,
        fix: 'Set metadata.annotations docs in catalog-info.yaml',
      },
    ],
    events: [...EVENTS],
    coverage,
  };
}

const YAML = `# One in ten to v2.
apiVersion: weft.dev/v1alpha1
kind: HTTPRoute
metadata: { name: ledger, namespace: pay }
spec:
  parentRefs: [{ group: "", kind: Service, name: ledger }]
  rules:
    - name: canary
      backendRefs:
        - { name: ledger, port: 8080, subset: v1, weight: 90 }
        - { name: ledger, port: 8080, subset: v2, weight: 10 }
`;

const explained = (coverage: Coverage): Explained => ({
  verdict: 'allowed',
  why: 'rule 1 of AccessPolicy pay/ledger: payments may POST to /v1/*',
  steps: [
    step('caller', ['payments on node-2', 'spiffe://shop.example/ns/pay/sa/payments, certificate good for 17 h'], null),
    step('route', ['Rule canary of 1: all requests'], source),
    step('limits', ['600 a second for this caller, 96 used'], {
      ...source,
      kind: 'RateLimit',
      name: 'ledger-callers',
      line: 7,
    }),
    step('split', ['v1 90 %, v2 10 %', 'A retry stays within the version that was drawn'], { ...source, line: 11 }),
    {
      ...step('timeout', ['2 s in all, 800 ms for each try'], {
        ...source,
        kind: 'TrafficPolicy',
        name: 'defaults',
        line: 12,
      }),
      lost: [
        {
          text: '5 s',
          from: { ...source, kind: 'TrafficPolicy', namespace: 'mesh', name: 'defaults' },
          why: 'less specific',
        },
      ],
    },
    step('retries', ['At most 1, on connect failure, reset or 503'], null),
    step('endpoint', ['Least loaded of 6, same zone first; 1 ejected'], null),
    step('circuit', ['Closed: 38 of 100 requests in flight'], null),
    step('access', ['Allowed by rule 1: payments may POST to /v1/*'], { ...source, kind: 'AccessPolicy', line: 8 }),
  ],
  agreement: [
    { node: 'node-1', isSame: true, why: '' },
    { node: 'node-2', isSame: true, why: '' },
    { node: 'node-5', isSame: false, why: 'has revision 7e0a1122' },
    { node: 'node-4', isSame: null, why: 'silent for 48 s' },
  ],
  command: 'weft explain POST /v1/entries --from pay/payments --to pay/ledger',
  lacking: null,
  coverage,
});

function step(
  name: Explained['steps'][number]['step'],
  lines: string[],
  from: Explained['steps'][number]['lines'][number]['from'],
) {
  return {
    step: name,
    lines: lines.map((text, i) => ({ text, from: i === 0 ? from : null })),
    lost: [],
    isEnd: name === 'access',
  };
}

const edge = (coverage: Coverage): EdgeDetail => ({
  ...{
    from: 'pay/payments',
    to: 'pay/ledger',
    health: 'bad',
    now: signals(138, 0.041, 1_180, 0.001),
    protocol: 'http',
    tls: 'mutual',
  },
  identities: ['spiffe://shop.example/ns/pay/sa/payments'],
  series,
  outcomes: [
    { class: 'app', status: 200, reason: '', count: 80_350, ratio: 0.93 },
    { class: 'app', status: 500, reason: '', count: 5_180, ratio: 0.06 },
    { class: 'app', status: 409, reason: '', count: 780, ratio: 0.009 },
    { class: 'mesh', status: 504, reason: 'timeout.request', count: 90, ratio: 0.001 },
  ],
  versions: [
    { ...signals(124, 0.001, 58), name: 'v1', shareRatio: 0.9 },
    { ...signals(14, 0.42, 1_900), name: 'v2', shareRatio: 0.1 },
  ],
  coverage,
});

const member = (i: number, more: Partial<MemberRow> = {}): MemberRow => ({
  ...{ name: `node-${i}`, state: 'alive', zone: i < 4 ? 'a' : 'b', version: '0.9.0', address: `10.2.0.${i}:15001` },
  ...{
    isSelf: i === 1,
    health: 'ok',
    cause: '',
    heardAgoMs: 300,
    rttMs: 0.8 * i,
    skewMs: 2,
    endpoints: 7,
    workloads: 7,
  },
  ...{ capturedRatio: 1, certificateExpiresMs: NOW_MS + 5 * DAY_MS, certificateLifeMs: 7 * DAY_MS, renewal: 'in 2 d' },
  ...{
    accusers: [],
    documents: { applied: 31, pending: 0, rejected: 0 },
    gossip: { bytes_sent: 48_211, suspicions: 0, repairs: 3 },
  },
  ...more,
});
const MEMBERS: readonly MemberRow[] = [
  member(1),
  member(2),
  member(3),
  member(4, {
    ...{
      state: 'suspect',
      health: 'unknown',
      cause: 'silent for 48 s',
      heardAgoMs: 48_000,
      accusers: ['node-1', 'node-2'],
    },
    ...{
      documents: { applied: 30, pending: 1, rejected: 0 },
      workloads: null,
      capturedRatio: null,
      rttMs: null,
      skewMs: null,
    },
  }),
  member(5),
  member(6, {
    health: 'warn',
    cause: 'certificate 1.4 of 7 d left',
    certificateExpiresMs: NOW_MS + 1.4 * DAY_MS,
    renewal: 'fails: issuer refuses',
  }),
];

const memberDetail = (coverage: Coverage): MemberDetail => ({
  ...{ member: MEMBERS[5]!, answered: true, events: [EVENTS.at(-1)!], coverage },
  sees: MEMBERS.map(({ name, state }) => ({ name, state })),
  workloads: [1, 2].map((i) => ({
    ...{
      id: `ledger-${i}`,
      service: 'pay/ledger',
      state: 'ready',
      detail: '',
      certificateExpiresMs: NOW_MS + 17 * HOUR_MS,
    },
    identity: 'spiffe://shop.example/ns/pay/sa/ledger',
  })),
  pending: [{ ...source, line: null, state: 'pending', why: 'not fetched yet' }],
});

const row = (kind: string, name: string, more: Partial<DocumentRow> = {}): DocumentRow => ({
  ...{ kind, namespace: 'pay', name, rev: '8f00b204e9800998ecf8427e', line: null, signer, signedMs: ONSET_MS - 20_000 },
  ...{ state: 'applied', nodesApplied: 6, nodesTotal: 6, advice: [], callers: ['pay/payments'] },
  ...more,
});
const DOCUMENTS: readonly DocumentRow[] = [
  row('HTTPRoute', 'ledger', { state: 'pending', nodesApplied: 5 }),
  row('RateLimit', 'ledger-callers', { advice: ['W-LIMIT: below the present rate of 2 callers'] }),
  row('AccessPolicy', 'open', { namespace: 'shop', state: 'rejected', nodesApplied: 0 }),
  row('MeshConfig', 'default', { namespace: '', callers: [] }),
];
const documentDetail = (coverage: Coverage): DocumentDetail => ({
  document: DOCUMENTS[0]!,
  yaml: YAML,
  revisions: [
    { rev: DOCUMENTS[0]!.rev, signer, signedMs: ONSET_MS - 20_000, yaml: YAML },
    {
      rev: '7e0a11220000000000000000',
      signer,
      signedMs: ONSET_MS - HOUR_MS,
      yaml: YAML.replace('90', '99').replace('10 }', '1 }'),
    },
  ],
  nodes: MEMBERS.map(({ name }, i) => ({
    node: name,
    state: i === 3 ? 'pending' : 'applied',
    why: i === 3 ? 'silent' : '',
  })),
  coverage,
});

const CHECK: DocumentCheck = {
  problems: [
    {
      ...{ code: 'W-LIMIT', severity: 'warning', field: 'spec.rules[0].backendRefs[1].weight', line: 11 },
      ...{ message: 'v2 has 2 endpoints for 10 % of requests', fix: 'Add endpoints, or lower the weight.' },
    },
  ],
  present: { rev: DOCUMENTS[0]!.rev, yaml: YAML },
  affected: [
    {
      ...{ service: 'pay/payments', to: 'pay/ledger', requests: 412_000, changed: 38, unknown: 1_200 },
      how: ['to pay/ledger-v2:80', 'it hangs on headers, parameters or paths that were not kept'],
    },
  ],
  affectedCoverage: null,
  nodes: MEMBERS.map(({ name }, i) => ({ node: name, isReady: i === 3 ? null : true })),
  toSign: null,
  isDeletion: false,
  key: null,
  next: null,
  base: DOCUMENTS[0]!.rev,
  command: 'weft apply -f -',
};

const span = (
  spanId: string,
  parentSpanId: string,
  service: string,
  startMs: number,
  tookMs: number,
  more: Partial<Span> = {},
): Span => ({
  ...{ traceId: TRACE_ID, spanId, parentSpanId, node: 'node-2', service, peer: 'shop/storefront', kind: 'server' },
  ...{ name: 'POST /v1/checkout', startMs: ONSET_MS + startMs, tookMs, status: 200, reason: '', isFailed: false },
  ...{ inferredConfidence: null, attributes: { 'http.request.method': 'POST' } },
  ...more,
});
export const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const trace = (coverage: Coverage): Trace => ({
  traceId: TRACE_ID,
  spans: [
    span('a', '', 'edge/gateway', 0, 1_940, { status: 500, isFailed: true }),
    span('b', 'a', 'shop/checkout', 20, 1_900, { status: 500, isFailed: true }),
    span('c', 'b', 'pay/payments', 40, 1_860, { status: 500, isFailed: true, name: 'POST /v1/payments' }),
    span('d', 'c', 'pay/ledger', 60, 1_800, {
      ...{ status: 504, isFailed: true, reason: 'timeout.request', name: 'POST /v1/entries', peer: 'pay/payments' },
      attributes: { 'weft.attempts': 2, 'weft.version': 'v2' },
    }),
    span('e', 'c', 'pay/fraud', 44, 12, { inferredConfidence: 0.82, name: 'GET /v1/score' }),
    span('f', 'gone', 'pay/invoices', 100, 30),
  ],
  coverage,
});
const traces = (coverage: Coverage): Traces => ({
  traces: [1, 2, 3].map((i) => ({
    ...{
      traceId: TRACE_ID.replace(/.$/, String(i)),
      root: 'POST /v1/checkout',
      service: 'edge/gateway',
      spans: 14,
      user: '',
    },
    ...{
      startMs: ONSET_MS + i * 1_000,
      tookMs: 1_940,
      services: ['edge/gateway', 'pay/ledger'],
      isFailed: i < 3,
      status: i < 3 ? 500 : 200,
    },
  })),
  coverage,
});

const logs = (coverage: Coverage): Logs => ({
  logs: [1, 2, 3].map((i) => ({
    ...{ atMs: NOW_MS - i * 1_000, node: 'node-2' },
    record: {
      ...{ severity_text: i === 1 ? 'ERROR' : 'INFO', body: 'POST /v1/entries', trace_id: TRACE_ID },
      attributes: {
        ...{ 'http.request.method': 'POST', 'url.path': '/v1/entries', 'weft.duration_ms': 12 },
        ...{ 'weft.source': 'pay/payments', 'weft.destination': 'pay/ledger' },
        ...(i === 1
          ? { 'http.response.status_code': 504, 'weft.reason': 'timeout.request' }
          : { 'http.response.status_code': 200 }),
      },
    },
  })),
  coverage,
});

const identities = (coverage: Coverage): Identities => ({
  identities: ['ledger', 'payments'].map((name) => ({
    ...{ id: `spiffe://shop.example/ns/pay/sa/${name}`, services: [`pay/${name}`], nodes: ['node-2', 'node-3'] },
    ...{ expiresMs: NOW_MS + 17 * HOUR_MS, lifeMs: 24 * HOUR_MS },
  })),
  edges: [
    {
      from: 'pay/payments',
      to: 'pay/ledger',
      tls: 'mutual',
      rule: 'pay/ledger rule-1',
      document: { kind: 'AccessPolicy', namespace: 'pay', name: 'ledger', rev: '5f2d0a11c3', line: null },
      ruleHits: 91_300,
      allowed: 8_640,
      denied: 0,
      lastMs: NOW_MS - 1_000,
      plaintextUntilMs: null,
    },
    {
      from: 'stores/pos-bridge',
      to: 'shop/stock',
      tls: 'plaintext',
      rule: 'default',
      document: null,
      ruleHits: null,
      allowed: 120,
      denied: 4,
      lastMs: NOW_MS - 9_000,
      plaintextUntilMs: NOW_MS + 9 * DAY_MS,
    },
  ],
  plaintext: [
    {
      ...{ address: '10.2.7.31', to: 'shop/stock', port: 8080 },
      ...{ count: 124, lastMs: NOW_MS - 9_000, untilMs: NOW_MS + 9 * DAY_MS },
    },
  ],
  coverage,
});

const topology = (coverage: Coverage): Topology => ({
  ...{ asOfMs: NOW_MS, rangeMs: 900_000, problems: [problem], strip: series, events: [...EVENTS], coverage },
  nodes: SERVICES.filter(({ tab }) => tab === 'seen').map((one) => ({
    ...signals(one.requestsPerSec ?? 0, one.appFailedRatio ?? 0, one.p99Ms ?? 0),
    ...{ id: one.id, namespace: one.namespace, name: one.name, kind: 'service', health: one.health, cause: one.cause },
    ...{
      versions: one.versions.map((name) => ({ name, shareRatio: null })),
      endpointsReady: 4,
      endpointsTotal: 4,
      badges: [],
      lastSeenMs: NOW_MS,
    },
  })),
  edges: [{ ...signals(138, 0.041, 1_180), from: 1, to: 0, protocol: 'http', tls: 'mutual', health: 'bad' }],
});

export const SESSION: Session = {
  ...{
    node: 'node-1',
    mesh: 'shop.example',
    trustDomain: 'shop.example',
    version: '0.9.0',
    nowMs: NOW_MS,
    operator: null,
  },
  ...{
    roles: [{ role: 'view', namespaces: ['*'] }],
    csrf: '',
    consoles: [{ node: 'node-2', url: 'https://10.2.0.2:15443' }],
  },
};

const index: NameIndex = {
  entries: [{ kind: 'service', name: 'pay/ledger', href: '/services/pay/ledger' }],
};

/** By the path of a GET, a pattern; the first that fits answers. */
export function answers(coverage: Coverage): readonly (readonly [RegExp, unknown])[] {
  return [
    [/^\/topology$/, topology(coverage)],
    [/^\/services$/, { services: SERVICES, coverage }],
    [/^\/services\/[^/]+\/[^/]+$/, serviceDetail(coverage)],
    [/^\/edges\//, edge(coverage)],
    [/^\/explain$/, explained(coverage)],
    [/^\/traces$/, traces(coverage)],
    [/^\/traces\//, trace(coverage)],
    [/^\/logs$/, logs(coverage)],
    [/^\/events$/, { events: EVENTS, next: null, coverage }],
    [/^\/documents$/, { documents: DOCUMENTS, coverage }],
    [/^\/documents\/check$/, CHECK],
    [/^\/documents\//, documentDetail(coverage)],
    [/^\/members$/, { members: MEMBERS, coverage }],
    [/^\/members\//, memberDetail(coverage)],
    [/^\/identities$/, identities(coverage)],
    [/^\/index$/, index],
  ];
}

/** The same paths where there is nothing yet. */
export function nothing(): readonly (readonly [RegExp, unknown])[] {
  const coverage: Coverage = { asked: 1, answered: 1, missing: [] };
  return [
    [/^\/topology$/, { ...topology(coverage), problems: [], nodes: [], edges: [], events: [] }],
    [/^\/services$/, { services: [], coverage }],
    [/^\/traces$/, { traces: [], coverage }],
    [/^\/traces\//, { traceId: TRACE_ID, spans: [], coverage }],
    [/^\/logs$/, { logs: [], coverage }],
    [/^\/events$/, { events: [], next: null, coverage }],
    [/^\/documents$/, { documents: [], coverage }],
    [/^\/members$/, { members: [member(1)], coverage }],
    [/^\/identities$/, { identities: [], edges: [], plaintext: [], coverage }],
    [/^\/index$/, { entries: [] }],
  ];
}
