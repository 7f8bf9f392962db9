/** Where things are, kept by view and namespaces in this browser; only Tidy and dragging change what is there. @module */
import type { Point, Positions } from './geometry.ts';

/** Layouts kept in a browser, and places in each; the oldest layout is dropped for a new one. */
const MAX_LAYOUTS = 12;
const MAX_PLACES = 4_000;
const PREFIX = 'weft.layout.';
const INDEX = 'weft.layouts';

export function loadPositions(key: string): Positions {
  try {
    const kept = JSON.parse(localStorage.getItem(PREFIX + key) ?? '[]') as [string, number, number][];
    return new Map(kept.map(([id, x, y]) => [id, { x, y }]));
  } catch {
    return new Map();
  }
}

export function savePositions(key: string, positions: Positions): void {
  const places = [...positions].slice(-MAX_PLACES).map(([id, { x, y }]: [string, Point]) => [id, x, y]);
  const index = [
    key,
    ...(localStorage.getItem(INDEX) ?? '').split('\n').filter((other) => other !== '' && other !== key),
  ];
  for (const old of index.slice(MAX_LAYOUTS)) localStorage.removeItem(PREFIX + old);
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(places));
    localStorage.setItem(INDEX, index.slice(0, MAX_LAYOUTS).join('\n'));
  } catch {
    // Full: the layout holds for this page only.
  }
}
