/**
 * Places for what has none yet; what has one keeps it to the pixel. A new service takes the free slot nearest to where its
 * neighbours would have it, in the box of its namespace, and no box comes to lie over another. Pure.
 * @module
 */
import { type Box, boxesOf, boxOf, type Geometry, overlaps, type Point, type Positions } from './geometry.ts';
import { type LayoutEdge, type LayoutNode, layout } from './layout.ts';

/** Rings of slots that are tried around the wished one; past them a service goes below everything. */
const MAX_RINGS = 24;

export function place(
  kept: Positions,
  nodes: readonly LayoutNode[],
  edges: readonly LayoutEdge[],
  geometry: Geometry,
): Positions {
  const fresh = nodes.flatMap(({ id }, i) => (kept.has(id) ? [] : [i]));
  if (fresh.length === 0) return kept;
  if (fresh.length === nodes.length && kept.size === 0) return layout(nodes, edges, geometry);
  const at = new Map(kept);
  const boxes = boxesOf(nodes, at, geometry);
  const near = neighbours(fresh, nodes, edges);
  for (const i of fresh.sort((a, b) => (nodes[a]!.id < nodes[b]!.id ? -1 : 1))) {
    const { id, namespace } = nodes[i]!;
    const others = nodes
      .filter((node) => node.namespace === namespace && at.has(node.id))
      .map((node) => at.get(node.id)!);
    const wish = wished(near.get(i) ?? [], at, geometry) ?? below(others, boxes, geometry);
    const point = freeSlot(wish, { namespace, others, taken: [...at.values()], boxes, geometry });
    at.set(id, point);
    boxes.set(namespace, boxOf([...others, point], geometry));
  }
  return at;
}

interface Near {
  readonly id: string;
  /** Slots that the new one should be to the right of it. */
  readonly shift: 1 | -1;
}

function neighbours(
  fresh: readonly number[],
  nodes: readonly LayoutNode[],
  edges: readonly LayoutEdge[],
): Map<number, Near[]> {
  const wanted = new Set(fresh);
  const near = new Map<number, Near[]>();
  const note = (i: number, one: Near) => near.set(i, [...(near.get(i) ?? []), one]);
  for (const { from, to } of edges) {
    if (wanted.has(to)) note(to, { id: nodes[from]!.id, shift: 1 });
    if (wanted.has(from)) note(from, { id: nodes[to]!.id, shift: -1 });
  }
  return near;
}

function wished(near: readonly Near[], at: Positions, geometry: Geometry): Point | undefined {
  const known = near.flatMap(({ id, shift }) => {
    const point = at.get(id);
    return point === undefined ? [] : [{ x: point.x + shift * geometry.slotX, y: point.y }];
  });
  if (known.length === 0) return undefined;
  const mean = (values: readonly number[]) => Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
  return { x: mean(known.map(({ x }) => x)), y: mean(known.map(({ y }) => y)) };
}

/** Under the others of its namespace, else under everything. */
function below(others: readonly Point[], boxes: ReadonlyMap<string, Box>, geometry: Geometry): Point {
  if (others.length > 0) {
    return { x: Math.min(...others.map(({ x }) => x)), y: Math.max(...others.map(({ y }) => y)) + geometry.slotY };
  }
  const all = [...boxes.values()];
  const left = all.length === 0 ? 0 : Math.min(...all.map((box) => box.left));
  return {
    x: left + geometry.pad + geometry.width / 2,
    y: bottomOf(boxes) + geometry.gapY + geometry.padTop + geometry.height / 2,
  };
}

interface Room {
  readonly namespace: string;
  readonly others: readonly Point[];
  /** Of all namespaces, and of what is gone but may come back. */
  readonly taken: readonly Point[];
  readonly boxes: ReadonlyMap<string, Box>;
  readonly geometry: Geometry;
}

function freeSlot(wish: Point, { namespace, others, taken, boxes, geometry }: Room): Point {
  const { slotX, slotY } = geometry;
  const spaceX = (geometry.width + slotX) / 2;
  const spaceY = (geometry.height + slotY) / 2;
  const anchor = others[0] ?? wish;
  const column = Math.round((wish.x - anchor.x) / slotX);
  const row = Math.round((wish.y - anchor.y) / slotY);
  const foreign = [...boxes].filter(([name]) => name !== namespace).map(([, box]) => box);
  for (const [dx, dy] of rings(MAX_RINGS)) {
    const point = { x: anchor.x + (column + dx) * slotX, y: anchor.y + (row + dy) * slotY };
    const isTaken = taken.some(({ x, y }) => Math.abs(x - point.x) < spaceX && Math.abs(y - point.y) < spaceY);
    if (isTaken) continue;
    const box = boxOf([...others, point], geometry);
    if (!foreign.some((other) => overlaps(box, other, 8))) return point;
  }
  // Its namespace is walled in: on its own below everything, though its box then lies over others.
  const most = Math.max(bottomOf(boxes), ...taken.map(({ y }) => y));
  return { x: anchor.x, y: anchor.y + (Math.ceil((most - anchor.y) / slotY) + 1) * slotY };
}

/** Steps from the wished slot, nearest first; a column counts as two rows, so that boxes grow down rather than wide. */
let known: (readonly [number, number])[] | undefined;
function rings(most: number): readonly (readonly [number, number])[] {
  if (known !== undefined) return known;
  const all: [number, number][] = [];
  for (let dx = -most; dx <= most; dx += 1) for (let dy = -most; dy <= most; dy += 1) all.push([dx, dy]);
  const far = ([dx, dy]: readonly [number, number]) => Math.abs(dx) * 2 + Math.abs(dy);
  known = all.sort((a, b) => far(a) - far(b) || b[1] - a[1] || b[0] - a[0]);
  return known;
}

function bottomOf(boxes: ReadonlyMap<string, Box>): number {
  return boxes.size === 0 ? 0 : Math.max(...[...boxes.values()].map(({ bottom }) => bottom));
}
