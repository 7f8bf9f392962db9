/**
 * The layout of the shared statistics of one worker: named counters, then what access rules decided, then rows (series) of
 * columns, all 64-bit floats.
 *
 * One worker writes, the control thread reads, nobody locks: a cell has a single writer and is eight aligned bytes, and a
 * reader that is one increment late is right a moment later.
 * @module
 */

import type { AccessLabels } from '../access/compile.ts';
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

/** What a row of access decisions counts: a rule, or callers in plaintext by address. */
export type AccessSeriesLabels =
  | ({ readonly kind: 'rule' } & AccessLabels)
  | {
      readonly kind: 'plaintext';
      readonly source: string;
      /** 'namespace/service'. */
      readonly destination: string;
      readonly port: number;
    };

/** Rows of access decisions by kind, the first of each for what does not fit: who calls in plaintext is anybody's choice. */
export const ACCESS_ROWS = { rule: 1_024, plaintext: 256 } as const;
export const ACCESS_COLUMNS = { count: 0, lastMs: 1 } as const;
const ACCESS_STRIDE = 2;
const ACCESS_CELLS = (ACCESS_ROWS.rule + ACCESS_ROWS.plaintext) * ACCESS_STRIDE;

/** First row of a kind, which is its overflow row. */
export function firstAccessRow(kind: AccessSeriesLabels['kind']): number {
  return kind === 'rule' ? 0 : ACCESS_ROWS.rule;
}

export const ACCESS_OVERFLOW: readonly AccessSeriesLabels[] = [
  { kind: 'rule', policy: 'other', rule: 'other', action: 'AUDIT', isDryRun: false },
  { kind: 'plaintext', source: 'other', destination: 'other', port: 0 },
];

/** The same for the same labels only: no name contains a space. */
export function accessKey(labels: AccessSeriesLabels): string {
  return labels.kind === 'rule'
    ? `${labels.policy} ${labels.action} ${labels.isDryRun} ${labels.rule}`
    : `${labels.source} ${labels.destination} ${labels.port}`;
}

/** First cell of a row of access decisions. */
export function accessRowStart(row: number): number {
  return COUNTER_NAMES.length + row * ACCESS_STRIDE;
}

/** Takes what does not fit any more. */
export const OVERFLOW_ROW = 0;
export const OVERFLOW_LABELS: SeriesLabels = {
  direction: 'outbound',
  source: 'other',
  destination: 'other',
  protocol: 'http',
};

const SERIES_START = COUNTER_NAMES.length + ACCESS_CELLS;

export function createStatsBuffer(maxSeries = 1_024): SharedArrayBuffer {
  return new SharedArrayBuffer((SERIES_START + maxSeries * COLUMNS) * Float64Array.BYTES_PER_ELEMENT);
}

export function rowsOf(cells: Float64Array): number {
  return (cells.length - SERIES_START) / COLUMNS;
}

/** First cell of a row. */
export function rowStart(row: number): number {
  return SERIES_START + row * COLUMNS;
}
