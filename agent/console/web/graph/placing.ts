/** Where everything goes, in one answer: what `place.ts` and `inside.ts` know together. Pure. @module */
import { CARDS, DOTS } from './geometry.ts';
import { inside } from './inside.ts';
import { place } from './place.ts';
import type { PlacesAsked, PlacesFound } from './places-asked.ts';

export function placesFor({ nodes, edges, isCards, open, outer, inner }: PlacesAsked): PlacesFound {
  return {
    outer: place(outer, nodes, edges, isCards ? CARDS : DOTS),
    inner: inside(inner, { nodes: [...nodes], edges: [...edges] }, new Set(open)),
  };
}
