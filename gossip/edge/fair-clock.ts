/**
 * A monotonic clock that does not count the time its own thread stood still.
 *
 * Deadlines about others must not pass while we could not listen: after a stall of three seconds, everybody would look
 * three seconds late. A step longer than `MAX_STEP_MS` between two looks at the clock is such a stall, because the ticker
 * looks at it more often; the excess is left out of the time that counts.
 * @module
 */

const TICK_MS = 100;
const MAX_STEP_MS = 250;

export class FairClock {
  readonly #realMs: () => number;
  readonly #onStall: (forMs: number) => void;
  readonly #ticker: NodeJS.Timeout;
  #lastMs: number;
  #lostMs = 0;

  /** @param onStall called in the tick that finds it, before any timer of this clock is due */
  constructor(onStall: (forMs: number) => void, realMs: () => number = () => performance.now()) {
    this.#realMs = realMs;
    this.#onStall = onStall;
    this.#lastMs = realMs();
    this.#ticker = setInterval(() => this.nowMs(), TICK_MS);
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

  stop(): void {
    clearInterval(this.#ticker);
  }
}
