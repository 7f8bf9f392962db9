/** Latencies of one run. @module */
import { createHistogram } from 'node:perf_hooks';
import type { LoadResult } from './load.ts';

export class Latencies {
  readonly #histogram = createHistogram();
  failed = 0;

  /** @param startedMs on the clock of performance.now() */
  add(startedMs: number): void {
    this.#histogram.record(Math.max(1, Math.round((performance.now() - startedMs) * 1e6)));
  }

  result(seconds: number): LoadResult {
    const ms = (percentile: number): number => this.#histogram.percentile(percentile) / 1e6;
    return {
      count: this.#histogram.count,
      seconds,
      failed: this.failed,
      p50Ms: ms(50),
      p99Ms: ms(99),
      p999Ms: ms(99.9),
    };
  }
}
