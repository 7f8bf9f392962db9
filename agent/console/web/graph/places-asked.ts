/** What is asked of the worker that lays out, what it answers, and how both are packed. Pure. @module */
import type { Positions } from './geometry.ts';
import type { LayoutEdge, LayoutNode } from './layout.ts';

export interface PlacesAsked {
  readonly nodes: readonly LayoutNode[];
  readonly edges: readonly LayoutEdge[];
  readonly isCards: boolean;
  /** Namespaces open in place. */
  readonly open: readonly string[];
  /** What has a place already, which it keeps; nothing: all is laid out. */
  readonly outer: Positions;
  /** Of services in open namespaces, from the corner of their box. */
  readonly inner: Positions;
}
export type PlacesFound = Pick<PlacesAsked, 'outer' | 'inner'>;

/** To the worker. Thousands of small objects take longer to copy than a layout is worth. */
export interface PackedAsk extends Omit<PlacesAsked, 'nodes' | 'edges'> {
  readonly number: number;
  readonly ids: readonly string[];
  readonly namespaces: readonly string[];
  /** From, to, rate; NaN: unknown. */
  readonly calls: Float64Array<ArrayBuffer>;
}
/** Its answer. */
export interface PackedPlaces extends PlacesFound {
  readonly number: number;
}

export function packed({ nodes, edges, ...rest }: PlacesAsked, number: number): PackedAsk {
  const calls = new Float64Array(edges.length * 3);
  for (const [i, { from, to, rate }] of edges.entries()) calls.set([from, to, rate ?? Number.NaN], i * 3);
  return {
    ...rest,
    number,
    ids: nodes.map(({ id }) => id),
    namespaces: nodes.map(({ namespace }) => namespace),
    calls,
  };
}

export function unpacked({ ids, namespaces, calls, number: _, ...rest }: PackedAsk): PlacesAsked {
  const nodes = ids.map((id, i) => ({ id, namespace: namespaces[i]! }));
  const edges = Array.from({ length: calls.length / 3 }, (_, i): LayoutEdge => {
    const rate = calls[i * 3 + 2]!;
    return { from: calls[i * 3]!, to: calls[i * 3 + 1]!, rate: Number.isNaN(rate) ? null : rate };
  });
  return { ...rest, nodes, edges };
}
