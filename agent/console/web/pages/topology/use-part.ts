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

export function useGraphPart(data: Topology | undefined, { filter, isOnlyTrouble, key }: Options): GraphPart {
  const seen = useRef({ key, nodes: new Map<string, { node: TopologyNode; atMs: number }>() });
  return useMemo(() => {
    if (data === undefined) return { nodes: [], edges: [], gone: new Set<string>() };
    if (seen.current.key !== key) seen.current = { key, nodes: new Map() };
    const ghosts = ghostsOf(data, seen.current.nodes);
    const whole = ghosts.length === 0 ? data : { nodes: [...data.nodes, ...ghosts], edges: data.edges };
    const trouble = isOnlyTrouble ? troubleOnly(whole) : undefined;
    const protocols = protocolsOf(whole);
    const part = narrowed(whole, (id, place) => {
      if (trouble !== undefined && !trouble.has(id)) return false;
      return filter.terms.length === 0 || fits(filter, nodeFields(whole.nodes[place]!, protocols[place] ?? []));
    });
    return { ...part, gone: new Set(ghosts.map(({ id }) => id)) };
  }, [data, filter, isOnlyTrouble, key]);
}

/** Seen within the range, and not in the last answer. */
function ghostsOf(data: Topology, seen: Map<string, { node: TopologyNode; atMs: number }>): TopologyNode[] {
  for (const node of data.nodes) seen.set(node.id, { node, atMs: data.asOfMs });
  const ghosts: TopologyNode[] = [];
  for (const [id, { node, atMs }] of seen) {
    if (atMs === data.asOfMs) continue;
    if (data.asOfMs - atMs > data.rangeMs) seen.delete(id);
    else ghosts.push({ ...node, ...NOTHING, health: 'unknown', cause: 'gone', badges: [], versions: [] });
  }
  return ghosts;
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
