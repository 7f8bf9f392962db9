/** Where services are in a namespace that is open in place. Pure. @module */
import { boxOf, CARDS, type Positions } from './geometry.ts';
import type { LayoutEdge, LayoutNode } from './layout.ts';
import { place } from './place.ts';
import { narrowed } from './walk.ts';

interface Part {
  readonly nodes: LayoutNode[];
  readonly edges: LayoutEdge[];
}

/** Places of the services of open namespaces, each from the corner of its own box; what has one keeps it, newcomers go below. */
export function inside(kept: Positions, part: Part, open: ReadonlySet<string>): Positions {
  let all = kept;
  for (const name of open) {
    const { nodes, edges } = narrowed(part, (_, i) => part.nodes[i]!.namespace === name);
    if (nodes.every(({ id }) => all.has(id))) continue;
    const own = new Map(nodes.flatMap(({ id }) => (all.has(id) ? [[id, all.get(id)!] as const] : [])));
    const placed = place(own, nodes, own.size > 0 ? [] : edges, CARDS);
    const corner = own.size > 0 ? { left: 0, top: 0 } : boxOf(placed.values(), CARDS);
    all = new Map([
      ...all,
      ...[...placed].map(([id, { x, y }]) => [id, { x: x - corner.left, y: y - corner.top }] as const),
    ]);
  }
  return all;
}
