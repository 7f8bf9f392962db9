/**
 * Counts over a sliding window, in shared cells: a ring of ten, each for a tenth of the window. A cell holds in which lap of
 * the ring it was counted as well as the count, so that the first of a new lap begins anew in one exchange.
 * @module
 */

export const RECENT_CELLS = 10;

const COUNT_BITS = 20;
const MAX_COUNT = 2 ** COUNT_BITS - 1;
const LAP_MASK = 2 ** (32 - COUNT_BITS) - 1;

export class RecentCounts {
  readonly #cells: Int32Array;
  readonly #first: number;

  /** @param first of `RECENT_CELLS` cells */
  constructor(cells: Int32Array, first: number) {
    this.#cells = cells;
    this.#first = first;
  }

  /** A full cell stays as it is: a million in a tenth of a window. */
  add(nowMs: number, windowMs: number): void {
    const tick = Math.floor((nowMs * RECENT_CELLS) / windowMs);
    const at = this.#first + (tick % RECENT_CELLS);
    const lap = Math.floor(tick / RECENT_CELLS) & LAP_MASK;
    for (;;) {
      const old = Atomics.load(this.#cells, at);
      const count = lapOf(old) === lap ? Math.min(countOf(old) + 1, MAX_COUNT) : 1;
      if (Atomics.compareExchange(this.#cells, at, old, (lap << COUNT_BITS) | count) === old) return;
    }
  }

  /** Takes back one that was added at the same instant. */
  remove(nowMs: number, windowMs: number): void {
    const tick = Math.floor((nowMs * RECENT_CELLS) / windowMs);
    const at = this.#first + (tick % RECENT_CELLS);
    const lap = Math.floor(tick / RECENT_CELLS) & LAP_MASK;
    for (;;) {
      const old = Atomics.load(this.#cells, at);
      if (lapOf(old) !== lap || countOf(old) === 0) return;
      if (Atomics.compareExchange(this.#cells, at, old, old - 1) === old) return;
    }
  }

  total(nowMs: number, windowMs: number): number {
    const tick = Math.floor((nowMs * RECENT_CELLS) / windowMs);
    let total = 0;
    for (let i = Math.max(0, tick - RECENT_CELLS + 1); i <= tick; i++) {
      const cell = Atomics.load(this.#cells, this.#first + (i % RECENT_CELLS));
      if (lapOf(cell) === (Math.floor(i / RECENT_CELLS) & LAP_MASK)) total += countOf(cell);
    }
    return total;
  }

  clear(): void {
    for (let i = 0; i < RECENT_CELLS; i++) Atomics.store(this.#cells, this.#first + i, 0);
  }
}

function lapOf(cell: number): number {
  return cell >>> COUNT_BITS;
}

function countOf(cell: number): number {
  return cell & MAX_COUNT;
}
