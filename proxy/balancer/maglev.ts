/**
 * Maglev hashing (Eisenbud et al., NSDI 2016, §3.4): a table that endpoints fill in turn, each in an order of its own. Picking
 * is one look; shares differ by about a percent, where a ring's differ by ten; a change moves few keys more than it must.
 * Weights as in Envoy: who weighs half takes every other turn.
 * @module
 */

import type { Balanced, Balancer, Candidate, Chooser } from './balanced.ts';
import { hash32 } from './hash.ts';
import { eligible } from './weighted.ts';

/** Primes; the table is the smallest of at least a hundred times the endpoints (§5.3), or the last. */
const SIZES = [1_009, 4_093, 16_381, 65_537, 262_139, 655_373];
const ROOM = 100;
const OTHER_SEED = 0x9e3779b9;

export class Maglev<T extends Candidate> implements Balancer<T> {
  readonly #endpoints: readonly T[];
  readonly #table: Int32Array;

  constructor(candidates: readonly T[]) {
    // They take turns, so all who choose must know them in one order.
    this.#endpoints = [...eligible(candidates)].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#table = fill(this.#endpoints);
  }

  pick(chooser: Chooser): T | undefined {
    return this.#endpoints[this.#table[chooser.key % this.#table.length]!];
  }

  pickOther(chooser: Chooser, tried: readonly Balanced[]): T | undefined {
    const { length } = this.#table;
    for (let i = 0; i < length; i++) {
      const endpoint = this.#endpoints[this.#table[(chooser.key + i) % length]!];
      if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
    }
    return undefined;
  }
}

/** Indexes of endpoints; -1 everywhere where there are none. */
function fill(endpoints: readonly Candidate[]): Int32Array {
  const size = SIZES.find((prime) => prime >= endpoints.length * ROOM) ?? SIZES.at(-1)!;
  const table = new Int32Array(endpoints.length === 0 ? 1 : size).fill(-1);
  const skips = endpoints.map(({ name }) => (hash32(name, OTHER_SEED) % (size - 1)) + 1);
  const positions = endpoints.map(({ name }) => hash32(name) % size);
  const heaviest = Math.max(0, ...endpoints.map(({ weight }) => weight));
  const credit = new Float64Array(endpoints.length);
  for (let filled = 0; filled < table.length && endpoints.length > 0; ) {
    for (let i = 0; i < endpoints.length && filled < table.length; i++) {
      credit[i]! += heaviest === 0 ? 1 : endpoints[i]!.weight / heaviest;
      if (credit[i]! < 1) continue;
      credit[i]!--;
      while (table[positions[i]!] !== -1) positions[i] = (positions[i]! + skips[i]!) % size;
      table[positions[i]!] = i;
      filled++;
    }
  }
  return table;
}
