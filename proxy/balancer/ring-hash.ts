/**
 * Ring hash (consistent hashing, Karger et al. 1997; many points an endpoint as in libketama): a key belongs to the next
 * point on the ring. An endpoint that comes or goes moves only the keys that are or were its own.
 * @module
 */

import type { Balanced, Balancer, Candidate, Chooser } from './balanced.ts';
import { hash32 } from './hash.ts';
import { eligible } from './weighted.ts';

/** Of the heaviest endpoint; the share of each varies by about one part in the root of this. */
const POINTS = 160;
/** Of all together: beyond some 400 endpoints each gets fewer. Also the bound of what fits beside a hash in a double. */
const MAX_POINTS = 65_536;

export class RingHash<T extends Candidate> implements Balancer<T> {
  readonly #endpoints: readonly T[];
  /** Ascending; the hash of a point times MAX_POINTS, plus the index of its endpoint. */
  readonly #points: Float64Array;

  constructor(candidates: readonly T[]) {
    const endpoints = eligible(candidates).slice(0, MAX_POINTS);
    this.#endpoints = endpoints;
    const heaviest = Math.max(1, ...endpoints.map(({ weight }) => weight));
    const most = Math.min(POINTS, Math.floor(MAX_POINTS / Math.max(1, endpoints.length)));
    const points = endpoints.flatMap(({ name, weight }, index) => {
      const count = Math.max(1, Math.round((most * weight) / heaviest));
      return Array.from({ length: count }, (_, i) => hash32(`${name} ${i}`) * MAX_POINTS + index);
    });
    this.#points = Float64Array.from(points).sort();
  }

  pick(chooser: Chooser): T | undefined {
    const { length } = this.#points;
    return length === 0 ? undefined : this.#at(this.#find(chooser.key) % length);
  }

  pickOther(chooser: Chooser, tried: readonly Balanced[]): T | undefined {
    const { length } = this.#points;
    const start = this.#find(chooser.key);
    for (let i = 0; i < length; i++) {
      const endpoint = this.#at((start + i) % length);
      if (!tried.includes(endpoint)) return endpoint;
    }
    return undefined;
  }

  /** The first point at or after a key; may be one past the end. */
  #find(key: number): number {
    const points = this.#points;
    const wanted = key * MAX_POINTS;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #at(point: number): T {
    const value = this.#points[point]!;
    return this.#endpoints[value - Math.floor(value / MAX_POINTS) * MAX_POINTS]!;
  }
}
