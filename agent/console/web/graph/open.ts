/**
 * Namespaces opened in place: their dots become cards, and what lies right of them and below makes just the room that they need. What
 * lies left and above stays, and all is where it was once they are closed. Pure.
 * @module
 */
import { type Box, boxesOf, boxOf, CARDS, DOTS, type Point, type Positions } from './geometry.ts';
import type { LayoutNode } from './layout.ts';

const ORIGIN = { left: 0, top: 0 };
const LEAST: Point = { x: CARDS.pad + CARDS.width / 2, y: CARDS.padTop + CARDS.height / 2 };

/** Where a card was put, from the corner of its box, which does not grow to the left or up. */
export function fromCorner({ x, y }: Point, { left, top }: Box): Point {
  return { x: Math.max(LEAST.x, x - left), y: Math.max(LEAST.y, y - top) };
}

export interface Spread {
  readonly positions: Positions;
  readonly boxes: ReadonlyMap<string, Box>;
}

/** @param own of open namespaces, as `inside` gives them */
export function spread(
  nodes: readonly LayoutNode[],
  dots: Positions,
  own: Positions,
  open: ReadonlySet<string>,
): Spread {
  const closed = boxesOf(nodes, dots, DOTS);
  if (open.size === 0) return { positions: dots, boxes: closed };
  const members = Map.groupBy(nodes, ({ namespace }) => namespace);
  const names = [...closed.keys()];
  const sizes = new Map(
    names.map((name) => {
      if (!open.has(name)) return [name, sizeOf(closed.get(name)!)] as const;
      const cards = members.get(name)!.flatMap(({ id }) => own.get(id) ?? []);
      return [name, sizeOf({ ...boxOf(cards, CARDS), ...ORIGIN })] as const;
    }),
  );
  const along = (name: string): Span => ({ start: closed.get(name)!.left, end: closed.get(name)!.right });
  const down = (name: string): Span => ({ start: closed.get(name)!.top, end: closed.get(name)!.bottom });
  const lefts = pushed(names, along, (name) => sizes.get(name)!.width, DOTS.gapX);
  const tops = pushed(
    names,
    down,
    (name) => sizes.get(name)!.height,
    DOTS.gapY,
    (a, b) => meets(along(a), along(b)),
  );
  const positions = new Map(dots);
  const boxes = new Map<string, Box>();
  for (const name of names) {
    const [left, top] = [lefts.get(name)!, tops.get(name)!];
    const { width, height } = sizes.get(name)!;
    boxes.set(name, { left, top, right: left + width, bottom: top + height });
    const isOpen = open.has(name);
    const from = isOpen ? ORIGIN : closed.get(name)!;
    for (const { id } of members.get(name)!) {
      const at = (isOpen ? own : dots).get(id);
      if (at !== undefined) positions.set(id, { x: at.x - from.left + left, y: at.y - from.top + top });
      else positions.delete(id); // it has no card yet
    }
  }
  return { positions, boxes };
}

interface Span {
  readonly start: number;
  readonly end: number;
}
const meets = (a: Span, b: Span) => a.start < b.end && b.start < a.end;

function sizeOf({ left, top, right, bottom }: Box): { readonly width: number; readonly height: number } {
  return { width: right - left, height: bottom - top };
}

/** Where each starts once each has its size: no farther than those before it push it, which keep their distance up to `gap`. */
function pushed(
  names: readonly string[],
  spanOf: (name: string) => Span,
  sizeFor: (name: string) => number,
  gap: number,
  isInWay: (before: string, name: string) => boolean = () => true,
): Map<string, number> {
  const starts = new Map<string, number>();
  const ordered = names.toSorted((a, b) => spanOf(a).start - spanOf(b).start);
  for (const [i, name] of ordered.entries()) {
    const own = spanOf(name);
    let start = own.start;
    for (const before of ordered.slice(0, i)) {
      const { end } = spanOf(before);
      if (end > own.start || !isInWay(before, name)) continue;
      start = Math.max(start, starts.get(before)! + sizeFor(before) + Math.min(gap, own.start - end));
    }
    starts.set(name, start);
  }
  return starts;
}
