/**
 * The layout of the shared statistics of one worker: named counters, then rows (series) of columns, all 64-bit floats.
 *
 * One worker writes, the control thread reads, nobody locks: a cell has a single writer and is eight aligned bytes, and a
 * reader that is one increment late is right a moment later.
 * @module
 */

import { REASON_CODES } from '../reasons.ts';
import { COUNTER_NAMES } from './counters.ts';
import { BUCKETS } from './histogram.ts';

/** Columns of a row. Reasons and latency buckets take as many columns as there are codes and buckets. */
export const COLUMN = {
  opened: 0,
  active: 1,
  bytesReceived: 2,
  bytesSent: 3,
  /** Five columns: 1xx to 5xx. Requests counted by the status class of the final response; 1xx holds upgrades (101). */
  statusClass: 4,
  latencySum: 9,
  latencyBuckets: 10,
  reasons: 10 + BUCKETS,
} as const;

export const COLUMNS = COLUMN.reasons + REASON_CODES.length;

/** What one row counts. `source` is the SPIFFE id of the calling workload. */
export interface SeriesLabels {
  readonly direction: 'outbound' | 'inbound';
  readonly source: string;
  /** 'namespace/service', or 'passthrough' for what lies outside the mesh. */
  readonly destination: string;
  readonly protocol: 'http' | 'tcp';
}

/** Takes what does not fit any more. */
export const OVERFLOW_ROW = 0;
export const OVERFLOW_LABELS: SeriesLabels = {
  direction: 'outbound',
  source: 'other',
  destination: 'other',
  protocol: 'http',
};

export function createStatsBuffer(maxSeries = 1_024): SharedArrayBuffer {
  return new SharedArrayBuffer((COUNTER_NAMES.length + maxSeries * COLUMNS) * Float64Array.BYTES_PER_ELEMENT);
}

export function rowsOf(cells: Float64Array): number {
  return (cells.length - COUNTER_NAMES.length) / COLUMNS;
}

/** First cell of a row. */
export function rowStart(row: number): number {
  return COUNTER_NAMES.length + row * COLUMNS;
}
