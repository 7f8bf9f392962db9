/** Endpoints prepared for being drawn at random in proportion to their weights. @module */

import type { Balanced } from './balanced.ts';

export interface WeightedSet<T> {
  readonly endpoints: readonly T[];
  /** Running sums of the weights; undefined when all are equal, which needs no search. */
  readonly sums: Float64Array | undefined;
}

/** Endpoints of weight 0, those of nodes that do not answer at the moment, are taken only where there are no others. */
export function eligible<T extends Balanced>(candidates: readonly T[]): readonly T[] {
  const weighted = candidates.filter((endpoint) => endpoint.weight > 0);
  return weighted.length > 0 ? weighted : candidates;
}

export function hasEqualWeights(endpoints: readonly Balanced[]): boolean {
  return endpoints.every((endpoint) => endpoint.weight === endpoints[0]!.weight);
}

export function weightedSet<T extends Balanced>(candidates: readonly T[]): WeightedSet<T> {
  const endpoints = eligible(candidates);
  if (hasEqualWeights(endpoints)) return { endpoints, sums: undefined };
  const sums = new Float64Array(endpoints.length);
  let sum = 0;
  for (const [i, endpoint] of endpoints.entries()) {
    sum += endpoint.weight;
    sums[i] = sum;
  }
  return { endpoints, sums };
}

/** @returns an index; the set must not be empty */
export function draw({ endpoints: { length }, sums }: WeightedSet<unknown>, random: () => number): number {
  if (sums === undefined) return Math.floor(random() * length);
  const wanted = random() * sums[length - 1]!;
  let low = 0;
  let high = length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}
