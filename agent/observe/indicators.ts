/** What counts against an objective, read from figures: requests that failed, and those that were too slow. Pure. @module */
import { BUCKET_BOUNDS_MS, BUCKETS } from '../../proxy/telemetry/histogram.ts';
import type { FiguresRow } from '../history/figures.ts';
import type { Counted, Objective } from './slo.ts';

/**
 * Steps of each indicator of the objective, one at least. A request that failed late counts once in each: they are judged apart,
 * for nobody knows how many are both.
 */
export function indicatorsOf(
  row: FiguresRow,
  { countsFailures, latencyMs }: Pick<Objective, 'countsFailures' | 'latencyMs'>,
): readonly (Counted | null)[][] {
  return [
    ...(countsFailures || latencyMs === undefined ? [failures(row)] : []),
    ...(latencyMs === undefined ? [] : [slow(row, latencyMs)]),
  ];
}

/** What the client asked for wrongly, or policy refused, is not the service's failure. */
function failures({ requests, appFailed, meshFailed }: FiguresRow): (Counted | null)[] {
  return requests.map((count, i) =>
    count === null ? null : { requests: count, failed: (appFailed[i] ?? 0) + (meshFailed[i] ?? 0) },
  );
}

function slow({ requests, latency }: FiguresRow, thresholdMs: number): (Counted | null)[] {
  return requests.map((count, i) =>
    count === null || latency === undefined
      ? null
      : slowIn(latency.subarray(i * BUCKETS, (i + 1) * BUCKETS), thresholdMs),
  );
}

/** Of the bucket that the threshold is in, those above it by its share, as percentiles are read. */
export function slowIn(counts: Float64Array, thresholdMs: number): Counted {
  let [requests, failed] = [0, 0];
  for (let i = 0; i < counts.length; i++) {
    const lower = i === 0 ? 0 : BUCKET_BOUNDS_MS[i - 1]!;
    const upper = BUCKET_BOUNDS_MS[i] ?? lower * Math.SQRT2;
    const share = (upper - thresholdMs) / (upper - lower);
    requests += counts[i]!;
    failed += counts[i]! * Math.min(1, Math.max(0, share));
  }
  return { requests, failed };
}
