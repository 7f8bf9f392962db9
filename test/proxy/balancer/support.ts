/** Endpoints and choosers for tests of balancers, and what statistics they need. @module */

import type { Balancer, Candidate, Chooser } from '../../../proxy/balancer/balanced.ts';
import { PeakEwma } from '../../../proxy/balancer/peak-ewma.ts';

export class TestEndpoint implements Candidate {
  readonly name: string;
  readonly weight: number;
  readonly latency = new PeakEwma();
  outstanding: number;

  constructor(name: string, weight = 1, outstanding = 0) {
    this.name = name;
    this.weight = weight;
    this.outstanding = outstanding;
  }
}

export function endpoints(...weights: readonly number[]): TestEndpoint[] {
  return weights.map((weight, i) => new TestEndpoint(`node-${i}/shop/cart/http`, weight));
}

/** A small generator with a seed, so that every run draws the same (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A chooser whose key the test changes. */
export interface TestChooser extends Chooser {
  key: number;
}

export function chooser(seed = 7): TestChooser {
  return { key: 0, random: seeded(seed) };
}

/** How often each was picked, every pick by another key. */
export function picks<T extends Candidate>(balancer: Balancer<T>, count: number, by = chooser()): Map<T, number> {
  const counts = new Map<T, number>();
  for (let i = 0; i < count; i++) {
    by.key = Math.floor(by.random() * 2 ** 32);
    const picked = balancer.pick(by)!;
    counts.set(picked, (counts.get(picked) ?? 0) + 1);
  }
  return counts;
}

/** Pearson's statistic of counts against what weights would have. */
export function chiSquare(counts: ReadonlyMap<TestEndpoint, number>, among: readonly TestEndpoint[]): number {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const weights = among.reduce((sum, { weight }) => sum + weight, 0);
  return among.reduce((sum, endpoint) => {
    const expected = (total * endpoint.weight) / weights;
    return sum + ((counts.get(endpoint) ?? 0) - expected) ** 2 / expected;
  }, 0);
}

/** Critical values at p = 0.001, by degrees of freedom. */
export const CHI_SQUARE_LIMIT: Readonly<Record<number, number>> = { 3: 16.27, 9: 27.88 };
