/** Seeded chance: the same seed, the same run. @module */

import { hashText, mix } from '../../gossip/overlay/hash.ts';
import type { Random } from '../../gossip/ports.ts';

/** mulberry32: 32 bits of state, fast, and even enough for latencies and choices. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A stream of chance of its own for every purpose, so that more draws in one do not move another. */
export function randomFor(seed: number, purpose: string): Random {
  return seededRandom(mix(hashText(purpose), seed));
}

export function pick<T>(list: readonly T[], random: Random): T | undefined {
  return list[Math.floor(random() * list.length)];
}

/** The list in another order; takes part in no other list. */
export function shuffled<T>(list: readonly T[], random: Random): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

/** A normal deviate, by Box and Muller. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
