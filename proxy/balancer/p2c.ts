/**
 * Power of two choices: of two random endpoints the lighter one (Mitzenmacher 2001). Constant cost, and stale loads draw no
 * herd. With weights, the two are drawn in proportion to them, and what is lighter is measured per unit of weight, so an
 * idle set shares by weight and a busy one evens out.
 * @module
 */

import type { Balanced, Chooser } from './balanced.ts';
import { draw, type WeightedSet } from './weighted.ts';

/** Whether `a` is to be taken rather than `b`. */
export type Lighter = (a: Balanced, b: Balanced) => boolean;

export function pickP2C<T extends Balanced>(set: WeightedSet<T>, chooser: Chooser, isLighter: Lighter): T | undefined {
  const { endpoints, sums } = set;
  const n = endpoints.length;
  if (n < 2) return endpoints[0];
  const i = draw(set, chooser.random);
  let j = sums === undefined ? (i + 1 + Math.floor(chooser.random() * (n - 1))) % n : draw(set, chooser.random);
  if (j === i) j = (i + 1) % n; // weighted draws may coincide; the neighbour stands in
  const a = endpoints[i]!;
  const b = endpoints[j]!;
  return isLighter(a, b) ? a : b;
}
