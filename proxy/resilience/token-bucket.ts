/**
 * Local rate limits: the generic cell rate algorithm (ITU-T I.371), which is a token bucket that remembers one instant, the
 * one at which it will be full again. That instant lies in a shared cell, so that all workers take from one bucket exactly.
 *
 * Time is counted in ticks, 4,096 for each request at the given rate, in 32 bits that wrap. A second cell holds roughly when
 * the bucket was last used, and tells an old instant from one to come. It is written first: a worker that loses the race
 * to a bucket that was idle for long may be refused once without need, and never let in too often.
 * @module
 */

import type { SharedSlot } from './shared-slot.ts';
import type { SharedTable } from './shared-table.ts';

export interface BucketLimits {
  /** More than 0. */
  readonly requestsPerSecond: number;
  /** How many requests may come at once; at least 1. */
  readonly burst: number;
}

/** Cells. */
const FULL_AT = 0;
const USED_AT = 1;

const TICKS_PER_REQUEST = 4_096;
/** The longest time to fill up, in ticks: a quarter of what can be told apart. */
const MAX_FILL = 2 ** 29;
/** In units of which the last use is remembered: half of the above. */
const USED_UNIT = 2 ** 28;

export class TokenBucket {
  readonly limits: BucketLimits;
  /** Of the last answer: how long to wait for the next request to be let in. 0 where it would be now. */
  retryAfterMs = 0;
  /** Of the last answer: how many more requests would be let in at once. */
  remaining = 0;
  readonly #table: SharedTable;
  readonly #key: string;
  readonly #slot: SharedSlot;
  readonly #step: number;
  readonly #fill: number;
  readonly #ticksPerMs: number;

  /** @param key what requests that share the bucket have in common, and the revision of the limit */
  constructor(table: SharedTable, key: string, limits: BucketLimits) {
    const { requestsPerSecond, burst } = limits;
    this.limits = limits;
    this.#table = table;
    this.#key = `bucket ${key}`;
    this.#slot = table.claim(this.#key);
    this.#step = Math.max(1, Math.min(TICKS_PER_REQUEST, Math.floor(MAX_FILL / burst)));
    this.#fill = Math.min(this.#step * burst, MAX_FILL);
    this.#ticksPerMs = (this.#step * requestsPerSecond) / 1_000;
  }

  /** Whether the request may go on; afterwards `retryAfterMs` and `remaining` are those of this bucket at this instant. */
  take(nowMs: number): boolean {
    const { cells, first } = this.#slot;
    const exactly = nowMs * this.#ticksPerMs;
    const now = exactly | 0;
    const unit = (exactly / USED_UNIT) | 0;
    for (;;) {
      const fullAt = Atomics.load(cells, first + FULL_AT);
      const usedAt = Atomics.load(cells, first + USED_AT);
      const ahead = (fullAt - now) | 0;
      const isPast = ahead <= 0 || ahead > this.#fill || ((unit - usedAt) | 0) > 3;
      const lacking = isPast ? 0 : ahead;
      if (lacking + this.#step > this.#fill) {
        this.#answer(lacking);
        return false;
      }
      if (unit !== usedAt) Atomics.store(cells, first + USED_AT, unit);
      if (Atomics.compareExchange(cells, first + FULL_AT, fullAt, (now + lacking + this.#step) | 0) !== fullAt)
        continue;
      this.#answer(lacking + this.#step);
      return true;
    }
  }

  /** How long until it would be full, of itself. */
  get fillMs(): number {
    return this.#fill / this.#ticksPerMs;
  }

  close(): void {
    this.#table.release(this.#key);
  }

  #answer(lacking: number): void {
    this.remaining = Math.floor((this.#fill - lacking) / this.#step);
    this.retryAfterMs = Math.max(0, (lacking + this.#step - this.#fill) / this.#ticksPerMs);
  }
}
