/**
 * When to dial an endpoint again that could not be reached: each failure in a row doubles the wait, up to a bound. Between
 * half and the whole of it is drawn, so that those who failed together do not try again together. Until then whoever asks
 * is told of the last failure at once.
 * @module
 */

import type { ReasonCode } from '../reasons.ts';

export interface BackoffLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

export interface DialFailure {
  readonly reason: ReasonCode;
  readonly detail: string;
}

export class Backoff {
  /** When to dial again; on the clock of the caller. */
  untilMs = Number.NEGATIVE_INFINITY;
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #failures = 0;
  #last: DialFailure | undefined = undefined;

  /** @param random from 0 up to, but not including, 1 */
  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Why not to dial now; undefined: dial. */
  refusal(nowMs: number): DialFailure | undefined {
    return nowMs < this.untilMs ? this.#last : undefined;
  }

  /** After which another failure would be a first one: nothing need be remembered any more. */
  get forgottenAtMs(): number {
    return this.untilMs + this.#limits.maxMs;
  }

  failed(nowMs: number, failure: DialFailure): void {
    const { minMs, maxMs } = this.#limits;
    const waitMs = Math.min(maxMs, minMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 32);
    this.#last = failure;
    this.untilMs = nowMs + waitMs * (0.5 + 0.5 * this.#random());
  }

  succeeded(): void {
    this.#failures = 0;
    this.#last = undefined;
    this.untilMs = Number.NEGATIVE_INFINITY;
  }
}
