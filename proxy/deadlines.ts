/**
 * Deadlines of many connections under one timer.
 *
 * A connection registers once and from then on only writes its `deadlineMs`: the hot path arms and disarms a timeout with
 * one assignment. One coarse tick looks at all of them, so a deadline is met at most a tick late. What is found due is looked at
 * again two turns of the event loop later (fair-timeout.ts): bytes that came during a stall are read first, and may move it.
 * @module
 */
import { performance } from 'node:perf_hooks';
import { afterTwoTurns } from './fair-timeout.ts';

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
  /** When some were found due that have not been told yet. */
  #foundMs: number | undefined;

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
    if (this.#foundMs !== undefined) return;
    const nowMs = performance.now();
    for (const item of this.#items) {
      if (item.deadlineMs > nowMs) continue;
      this.#foundMs = nowMs;
      afterTwoTurns(this.#tell);
      return;
    }
  };

  readonly #tell = (): void => {
    const foundMs = this.#foundMs ?? Number.NEGATIVE_INFINITY;
    this.#foundMs = undefined;
    if (this.#timer === undefined) return;
    for (const item of this.#items) {
      if (item.deadlineMs <= foundMs) item.onDeadline();
    }
  };
}
