/** Meshes of any size for views: register and figures from a seed. @module */

import { Register } from '../../../agent/console/views/register.ts';
import type { TopologyParts } from '../../../agent/console/views/topology.ts';
import type { Figures, FiguresRow } from '../../../agent/history/figures.ts';
import type { Endpoint } from '../../../gossip/records/endpoint.ts';

export const NOW_MS = 1_790_000_000_000;

export interface Size {
  readonly services: number;
  readonly edges: number;
  readonly nodes?: number;
  /** Share of services that fail. */
  readonly failing?: number;
  /** Of the nodes, so many do not answer. */
  readonly missing?: number;
}

/** Mulberry32: small, and the same everywhere. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function generated(size: Size, random: () => number): TopologyParts {
  const { services, edges, nodes = 10, failing = 0.05, missing = 0 } = size;
  const pick = (count: number): number => Math.floor(random() * count);
  const ids = Array.from({ length: services }, (_, i) => `ns${i % 20}/service-${i}`);
  const bad = new Set(ids.filter(() => random() < failing));
  const endpoints = ids.flatMap((id, i) => ['v1', 'v2'].map((version, j) => endpointOf(id, version, (i + j) % nodes)));
  const arcs = new Map<string, readonly [string, string]>();
  while (arcs.size < Math.min(edges, services * (services - 1))) {
    const [from, to] = [ids[pick(services)]!, ids[pick(services)]!];
    if (from !== to) arcs.set(`${from} ${to}`, [from, to]);
  }
  const rows = [...arcs.values()].map(([from, to]) => {
    const labels = { source: identityOf(from), sourceService: from, destination: to, protocol: 'http' };
    return row(labels, pick(1_000), bad.has(to) ? 0.1 : 0);
  });
  const byDestination = Map.groupBy(rows, ({ labels }) => labels.destination!);
  const totals = [...byDestination].map(([destination, own]) =>
    row(
      { destination },
      own.reduce((all, one) => all + one.requests[0]!, 0),
      bad.has(destination) ? 0.1 : 0,
    ),
  );
  const versions = totals.flatMap((one) =>
    ['v1', 'v2'].map((version) => ({ ...one, labels: { ...one.labels, version } })),
  );
  const members = Array.from({ length: nodes }, (_, i) => ({
    name: `node-${i}`,
    state: i < missing ? ('dead' as const) : ('alive' as const),
    address: `10.0.0.${i + 1}:7946`,
    epoch: 1,
    incarnation: 0,
    endpoints: 0,
    sinceMs: NOW_MS,
    isSelf: i === nodes - 1,
  }));
  return {
    register: new Register({
      nowMs: NOW_MS,
      services: ids.map((id) => ({ id, namespace: id.split('/')[0]!, service: id.split('/')[1]!, ports: [] })),
      endpoints,
      members,
      ejected: new Set(),
      workloads: [],
    }),
    figures: {
      edges: figures(rows),
      services: figures(totals),
      versions: figures(versions),
      inbound: figures([]),
      strip: figures([]),
      usual: figures([]),
    },
    coverage: {
      asked: nodes,
      answered: nodes - missing,
      missing: members
        .slice(0, missing)
        .map(({ name }) => ({ node: name, reason: 'silent' as const, lastHeardMs: NOW_MS, endpoints: 1 })),
    },
    events: [],
  };
}

export function figures(rows: readonly FiguresRow[], steps = 1): Figures {
  return { startMs: NOW_MS - 900_000, stepMs: 900_000 / steps, coveredMs: Array(steps).fill(900_000 / steps), rows };
}

export function row(labels: FiguresRow['labels'], requests: number, failedRatio = 0): FiguresRow {
  const failed = Math.round(requests * failedRatio);
  return {
    labels,
    requests: [requests],
    clientErrors: [0],
    appFailed: [failed],
    meshFailed: [0],
    denied: [0],
    p50Ms: [requests === 0 ? null : 5],
    p95Ms: [requests === 0 ? null : 20],
    p99Ms: [requests === 0 ? null : 50],
    bytesReceived: [requests * 100],
    bytesSent: [requests * 1_000],
    connectionsOpened: [1],
    inFlight: [0],
    reasons: {},
    statuses: { '200': requests - failed, ...(failed > 0 ? { '500': failed } : {}) },
  };
}

function endpointOf(id: string, version: string, node: number): Endpoint {
  const [namespace = '', service = ''] = id.split('/');
  const name = `${service}-${version}`;
  return endpoint({ node: `node-${node}`, namespace, service, workload: name, identity: identityOf(id), version });
}

/** A ready one of HTTP. */
export function endpoint(
  of: Pick<Endpoint, 'node' | 'namespace' | 'service' | 'workload' | 'identity' | 'version'>,
): Endpoint {
  return {
    id: `${of.node}/${of.workload}/http`,
    ...of,
    address: '10.1.0.1',
    port: 8080,
    servicePort: 80,
    portName: 'http',
    protocol: 'http',
    tunnelPort: 15008,
    labels: {},
    zone: '',
    weight: 1,
    state: 'ready',
  };
}

function identityOf(id: string): string {
  const [namespace, service] = id.split('/');
  return `spiffe://test.example/ns/${namespace}/sa/${service}`;
}
