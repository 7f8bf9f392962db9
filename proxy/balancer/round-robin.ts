/**
 * One after the other. With weights it is the smooth kind (nginx, ngx_http_upstream_round_robin.c): each turn everyone gains
 * its weight, the richest is taken and pays the sum of all, so that heavy endpoints are spread and not taken in a row.
 * @module
 */

import type { Balanced, Balancer, Candidate, Chooser } from './balanced.ts';
import { eligible, hasEqualWeights } from './weighted.ts';

const NONE: readonly Balanced[] = [];

export class RoundRobin<T extends Candidate> implements Balancer<T> {
  readonly #endpoints: readonly T[];
  /** What each has gained; undefined where all weigh the same. */
  readonly #credit: Float64Array | undefined;
  readonly #sum: number;
  /** Whose turn it is; begins anywhere, or all workers and callers would begin with the same one. */
  #next = -1;

  constructor(candidates: readonly T[]) {
    this.#endpoints = eligible(candidates);
    const isEven = hasEqualWeights(this.#endpoints);
    this.#credit = isEven ? undefined : new Float64Array(this.#endpoints.length);
    this.#sum = this.#endpoints.reduce((sum, { weight }) => sum + weight, 0);
  }

  pick(chooser: Chooser): T | undefined {
    const { length } = this.#endpoints;
    if (this.#credit !== undefined) return this.#richest(this.#credit, chooser, NONE);
    if (this.#next === -1) this.#next = Math.floor(chooser.random() * length);
    const picked = this.#endpoints[this.#next];
    this.#next = (this.#next + 1) % length;
    return picked;
  }

  pickOther(chooser: Chooser, tried: readonly Balanced[]): T | undefined {
    if (this.#credit !== undefined) return this.#richest(this.#credit, chooser, tried);
    for (let i = 0; i < this.#endpoints.length; i++) {
      const picked = this.pick(chooser)!;
      if (!tried.includes(picked)) return picked;
    }
    return undefined;
  }

  #richest(credit: Float64Array, chooser: Chooser, tried: readonly Balanced[]): T | undefined {
    if (this.#next === -1) {
      this.#next = 0;
      for (let i = 0; i < credit.length; i++) credit[i] = chooser.random() * this.#endpoints[i]!.weight;
    }
    let best = -1;
    for (let i = 0; i < credit.length; i++) {
      const endpoint = this.#endpoints[i]!;
      credit[i]! += endpoint.weight;
      const isRicher = best === -1 || credit[i]! > credit[best]!;
      if (isRicher && !tried.includes(endpoint)) best = i;
    }
    if (best === -1) return undefined;
    credit[best]! -= this.#sum;
    return this.#endpoints[best];
  }
}
