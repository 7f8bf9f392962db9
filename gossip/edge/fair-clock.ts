/**
 * A monotonic clock that does not count the time its own thread stood still.
 *
 * Deadlines about others must not pass while we could not listen: after a stall of three seconds, everybody would look
 * three seconds late. A step longer than `MAX_STEP_MS` between two looks at the clock is such a stall, because the ticker
 * looks at it more often; the excess is left out of the time that counts. A machine that was asleep is another such stall:
 * this clock stood still with it, and only the time since boot tells (clock_gettime(2), CLOCK_BOOTTIME).
 * @module
 */
import { uptime } from 'node:os';

const TICK_MS = 100;
const MAX_STEP_MS = 250;
/** By how much the time since boot must be ahead: well above what reading two clocks one after the other can cost. */
const MIN_SLEEP_MS = 1_000;

export class FairClock {
  readonly #realMs: () => number;
  readonly #bootMs: () => number;
  readonly #onStall: (forMs: number) => void;
  readonly #ticker: NodeJS.Timeout;
  #lastMs: number;
  #lostMs = 0;
  /** The time since boot less ours, when last looked at. */
  #asleepMs: number;

  /** @param onStall called in the tick that finds it, before any timer of this clock is due */
  constructor(
    onStall: (forMs: number) => void,
    realMs: () => number = () => performance.now(),
    bootMs: () => number = () => uptime() * 1_000,
  ) {
    this.#realMs = realMs;
    this.#bootMs = bootMs;
    this.#onStall = onStall;
    this.#lastMs = realMs();
    this.#asleepMs = bootMs() - this.#lastMs;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  nowMs(): number {
    const realMs = this.#realMs();
    const stepMs = realMs - this.#lastMs;
    this.#lastMs = realMs;
    if (stepMs > MAX_STEP_MS) {
      this.#lostMs += stepMs - TICK_MS;
      this.#onStall(stepMs);
    }
    return realMs - this.#lostMs;
  }

  #tick(): void {
    this.nowMs();
    const asleepMs = this.#bootMs() - this.#lastMs;
    const forMs = asleepMs - this.#asleepMs;
    this.#asleepMs = asleepMs;
    if (forMs > MIN_SLEEP_MS) this.#onStall(forMs);
  }

  stop(): void {
    clearInterval(this.#ticker);
  }
}
