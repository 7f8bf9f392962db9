/** How much of the graph is drawn, by how much there is; pure. @module */
import type { Health } from '../../shapes/common.ts';
import type { Topology, TopologyEdge, TopologyNode } from '../../shapes/topology.ts';

/** `cards`: a card a service; `dots`: a card a namespace, bundled edges; `all`: a dot a service and every edge. */
export type Detail = 'cards' | 'dots' | 'all';
const MAX_CARDS = 300;
const MAX_CARD_EDGES = 1_200;
/** Bundles drawn: all that are in trouble, then by rate until this share of traffic is told, at most so many. */
const BUNDLED_RATIO = 0.9;
const MAX_BUNDLES = 400;
const WORSE: Readonly<Record<Health, number>> = { ok: 0, quiet: 1, unknown: 2, warn: 3, bad: 4 };

export function detailFor(nodes: number, edges: number, wantsAll: boolean): Detail {
  if (nodes <= MAX_CARDS && edges <= MAX_CARD_EDGES) return 'cards';
  return wantsAll ? 'all' : 'dots';
}

export function worst(a: Health, b: Health): Health {
  return WORSE[b] > WORSE[a] ? b : a;
}
export function isTrouble(health: Health): boolean {
  return health === 'bad' || health === 'warn';
}

/** 1-6 px by rate; trouble is wider too, so that grey prints tell. */
export function edgeWidth(rate: number | null, health: Health): number {
  const base = 1 + 1.05 * (Math.log10(Math.max(rate ?? 0, 1e-3)) - 0.6);
  const more = health === 'bad' ? 1.25 : health === 'warn' ? 0.5 : 0;
  return Math.round((Math.min(6, Math.max(1, base)) + more) * 4) / 4;
}

/** Namespaces open in place at once, and their services together. */
const MAX_OPEN = 3;

/** Of those that are wanted open, in the order they were opened, the last that fit: a card a service has its price. */
export function openOf(wanted: readonly string[], nodes: readonly TopologyNode[]): ReadonlySet<string> {
  const sizes = new Map<string, number>();
  for (const { namespace } of nodes) sizes.set(namespace, (sizes.get(namespace) ?? 0) + 1);
  const open: string[] = [];
  let cards = 0;
  for (const name of new Set(wanted.toReversed())) {
    const size = sizes.get(name);
    if (size === undefined || cards + size > MAX_CARDS || open.length === MAX_OPEN) continue;
    open.unshift(name);
    cards += size;
  }
  return new Set(open);
}

export interface Bundle {
  /** A namespace, or a service of one that is open. */
  readonly from: string;
  readonly to: string;
  readonly rate: number;
  readonly health: Health;
  readonly isPlaintext: boolean;
  readonly edges: number;
  /** Of a service that one sees: shown whatever its share. */
  readonly isOpen: boolean;
}

export function bundles({ nodes, edges }: Pick<Topology, 'nodes' | 'edges'>, open: ReadonlySet<string>): Bundle[] {
  const all = new Map<string, Bundle>();
  let total = 0;
  for (const edge of edges) {
    const [a, b] = [nodes[edge.from], nodes[edge.to]];
    if (a === undefined || b === undefined) continue;
    const isOpen = open.has(a.namespace) || open.has(b.namespace);
    const from = open.has(a.namespace) ? a.id : a.namespace;
    const to = open.has(b.namespace) ? b.id : b.namespace;
    if (from === to) continue;
    const before = all.get(`${from}>${to}`);
    const rate = edge.requestsPerSec ?? 0;
    total += rate;
    all.set(`${from}>${to}`, {
      from,
      to,
      rate: (before?.rate ?? 0) + rate,
      health: worst(before?.health ?? 'ok', isTrouble(edge.health) ? edge.health : 'ok'),
      isPlaintext: (before?.isPlaintext ?? false) || edge.tls === 'plaintext',
      edges: (before?.edges ?? 0) + 1,
      isOpen,
    });
  }
  let told = 0;
  return [...all.values()]
    .sort((a, b) => WORSE[b.health] - WORSE[a.health] || Number(b.isOpen) - Number(a.isOpen) || b.rate - a.rate)
    .filter((bundle) => {
      const isShown = isTrouble(bundle.health) || bundle.isPlaintext || bundle.isOpen || told < total * BUNDLED_RATIO;
      told += bundle.rate;
      return isShown;
    })
    .slice(0, MAX_BUNDLES);
}

export interface NamespaceSum {
  readonly name: string;
  readonly nodes: readonly TopologyNode[];
  readonly health: Health;
  readonly rate: number | null;
  readonly failedRatio: number | null;
}

/** Failures weighted by requests; null where nobody knows. */
export function namespaceSums(nodes: readonly TopologyNode[]): NamespaceSum[] {
  return [...Map.groupBy(nodes, ({ namespace }) => namespace)].map(([name, members]) => {
    const known = members.filter(({ requestsPerSec }) => requestsPerSec !== null);
    const rate = known.reduce((sum, node) => sum + node.requestsPerSec!, 0);
    const failed = known.reduce((sum, node) => sum + node.requestsPerSec! * (failedOf(node) ?? 0), 0);
    const health = members.reduce<Health>((all, node) => worst(all, isTrouble(node.health) ? node.health : 'ok'), 'ok');
    return {
      name,
      nodes: members,
      health,
      rate: known.length === 0 ? null : rate,
      failedRatio: rate === 0 ? null : failed / rate,
    };
  });
}

/** The two parts together; null where neither is known. */
export function failedOf(one: Pick<TopologyEdge, 'appFailedRatio' | 'meshFailedRatio'>): number | null {
  return one.appFailedRatio === null && one.meshFailedRatio === null
    ? null
    : (one.appFailedRatio ?? 0) + (one.meshFailedRatio ?? 0);
}
