/** The balancers there are, by name. @module */

import type { Balanced, Balancer, Candidate, Chooser } from './balanced.ts';
import { hasFewerRequests } from './least-request.ts';
import { hasLowerCost } from './lowest-cost.ts';
import { Maglev } from './maglev.ts';
import { type Lighter, pickP2C } from './p2c.ts';
import { RingHash } from './ring-hash.ts';
import { RoundRobin } from './round-robin.ts';
import { draw, type WeightedSet, weightedSet } from './weighted.ts';

export const BALANCERS = ['peak-ewma', 'least-request', 'round-robin', 'random', 'ring-hash', 'maglev'] as const;
export type BalancerName = (typeof BALANCERS)[number];
export const DEFAULT_BALANCER: BalancerName = 'peak-ewma';

export function createBalancer<T extends Candidate>(name: BalancerName, candidates: readonly T[]): Balancer<T> {
  switch (name) {
    case 'peak-ewma':
      return new PowerOfTwo(candidates, hasLowerCost);
    case 'least-request':
      return new PowerOfTwo(candidates, hasFewerRequests);
    case 'round-robin':
      return new RoundRobin(candidates);
    case 'random':
      return new Random(candidates);
    case 'ring-hash':
      return new RingHash(candidates);
    case 'maglev':
      return new Maglev(candidates);
  }
}

class PowerOfTwo<T extends Candidate> implements Balancer<T> {
  readonly #set: WeightedSet<T>;
  readonly #isLighter: Lighter;

  constructor(candidates: readonly T[], isLighter: Lighter) {
    this.#set = weightedSet(candidates);
    this.#isLighter = isLighter;
  }

  pick(chooser: Chooser): T | undefined {
    return pickP2C(this.#set, chooser, this.#isLighter);
  }

  pickOther(chooser: Chooser, tried: readonly Balanced[]): T | undefined {
    return pickP2C(weightedSet(without(this.#set.endpoints, tried)), chooser, this.#isLighter);
  }
}

/** Any, in proportion to the weights. */
class Random<T extends Candidate> implements Balancer<T> {
  readonly #set: WeightedSet<T>;

  constructor(candidates: readonly T[]) {
    this.#set = weightedSet(candidates);
  }

  pick(chooser: Chooser): T | undefined {
    return drawn(this.#set, chooser);
  }

  pickOther(chooser: Chooser, tried: readonly Balanced[]): T | undefined {
    return drawn(weightedSet(without(this.#set.endpoints, tried)), chooser);
  }
}

function drawn<T>(set: WeightedSet<T>, { random }: Chooser): T | undefined {
  return set.endpoints.length === 0 ? undefined : set.endpoints[draw(set, random)];
}

function without<T extends Balanced>(endpoints: readonly T[], tried: readonly Balanced[]): readonly T[] {
  return endpoints.filter((endpoint) => !tried.includes(endpoint));
}
