/** What of the answer is in the graph: after filter and "only trouble", with what went away in this range as outlines. @module */
import { useMemo, useRef } from 'react';
import type { Topology, TopologyNode } from '../../../shapes/topology.ts';
import { type Filter, fits } from '../../filter/filter.ts';
import { narrowed, troubleOnly } from '../../graph/walk.ts';
import { nodeFields } from './words.ts';

export interface GraphPart extends Pick<Topology, 'nodes' | 'edges'> {
  readonly gone: ReadonlySet<string>;
}

interface Options {
  readonly filter: Filter;
  readonly isOnlyTrouble: boolean;
  /** Changes with view, namespaces and time: what was there before is then not gone but elsewhere. */
  readonly key: string;
}

/** The same object as long as nothing in it changed. */
export function useGraphPart(data: Topology | undefined, { filter, isOnlyTrouble, key }: Options): GraphPart {
  const seen = useRef({ key, nodes: new Map<string, { node: TopologyNode; atMs: number }>(), ghosts: NO_NODES });
  if (seen.current.key !== key) seen.current = { key, nodes: new Map(), ghosts: NO_NODES };
  if (data !== undefined) seen.current.ghosts = ghostsOf(data, seen.current.nodes, seen.current.ghosts);
  const { ghosts } = seen.current;
  const nodes = data?.nodes ?? NO_NODES;
  const edges = data?.edges ?? NO_EDGES;
  return useMemo(() => {
    const whole = ghosts.length === 0 ? { nodes, edges } : { nodes: [...nodes, ...ghosts], edges };
    const gone = new Set(ghosts.map(({ id }) => id));
    if (!isOnlyTrouble && filter.terms.length === 0) return { ...whole, gone };
    const trouble = isOnlyTrouble ? troubleOnly(whole) : undefined;
    const protocols = protocolsOf(whole);
    const part = narrowed(whole, (id, place) => {
      if (trouble !== undefined && !trouble.has(id)) return false;
      return filter.terms.length === 0 || fits(filter, nodeFields(whole.nodes[place]!, protocols[place] ?? []));
    });
    return { ...part, gone };
  }, [nodes, edges, ghosts, filter, isOnlyTrouble]);
}

const NO_NODES: TopologyNode[] = [];
const NO_EDGES: Topology['edges'] = [];

/** Seen within the range, and not in the last answer; the list of before where it is the same. */
function ghostsOf(
  data: Topology,
  seen: Map<string, { node: TopologyNode; atMs: number }>,
  before: TopologyNode[],
): TopologyNode[] {
  for (const node of data.nodes) seen.set(node.id, { node, atMs: data.asOfMs });
  const gone: TopologyNode[] = [];
  for (const [id, { node, atMs }] of seen) {
    if (atMs === data.asOfMs) continue;
    if (data.asOfMs - atMs > data.rangeMs) seen.delete(id);
    else gone.push(node);
  }
  if (gone.length === before.length && gone.every(({ id }, i) => id === before[i]!.id)) return before;
  return gone.map((node) => ({ ...node, ...NOTHING, health: 'unknown', cause: 'gone', badges: [], versions: [] }));
}

const NOTHING = {
  requestsPerSec: null,
  appFailedRatio: null,
  meshFailedRatio: null,
  deniedRatio: null,
  p50Ms: null,
  p99Ms: null,
  bytesPerSec: null,
};

function protocolsOf({ edges }: Pick<Topology, 'edges'>): string[][] {
  const found: string[][] = [];
  for (const { from, to, protocol } of edges) {
    for (const place of [from, to]) {
      found[place] ??= [];
      if (!found[place].includes(protocol)) found[place].push(protocol);
    }
  }
  return found;
}
