/**
 * Peak-EWMA: the load of an endpoint is how long it lately took to answer, times the requests that wait there and one more.
 * A slower answer counts in full and at once, faster ones bring the average down over time, and so does silence. Source:
 * Finagle's PeakEwma (twitter.github.io/finagle, `Balancers.p2cPeakEwma`). Differs in two ways: reading does not write, and
 * a floor keeps differences that are smaller than what a busy machine adds by chance from steering.
 * @module
 */

/** In which an old latency loses 63 % of its weight. Finagle: 10 s. Lower forgets a hiccup sooner, and a slow endpoint too. */
const DECAY_MS = 5_000;
const FLOOR_MS = 1;
/** What a failure to connect is taken for, which is quick and would look like a strength. */
export const FAILURE_MS = 100;

const COST = 0;
const AT = 1;

export class PeakEwma {
  /** Latency and the instant it was worked out at. Doubles in place: a number field would be made anew by each write. */
  readonly #cells = new Float64Array(2);

  /** Whether nothing was observed yet. */
  get isUnknown(): boolean {
    return this.#cells[AT] === 0;
  }

  get observedAtMs(): number {
    return this.#cells[AT]!;
  }

  observe(latencyMs: number, nowMs: number): void {
    const cells = this.#cells;
    const costMs = cells[COST]!;
    if (latencyMs > costMs || cells[AT] === 0) cells[COST] = latencyMs;
    else {
      const kept = Math.exp((cells[AT]! - nowMs) / DECAY_MS);
      cells[COST] = costMs * kept + latencyMs * (1 - kept);
    }
    cells[AT] = nowMs;
  }

  costMs(nowMs: number): number {
    const cells = this.#cells;
    return FLOOR_MS + cells[COST]! * Math.exp((cells[AT]! - nowMs) / DECAY_MS);
  }
}
