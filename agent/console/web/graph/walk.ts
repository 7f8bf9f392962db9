/** Steps through the graph: along calls, and everybody who stands behind a call. Pure. @module */
import type { Topology } from '../../shapes/topology.ts';
import type { Positions } from './geometry.ts';
import { isTrouble } from './lod.ts';

type Part = Pick<Topology, 'nodes' | 'edges'>;

/** Left a caller, right a callee, the busiest first; up and down what is nearest in the same column. */
export function neighbourTo(id: string, key: string, { nodes, edges }: Part, positions: Positions): string | undefined {
  const at = positions.get(id);
  const place = nodes.findIndex((node) => node.id === id);
  if (at === undefined || place === -1) return undefined;
  if (key === 'ArrowLeft' || key === 'ArrowRight') {
    const found = edges
      .filter(({ from, to }) => (key === 'ArrowLeft' ? to : from) === place)
      .sort((a, b) => (b.requestsPerSec ?? 0) - (a.requestsPerSec ?? 0))[0];
    return found && nodes[key === 'ArrowLeft' ? found.from : found.to]?.id;
  }
  const sign = key === 'ArrowUp' ? -1 : 1;
  const near = nodes
    .flatMap((node) => {
      const point = positions.get(node.id);
      const down = point === undefined ? 0 : (point.y - at.y) * sign;
      return point === undefined || down <= 0 ? [] : [{ id: node.id, cost: down + Math.abs(point.x - at.x) * 3 }];
    })
    .sort((a, b) => a.cost - b.cost)[0];
  return near?.id;
}

/** The service and its callers, and theirs, as far as calls are in trouble; its own callers in any case. */
export function affectedBy(id: string, { nodes, edges }: Part): ReadonlySet<string> {
  const found = new Set([id]);
  const calls = Map.groupBy(edges, ({ to }) => to);
  const queue = [nodes.findIndex((node) => node.id === id)];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const { from, health } of calls.get(next) ?? []) {
      const caller = nodes[from]?.id;
      if (caller === undefined || found.has(caller)) continue;
      if (!isTrouble(health) && nodes[next]?.id !== id) continue;
      found.add(caller);
      queue.push(from);
    }
  }
  return found;
}

/** What is in trouble, and who calls it or is called by it in trouble. */
export function troubleOnly({ nodes, edges }: Part): ReadonlySet<string> {
  const found = new Set(nodes.filter(({ health }) => isTrouble(health) || health === 'unknown').map(({ id }) => id));
  for (const { from, to, health } of edges) {
    if (isTrouble(health)) for (const place of [from, to]) if (nodes[place]) found.add(nodes[place].id);
  }
  return found;
}

/** The same with only those nodes; edges number them anew. */
export function narrowed<
  Node extends { readonly id: string },
  Edge extends { readonly from: number; readonly to: number },
>(
  { nodes, edges }: { readonly nodes: Node[]; readonly edges: Edge[] },
  isIn: (id: string, place: number) => boolean,
): { readonly nodes: Node[]; readonly edges: Edge[] } {
  const places = new Map<number, number>();
  const left = nodes.filter((node, i) => {
    if (!isIn(node.id, i)) return false;
    places.set(i, places.size);
    return true;
  });
  const between = edges.flatMap((edge) => {
    const [from, to] = [places.get(edge.from), places.get(edge.to)];
    return from === undefined || to === undefined ? [] : [{ ...edge, from, to }];
  });
  return left.length === nodes.length ? { nodes, edges } : { nodes: left, edges: between };
}
