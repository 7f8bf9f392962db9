/** What of the graph is seen: pan in pixels of the host, zoom in pixels a unit. Pure. @module */
import type { Box, Point } from './geometry.ts';

export interface View {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}
export interface Size {
  readonly width: number;
  readonly height: number;
}

export const ZOOM = { least: 0.08, most: 3 } as const;
const FIT_PADDING = 24;

/** The whole of a box, in the middle; nearer than life never. */
export function fitted({ left, top, right, bottom }: Box, { width, height }: Size): View {
  const wide = (width - 2 * FIT_PADDING) / (right - left || 1);
  const tall = (height - 2 * FIT_PADDING) / (bottom - top || 1);
  const zoom = Math.max(ZOOM.least, Math.min(1, wide, tall));
  return { zoom, x: width / 2 - ((left + right) / 2) * zoom, y: height / 2 - ((top + bottom) / 2) * zoom };
}

/** Nearer or farther around a place of the host, which stays where it is. */
export function zoomed({ x, y, zoom }: View, factor: number, at: Point): View {
  const next = Math.min(ZOOM.most, Math.max(ZOOM.least, zoom * factor));
  const scale = next / zoom;
  return { zoom: next, x: at.x - (at.x - x) * scale, y: at.y - (at.y - y) * scale };
}

export function isInView({ left, top, right, bottom }: Box, { x, y, zoom }: View, { width, height }: Size): boolean {
  return left * zoom + x >= 0 && top * zoom + y >= 0 && right * zoom + x <= width && bottom * zoom + y <= height;
}

/** Where a place of the host is in the graph. */
export function unprojected({ x, y, zoom }: View, at: Point): Point {
  return { x: (at.x - x) / zoom, y: (at.y - y) / zoom };
}

/** How a picture made for one view is laid to show another, until it is drawn anew: for `transform`, from the corner at `margin`. */
export function laidOver(drawn: View, now: View, margin: Point): { x: number; y: number; scale: number } {
  const scale = now.zoom / drawn.zoom;
  return {
    scale,
    x: margin.x * (1 - scale) + now.x - drawn.x * scale,
    y: margin.y * (1 - scale) + now.y - drawn.y * scale,
  };
}
