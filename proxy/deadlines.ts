/**
 * Deadlines of many connections under one timer.
 *
 * A connection registers once and from then on only writes its `deadlineMs`: the hot path arms and disarms a timeout with
 * one assignment. One coarse tick looks at all of them, so a deadline is met at most a tick late.
 * @module
 */

const TICK_MS = 100;

export interface Timed {
  /** On the clock of `performance.now()`; Infinity for none. */
  deadlineMs: number;
  /** Called once the deadline has passed, until it is moved. */
  onDeadline(): void;
}

export class Deadlines {
  readonly #items = new Set<Timed>();
  readonly #tickMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(tickMs = TICK_MS) {
    this.#tickMs = tickMs;
  }

  add(item: Timed): void {
    this.#items.add(item);
    this.#timer ??= setInterval(this.#tick, this.#tickMs).unref();
  }

  delete(item: Timed): void {
    this.#items.delete(item);
    if (this.#items.size === 0) this.close();
  }

  /** Stops the clock; items stay registered but are not looked at until one is added. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  readonly #tick = (): void => {
    const nowMs = performance.now();
    for (const item of this.#items) {
      if (item.deadlineMs <= nowMs) item.onDeadline();
    }
  };
}
