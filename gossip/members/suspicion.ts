/**
 * Suspicions in progress: who is accused, by whom, and when that amounts to death.
 *
 * The wait shrinks from `maxMs` to `minMs` as independent observers agree, so one slow accuser cannot evict a healthy
 * peer, while many who agree need not wait. Source: Lifeguard (arXiv:1707.00788), LHA-Suspicion. Beyond it, death needs
 * a quorum of accusers, and two who were refused by the accused's port need no wait at all: a stalled process still
 * completes connections, only a dead one refuses them.
 * @module
 */
import type { Accusation } from './standing.ts';

export interface SuspicionLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Lifeguard's K: more confirmations than this do not shorten the wait further. */
const MAX_CONFIRMATIONS = 3;
/** Accusers it takes, if there are as many observers that could accuse. */
const QUORUM = 3;
/** Accusers with cause `refused` that need no timer. */
const REFUSED_QUORUM = 2;

/**
 * @param confirmations accusers after the first; 0 or more
 * @param wanted how many confirmations could come; 0 in a mesh too small to confirm, which then waits the minimum
 * @returns an instant on the clock of `raisedAtMs`, from `raisedAtMs + minMs` to `raisedAtMs + maxMs`
 */
export function suspicionDeadlineMs(
  raisedAtMs: number,
  confirmations: number,
  wanted: number,
  limits: SuspicionLimits,
): number {
  const { minMs, maxMs } = limits;
  const enough = Math.min(MAX_CONFIRMATIONS, wanted);
  if (enough === 0) return raisedAtMs + minMs;
  const share = Math.min(1, Math.log(confirmations + 1) / Math.log(enough + 1));
  return raisedAtMs + maxMs - share * (maxMs - minMs);
}

/** How many accusers a death takes when `candidates` observers could accuse. */
export function quorumOf(candidates: number): number {
  return Math.max(1, Math.min(QUORUM, candidates));
}

/** Whether these accusations are enough for a death without waiting. */
export function isRefusedByEnough(accusations: readonly Accusation[], quorum: number): boolean {
  let refused = 0;
  for (const accusation of accusations) if (accusation.cause === 'refused') refused++;
  return refused >= Math.min(REFUSED_QUORUM, quorum);
}

/** What to do with a suspicion now: convict, drop it for lack of accusers, or look again at `atMs`. */
export type Ruling =
  | { readonly kind: 'convict' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'wait'; readonly atMs: number };

/** One member under suspicion, at one (epoch, inc) of it. */
export class Suspicion {
  readonly epoch: number;
  readonly inc: number;
  readonly #raisedAtMs: number;
  readonly #accusations = new Map<string, Accusation>();

  constructor(epoch: number, inc: number, raisedAtMs: number) {
    this.epoch = epoch;
    this.inc = inc;
    this.#raisedAtMs = raisedAtMs;
  }

  /** False when that observer had accused before. */
  add(accusation: Accusation): boolean {
    if (this.#accusations.has(accusation.by)) return false;
    this.#accusations.set(accusation.by, accusation);
    return true;
  }

  has(by: string): boolean {
    return this.#accusations.has(by);
  }

  accusations(): Accusation[] {
    return [...this.#accusations.values()];
  }

  /** @param candidates observers of the accused that are fit to accuse, ourselves included */
  rule(nowMs: number, candidates: number, limits: SuspicionLimits): Ruling {
    const accusations = this.accusations();
    const quorum = quorumOf(candidates);
    if (isRefusedByEnough(accusations, quorum)) return { kind: 'convict' };
    const deadlineMs = suspicionDeadlineMs(this.#raisedAtMs, accusations.length - 1, candidates - 1, limits);
    if (nowMs >= deadlineMs && accusations.length >= quorum) return { kind: 'convict' };
    const lastMs = this.#raisedAtMs + limits.maxMs;
    if (nowMs >= lastMs) return { kind: 'drop' };
    return { kind: 'wait', atMs: nowMs >= deadlineMs ? lastMs : deadlineMs };
  }
}
