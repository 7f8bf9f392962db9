/** Counts what a worker does, into its shared buffer. Every call on the hot path is a few additions. @module */

import { REASON_CODES, type ReasonCode } from '../reasons.ts';
import { COUNTER_NAMES, type Counter } from './counters.ts';
import { bucketOf } from './histogram.ts';
import {
  ACCESS_COLUMNS,
  ACCESS_ROWS,
  type AccessSeriesLabels,
  accessKey,
  accessRowStart,
  COLUMN,
  firstAccessRow,
  OVERFLOW_ROW,
  rowStart,
  rowsOf,
  type SeriesLabels,
} from './stats-table.ts';

const CELL_OF_COUNTER = Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, i])) as Record<Counter, number>;
const COLUMN_OF_REASON = Object.fromEntries(REASON_CODES.map((code, i) => [code, COLUMN.reasons + i])) as Record<
  ReasonCode,
  number
>;

/** Told once for each new row, so that the reader learns its labels; in a worker it posts a message. */
export type SeriesListener = (row: number, labels: SeriesLabels) => void;
export type AccessSeriesListener = (row: number, labels: AccessSeriesLabels) => void;

export class StatsWriter {
  readonly #cells: Float64Array;
  readonly #rows = new Map<string, number>();
  readonly #maxRows: number;
  readonly #onSeries: SeriesListener;
  readonly #onAccessSeries: AccessSeriesListener;
  readonly #accessRows = { rule: new Map<string, number>(), plaintext: new Map<string, number>() };

  /** @param buffer from `createStatsBuffer`; this writer is its only one */
  constructor(buffer: SharedArrayBuffer, onSeries: SeriesListener, onAccessSeries: AccessSeriesListener = () => {}) {
    this.#cells = new Float64Array(buffer);
    this.#maxRows = rowsOf(this.#cells);
    this.#onSeries = onSeries;
    this.#onAccessSeries = onAccessSeries;
  }

  /** The row of these labels; the overflow row once the table is full. Once per connection, not per request. */
  series(labels: SeriesLabels): number {
    const { direction, source, destination, protocol } = labels;
    const key = `${direction} ${protocol} ${source} ${destination}`;
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = this.#rows.size + 1;
    if (row >= this.#maxRows) {
      this.count('seriesOverflow');
      return OVERFLOW_ROW;
    }
    this.#rows.set(key, row);
    this.#onSeries(row, labels);
    return row;
  }

  /** The row of access decisions of these labels; the overflow row of their kind once there are too many. */
  accessSeries(labels: AccessSeriesLabels): number {
    const { kind } = labels;
    const rows = this.#accessRows[kind];
    const key = accessKey(labels);
    const known = rows.get(key);
    if (known !== undefined) return known;
    const first = firstAccessRow(kind);
    if (rows.size + 1 >= ACCESS_ROWS[kind]) {
      this.count('seriesOverflow');
      return first;
    }
    const row = first + rows.size + 1;
    rows.set(key, row);
    this.#onAccessSeries(row, labels);
    return row;
  }

  accessHit(row: number, nowMs: number): void {
    const at = accessRowStart(row);
    this.#cells[at + ACCESS_COLUMNS.count]!++;
    this.#cells[at + ACCESS_COLUMNS.lastMs] = nowMs;
  }

  count(counter: Counter, by = 1): void {
    this.#cells[CELL_OF_COUNTER[counter]]! += by;
  }

  opened(row: number): void {
    const at = rowStart(row);
    this.#cells[at + COLUMN.opened]!++;
    this.#cells[at + COLUMN.active]!++;
  }

  closed(row: number): void {
    this.#cells[rowStart(row) + COLUMN.active]!--;
  }

  bytes(row: number, received: number, sent: number): void {
    const at = rowStart(row);
    this.#cells[at + COLUMN.bytesReceived]! += received;
    this.#cells[at + COLUMN.bytesSent]! += sent;
  }

  /** A request that got its final response, from the mesh or from the endpoint. */
  request(row: number, status: number, milliseconds: number): void {
    const at = rowStart(row);
    const cells = this.#cells;
    cells[at + COLUMN.statusClass + Math.floor(status / 100) - 1]!++;
    cells[at + COLUMN.latencySum]! += milliseconds;
    cells[at + COLUMN.latencyBuckets + bucketOf(milliseconds)]!++;
  }

  /** Something the mesh refused, answered itself or cut. */
  failure(row: number, reason: ReasonCode): void {
    this.#cells[rowStart(row) + COLUMN_OF_REASON[reason]]!++;
  }
}
