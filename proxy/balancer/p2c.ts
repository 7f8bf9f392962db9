/**
 * Power of two choices: of two random endpoints the less loaded one (Mitzenmacher 2001). Constant cost, and stale loads
 * draw no herd. With weights, the two are drawn in proportion to them and loads are compared per unit of weight, so an
 * idle set shares by weight and a busy one evens out.
 * @module
 */

export interface Balanced {
  /** 0 or more. */
  readonly weight: number;
  /** Requests and connections on their way there right now. */
  outstanding: number;
}

/** Endpoints prepared for picking; made anew when the set changes, never on the hot path. */
export interface BalancedSet<T extends Balanced> {
  readonly endpoints: readonly T[];
  /** Running sums of the weights; undefined when all are equal, which needs no search. */
  readonly sums: Float64Array | undefined;
}

/** Endpoints of weight 0, those of nodes that do not answer at the moment, are taken only where there are no others. */
export function balancedSet<T extends Balanced>(candidates: readonly T[]): BalancedSet<T> {
  const weighted = candidates.filter((endpoint) => endpoint.weight > 0);
  const endpoints = weighted.length > 0 ? weighted : candidates;
  if (endpoints.every((endpoint) => endpoint.weight === endpoints[0]!.weight)) return { endpoints, sums: undefined };
  const sums = new Float64Array(endpoints.length);
  let sum = 0;
  for (const [i, endpoint] of endpoints.entries()) {
    sum += endpoint.weight;
    sums[i] = sum;
  }
  return { endpoints, sums };
}

/** @param random from 0 up to, but not including, 1 */
export function pickP2C<T extends Balanced>(set: BalancedSet<T>, random: () => number): T | undefined {
  const { endpoints, sums } = set;
  const n = endpoints.length;
  if (n < 2) return endpoints[0];
  const i = draw(n, sums, random);
  let j = sums === undefined ? (i + 1 + Math.floor(random() * (n - 1))) % n : draw(n, sums, random);
  if (j === i) j = (i + 1) % n; // weighted draws may coincide; the neighbour stands in
  const a = endpoints[i]!;
  const b = endpoints[j]!;
  return a.outstanding * b.weight <= b.outstanding * a.weight ? a : b;
}

/** A pick that leaves out endpoints that failed this request already. Not the hot path: it copies. */
export function pickOther<T extends Balanced>(
  set: BalancedSet<T>,
  tried: readonly Balanced[],
  random: () => number,
): T | undefined {
  return pickP2C(balancedSet(set.endpoints.filter((endpoint) => !tried.includes(endpoint))), random);
}

function draw(n: number, sums: Float64Array | undefined, random: () => number): number {
  if (sums === undefined) return Math.floor(random() * n);
  const wanted = random() * sums[n - 1]!;
  let low = 0;
  let high = n - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}
