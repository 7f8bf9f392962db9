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
import { OVERFLOW } from './series.ts';
import { GRPC_COLUMNS, STATUS_COLUMNS } from './statuses.ts';

export type { SeriesLabels } from './series.ts';

const LATENCY = 6;
const STATUS = LATENCY + BUCKETS;
const GRPC = STATUS + STATUS_COLUMNS;
const REASON = GRPC + GRPC_COLUMNS;
const INJECTED = REASON + REASON_CODES.length;

/**
 * Columns of a row. Latency buckets, statuses and reasons take as many columns as there are of them. A row of connections uses the
 * first, one of requests the later; memory that is never touched costs nothing, so that both may be as wide.
 */
export const COLUMN = {
  opened: 0,
  active: 1,
  bytesReceived: 2,
  bytesSent: 3,
  /** The writer's sweep in which the row was last written. */
  sweep: 4,
  latencySum: 5,
  latencyBuckets: LATENCY,
  /** Requests by final status: `statusColumn`. */
  statuses: STATUS,
  /** Those of gRPC once more: `grpcColumn`. */
  grpcStatuses: GRPC,
  reasons: REASON,
  /** Requests that a fault answered, by final status, once more: `statusColumn`. Of reasons the status is known, of faults it is chosen. */
  injected: INJECTED,
} as const;

export const COLUMNS = INJECTED + STATUS_COLUMNS;

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

/** Rows from here on are given out; those before take what does not fit. */
export const FIRST_ROW = OVERFLOW.length;

const SERIES_START = COUNTER_NAMES.length + ACCESS_CELLS;

/** @param maxSeries rows besides those that take what does not fit */
export function createStatsBuffer(maxSeries = 1_024): SharedArrayBuffer {
  return new SharedArrayBuffer((SERIES_START + (FIRST_ROW + maxSeries) * COLUMNS) * Float64Array.BYTES_PER_ELEMENT);
}

/** Makes a buffer as good as new, once its writer and its reader are gone. Pages that were never written to stay so. */
export function clearStatsBuffer(buffer: SharedArrayBuffer): void {
  const cells = new Float64Array(buffer);
  for (let i = 0; i < cells.length; i++) if (cells[i] !== 0) cells[i] = 0;
}

export function rowsOf(cells: Float64Array): number {
  return (cells.length - SERIES_START) / COLUMNS;
}

/** First cell of a row. */
export function rowStart(row: number): number {
  return SERIES_START + row * COLUMNS;
}
