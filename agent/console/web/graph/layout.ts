/**
 * Where each service goes, worked out once: namespaces in columns by who calls whom, services in columns inside; callers left,
 * callees right. Pure, and the same for the same input whatever its order. `place.ts` adds what comes later.
 * @module
 */
import type { Geometry, Point, Positions } from './geometry.ts';
import { hubsOf } from './hubs.ts';
import { type Arc, ranks, sweep } from './ranks.ts';

export interface LayoutNode {
  readonly id: string;
  readonly namespace: string;
}
/** Places in the list of nodes. */
export interface LayoutEdge {
  readonly from: number;
  readonly to: number;
  /** Requests a second; unknown counts as little. */
  readonly rate: number | null;
}

const SWEEPS = 6;
/** What a graph is fitted to, about: only the shape counts. */
const SCREEN = { width: 900, height: 640 } as const;

export function layout(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[], geometry: Geometry): Positions {
  const hubs = hubsOf(nodes.length, edges);
  const order = nodes.map((_, i) => i).sort((a, b) => (nodes[a]!.id < nodes[b]!.id ? -1 : 1));
  const arcs = edges
    .filter(({ from, to }) => from !== to && !hubs.has(to))
    .map(({ from, to, rate }): Arc => ({ from, to, weight: 1 + Math.log10(1 + Math.max(0, rate ?? 0)) }))
    .sort((a, b) => order[a.from]! - order[b.from]! || order[a.to]! - order[b.to]!);
  const groups = [...Map.groupBy(order, (i) => nodes[i]!.namespace)].sort(([a], [b]) => (a < b ? -1 : 1));
  const inside = groups.map(([, members]) => columnsInside(members, arcs, geometry));
  const sizes = inside.map((columns) => sizeOf(columns, geometry));
  const groupOf = new Map(groups.flatMap(([, members], group) => members.map((i) => [i, group] as const)));
  const boxes = stack(groupColumns(sizes, groupArcs(arcs, groupOf), geometry), sizes, geometry);
  const at = new Map<number, Point>();
  for (const [group, columns] of inside.entries()) fill(columns, boxes[group]!, geometry, at);
  if (geometry.perRow === null) settle(inside, arcs, at);
  return new Map([...at].map(([i, point]) => [nodes[i]!.id, point]));
}

/** Of one namespace: columns of places in `nodes`; long ones are folded. */
function columnsInside(members: readonly number[], arcs: readonly Arc[], geometry: Geometry): number[][] {
  if (geometry.perRow !== null) {
    const columns: number[][] = Array.from({ length: Math.min(geometry.perRow, members.length) }, () => []);
    for (const [i, member] of members.entries()) columns[i % geometry.perRow]!.push(member);
    return columns;
  }
  const local = new Map(members.map((member, i) => [member, i]));
  const own = arcs.flatMap(({ from, to, weight }): Arc[] => {
    const [a, b] = [local.get(from), local.get(to)];
    return a === undefined || b === undefined ? [] : [{ from: a, to: b, weight }];
  });
  const rank = ranks(members.length, own);
  const byRank = Map.groupBy(members.keys(), (i) => rank[i]!);
  const columns = [...byRank].sort(([a], [b]) => a - b).map(([, column]) => column);
  return sweep(columns, own, SWEEPS).flatMap((column) => {
    const folds = Math.ceil(column.length / geometry.rows);
    const each = Math.ceil(column.length / folds);
    return Array.from({ length: folds }, (_, i) =>
      column.slice(i * each, (i + 1) * each).map((place) => members[place]!),
    );
  });
}

function groupArcs(arcs: readonly Arc[], groupOf: ReadonlyMap<number, number>): Arc[] {
  const sums = new Map<string, Arc>();
  for (const { from, to, weight } of arcs) {
    const [a, b] = [groupOf.get(from)!, groupOf.get(to)!];
    if (a === b) continue;
    const key = `${a} ${b}`;
    sums.set(key, { from: a, to: b, weight: (sums.get(key)?.weight ?? 0) + weight });
  }
  return [...sums.values()];
}

/** As many columns of namespaces as make the whole largest on a screen: many that call each other in a chain share one. */
function groupColumns(sizes: readonly Size[], arcs: readonly Arc[], geometry: Geometry): number[][] {
  const rank = ranks(sizes.length, arcs);
  const used = Math.max(...rank) + 1;
  let best: { readonly columns: number[][]; readonly zoom: number } | undefined;
  for (let count = used; count >= Math.min(2, used); count -= 1) {
    const squeezed = count === used ? rank : spread(rank, count);
    const columns = Array.from({ length: count }, (_, column) =>
      squeezed.flatMap((value, i) => (value === column ? [i] : [])),
    );
    const { width, height } = stacked(columns, sizes, geometry);
    const zoom = Math.min(SCREEN.width / width, SCREEN.height / height);
    if (best === undefined || zoom > best.zoom * 1.05) best = { columns, zoom };
  }
  return sweep(best!.columns, arcs, SWEEPS);
}

function stacked(columns: readonly (readonly number[])[], sizes: readonly Size[], { gapX, gapY }: Geometry): Size {
  const heights = columns.map((column) => column.reduce((sum, group) => sum + sizes[group]!.height + gapY, -gapY));
  const widths = columns.map((column) => Math.max(...column.map((group) => sizes[group]!.width)));
  return { width: widths.reduce((sum, width) => sum + width + gapX, -gapX), height: Math.max(...heights) };
}

/** In the same order, so many columns of about the same number. */
function spread(rank: readonly number[], columns: number): number[] {
  const order = rank.map((value, i) => [value, i] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const squeezed = [...rank];
  for (const [place, [, i]] of order.entries()) squeezed[i] = Math.floor((place * columns) / rank.length);
  return squeezed;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

function sizeOf(columns: readonly (readonly number[])[], geometry: Geometry): Size {
  const wide = geometry.perRow ?? columns.length;
  const tall = Math.max(...columns.map(({ length }) => length));
  return {
    width: (wide - 1) * geometry.slotX + geometry.width + 2 * geometry.pad,
    height: (tall - 1) * geometry.slotY + geometry.height + geometry.pad + geometry.padTop,
  };
}

/** Left upper corners, by group: columns beside each other, each around the same middle line. */
function stack(columns: readonly (readonly number[])[], sizes: readonly Size[], geometry: Geometry): Point[] {
  const corners = new Array<Point>(sizes.length);
  let x = 0;
  for (const column of columns) {
    const height = column.reduce((sum, group) => sum + sizes[group]!.height + geometry.gapY, -geometry.gapY);
    const width = Math.max(...column.map((group) => sizes[group]!.width));
    let y = Math.round(-height / 2);
    for (const group of column) {
      corners[group] = { x, y };
      y += sizes[group]!.height + geometry.gapY;
    }
    x += width + geometry.gapX;
  }
  return corners;
}

function fill(
  columns: readonly (readonly number[])[],
  corner: Point,
  geometry: Geometry,
  at: Map<number, Point>,
): void {
  const tall = Math.max(...columns.map(({ length }) => length));
  for (const [c, column] of columns.entries()) {
    const down = geometry.perRow === null ? Math.floor((tall - column.length) / 2) : 0;
    for (const [r, node] of column.entries()) {
      at.set(node, {
        x: corner.x + geometry.pad + geometry.width / 2 + c * geometry.slotX,
        y: corner.y + geometry.padTop + geometry.height / 2 + (r + down) * geometry.slotY,
      });
    }
  }
}

/** Within their column, services change places towards their neighbours in other namespaces too. */
function settle(
  inside: readonly (readonly (readonly number[])[])[],
  arcs: readonly Arc[],
  at: Map<number, Point>,
): void {
  const near = new Map<number, number[]>();
  for (const { from, to } of arcs) {
    near.set(from, [...(near.get(from) ?? []), to]);
    near.set(to, [...(near.get(to) ?? []), from]);
  }
  for (let turn = 0; turn < 2; turn += 1) {
    for (const column of inside.flat()) {
      const ys = column.map((node) => at.get(node)!.y).sort((a, b) => a - b);
      const wanted = new Map(column.map((node) => [node, meanY(near.get(node) ?? [], at) ?? at.get(node)!.y]));
      const sorted = [...column].sort((a, b) => wanted.get(a)! - wanted.get(b)! || at.get(a)!.y - at.get(b)!.y);
      for (const [i, node] of sorted.entries()) at.set(node, { x: at.get(node)!.x, y: ys[i]! });
    }
  }
}

function meanY(nodes: readonly number[], at: ReadonlyMap<number, Point>): number | undefined {
  return nodes.length === 0 ? undefined : nodes.reduce((sum, node) => sum + at.get(node)!.y, 0) / nodes.length;
}
