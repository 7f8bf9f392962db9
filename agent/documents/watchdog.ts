/**
 * Ends what a worker thread does when that takes too much CPU time: a machine with too much to do, on which two seconds pass in a
 * blink, condemns nobody. In real time, which is also for what sleeps, the limit is ten times as long.
 * @module
 */
import type { Worker } from 'node:worker_threads';

const REAL_TIME_FACTOR = 10;

export class Watchdog implements Disposable {
  readonly #worker: Worker;
  readonly #limitMs: number;
  readonly #expired: () => void;
  readonly #usedBefore: Promise<NodeJS.CpuUsage | undefined>;
  readonly #last: NodeJS.Timeout;
  #look: NodeJS.Timeout | undefined;
  #isDone = false;

  /** @param limitMs of CPU time, from now on */
  constructor(worker: Worker, limitMs: number, expired: () => void) {
    this.#worker = worker;
    this.#limitMs = limitMs;
    this.#expired = expired;
    this.#usedBefore = usage(worker);
    this.#last = setTimeout(() => this.#expire(), limitMs * REAL_TIME_FACTOR);
    this.#lookIn(limitMs);
  }

  [Symbol.dispose](): void {
    this.#isDone = true;
    clearTimeout(this.#look);
    clearTimeout(this.#last);
  }

  #lookIn(ms: number): void {
    this.#look = setTimeout(() => void this.#check(), ms);
  }

  async #check(): Promise<void> {
    const [before, now] = await Promise.all([this.#usedBefore, usage(this.#worker)]);
    if (this.#isDone) return;
    const leftMs = this.#limitMs - (milliseconds(now) - milliseconds(before));
    if (leftMs <= 0) this.#expire();
    else this.#lookIn(leftMs);
  }

  #expire(): void {
    this[Symbol.dispose]();
    this.#expired();
  }
}

/** Answered in the middle of a loop too; undefined where the worker does not run yet or any more. */
function usage(worker: Worker): Promise<NodeJS.CpuUsage | undefined> {
  return worker.cpuUsage().catch(() => undefined);
}

function milliseconds(used: NodeJS.CpuUsage | undefined): number {
  return used === undefined ? 0 : (used.user + used.system) / 1_000;
}
