/** Sizes of what the graph draws, and the boxes around namespaces; pure. @module */
export interface Point {
  readonly x: number;
  readonly y: number;
}
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}
/** Centres of what is drawn, by id. */
export type Positions = ReadonlyMap<string, Point>;

export interface Geometry {
  readonly width: number;
  readonly height: number;
  /** From centre to centre. */
  readonly slotX: number;
  readonly slotY: number;
  /** Of a namespace's box around what is in it; the title is in `padTop`. */
  readonly pad: number;
  readonly padTop: number;
  /** Between boxes. */
  readonly gapX: number;
  readonly gapY: number;
  /** Rows of a column before it is folded. */
  readonly rows: number;
  /** Dots ignore who calls whom inside: filled row by row, so many in one. */
  readonly perRow: number | null;
}

export const CARDS: Geometry = {
  width: 148,
  height: 46,
  slotX: 188,
  slotY: 60,
  pad: 16,
  padTop: 30,
  gapX: 44,
  gapY: 28,
  rows: 8,
  perRow: null,
};
export const DOTS: Geometry = {
  width: 8,
  height: 8,
  slotX: 14,
  slotY: 14,
  pad: 14,
  padTop: 48,
  gapX: 64,
  gapY: 18,
  rows: 8,
  perRow: 10,
};

export function boxOf(points: Iterable<Point>, geometry: Geometry): Box {
  let left = Number.POSITIVE_INFINITY;
  let top = Number.POSITIVE_INFINITY;
  let right = Number.NEGATIVE_INFINITY;
  let bottom = Number.NEGATIVE_INFINITY;
  for (const { x, y } of points) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  const { width, height, pad, padTop, perRow } = geometry;
  const least = perRow === null ? 0 : (perRow - 1) * geometry.slotX; // so that the title has room
  right = Math.max(right, left + least);
  return {
    left: left - width / 2 - pad,
    top: top - height / 2 - padTop,
    right: right + width / 2 + pad,
    bottom: bottom + height / 2 + pad,
  };
}

/** Around all of them; undefined where there are none. */
export function enclosing(boxes: Iterable<Box>): Box | undefined {
  let all: Box | undefined;
  for (const box of boxes) {
    all = {
      left: Math.min(all?.left ?? box.left, box.left),
      top: Math.min(all?.top ?? box.top, box.top),
      right: Math.max(all?.right ?? box.right, box.right),
      bottom: Math.max(all?.bottom ?? box.bottom, box.bottom),
    };
  }
  return all;
}

/** From a point to the nearest of a line between two others. */
export function fromLine(at: Point, a: Point, b: Point): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const along = ((at.x - a.x) * dx + (at.y - a.y) * dy) / (dx * dx + dy * dy || 1);
  const part = Math.min(1, Math.max(0, along));
  return Math.hypot(at.x - a.x - part * dx, at.y - a.y - part * dy);
}

export function overlaps(a: Box, b: Box, space = 0): boolean {
  return a.left < b.right + space && b.left < a.right + space && a.top < b.bottom + space && b.top < a.bottom + space;
}

export function boxesOf(
  nodes: readonly { id: string; namespace: string }[],
  positions: Positions,
  geometry: Geometry,
): Map<string, Box> {
  const points = Map.groupBy(
    nodes.filter(({ id }) => positions.has(id)),
    ({ namespace }) => namespace,
  );
  return new Map(
    [...points].map(([name, members]) => [
      name,
      boxOf(
        members.map(({ id }) => positions.get(id)!),
        geometry,
      ),
    ]),
  );
}
