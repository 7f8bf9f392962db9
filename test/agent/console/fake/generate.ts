/** A generated topology of any size, for tests and measurements of the graph; the same for the same seed. */
import type { Topology, TopologyEdge, TopologyNode } from '../../../../agent/console/shapes/topology.ts';

export interface Size {
  readonly services: number;
  readonly edges: number;
  readonly namespaces: number;
  readonly seed: number;
}

/** mulberry32 */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const NAMES =
  'edge web shop catalog cart search pay ledger fraud orders stock ship mail push sms audit billing media'.split(' ');

/** Layered: services call mostly what is behind them, so that the graph has a direction, as real ones have. */
export function generated({ services, edges: wanted, namespaces, seed }: Size): {
  nodes: TopologyNode[];
  edges: TopologyEdge[];
} {
  const random = seeded(seed);
  const nodes = Array.from({ length: services }, (_, i): TopologyNode => {
    const place = Math.min(namespaces - 1, Math.floor((i / services) * namespaces));
    const namespace = `${NAMES[place % NAMES.length]}${place < NAMES.length ? '' : Math.floor(place / NAMES.length)}`;
    const name = `service-${i}`;
    const health = random() < 0.004 ? 'bad' : random() < 0.008 ? 'warn' : random() < 0.05 ? 'quiet' : 'ok';
    return {
      ...figures(random, health),
      id: `${namespace}/${name}`,
      namespace,
      name,
      kind: 'service',
      health,
      cause: health === 'bad' ? 'failed 4.2 % of 2,070 requests' : '',
      versions: [{ name: 'v1', shareRatio: 1 }],
      endpointsReady: 3,
      endpointsTotal: 3,
      badges: [],
      lastSeenMs: 1_790_000_000_000,
    };
  });
  const seen = new Set<string>();
  const edges: TopologyEdge[] = [];
  for (let tries = 0; edges.length < wanted && tries < wanted * 20; tries += 1) {
    const from = Math.floor(random() * services);
    const isNear = random() < 0.6;
    const span = isNear ? Math.ceil((services / namespaces) * 1.5) : services;
    const to = from + 1 + Math.floor(random() * span);
    if (to >= services || seen.has(`${from} ${to}`)) continue;
    seen.add(`${from} ${to}`);
    const health = nodes[to]!.health === 'bad' ? 'bad' : nodes[to]!.health === 'warn' ? 'warn' : 'ok';
    edges.push({
      ...figures(random, health),
      from,
      to,
      protocol: random() < 0.3 ? 'grpc' : 'http',
      tls: random() < 0.002 ? 'plaintext' : 'mutual',
      health,
    });
  }
  return { nodes, edges };
}

function figures(random: () => number, health: string) {
  const failed =
    health === 'bad' ? 0.03 + random() * 0.05 : health === 'warn' ? 0.01 + random() * 0.015 : random() * 0.002;
  const p50 = 2 + random() * 40;
  return {
    requestsPerSec: health === 'quiet' ? 0 : Math.round(10 ** (random() * 3) * 10) / 10,
    appFailedRatio: failed,
    meshFailedRatio: random() < 0.1 ? 0.0005 : 0,
    deniedRatio: 0,
    p50Ms: p50,
    p99Ms: p50 * (4 + random() * 20),
    bytesPerSec: Math.round(random() * 1e6),
  };
}

/** The whole answer; each `tick` changes the figures of every service and edge, and moves none. `mesh` is `generated(size)`. */
export function topologyAt(size: Size, tick: number, nowMs: number, mesh = generated(size)): Topology {
  const { nodes, edges } = mesh;
  const random = seeded(size.seed * 7_919 + tick);
  const wobble = <T extends { requestsPerSec: number | null; p99Ms: number | null }>(one: T): T => ({
    ...one,
    requestsPerSec: (one.requestsPerSec ?? 0) * (0.9 + random() * 0.2),
    p99Ms: (one.p99Ms ?? 0) * (0.9 + random() * 0.2),
  });
  const bad = nodes.filter(({ health }) => health === 'bad' || health === 'warn');
  const column = (value: (i: number) => number) => Array.from({ length: 288 }, (_, i) => value(i));
  return {
    asOfMs: nowMs,
    rangeMs: 900_000,
    coverage: { asked: 12, answered: 12, missing: [] },
    problems: bad.slice(0, 6).map((node, i) => ({
      id: `p${i}`,
      service: node.id,
      health: node.health,
      cause: node.cause,
      failedRatio: node.appFailedRatio,
      p99Ms: node.p99Ms,
      sinceMs: nowMs - 660_000,
      where: { version: 'v2', route: 'POST /v1/entries' },
      after: { eventId: 'e1', title: 'Rollout posting rev 14', leadMs: 20_000 },
      feltBy: edges
        .filter(({ to }) => nodes[to] === node)
        .slice(0, 3)
        .map(({ from }) => ({ service: nodes[from]!.id, failedRatio: 0.02 })),
    })),
    nodes: nodes.map(wobble),
    edges: edges.map(wobble),
    strip: {
      startMs: nowMs - 86_400_000,
      stepMs: 300_000,
      requestsPerSec: column(() => 5_000),
      appFailedRatio: column((i) => (i > 284 ? 0.04 : 0.001 + random() * 0.001)),
      meshFailedRatio: column(() => 0.0001),
      p50Ms: column(() => 10),
      p95Ms: column(() => 60),
      p99Ms: column(() => 120),
      inFlight: column(() => 40),
      bytesPerSec: column(() => 1e6),
    },
    events: [
      {
        id: 'e1',
        atMs: nowMs - 680_000,
        kind: 'document',
        title: 'Rollout posting rev 14',
        detail: '',
        touches: [],
        document: null,
        node: null,
        count: 1,
      },
    ],
  };
}
