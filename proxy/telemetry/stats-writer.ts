/** Counts what a worker does, into its shared buffer. Every call on the hot path is a few additions. @module */

import { REASON_CODES, type ReasonCode } from '../reasons.ts';
import { COUNTER_NAMES, type Counter } from './counters.ts';
import { bucketOf } from './histogram.ts';
import type { Parties } from './parties.ts';
import { RequestRows } from './request-rows.ts';
import { RouteTemplates } from './route-templates.ts';
import { connectionLabels, overflowRow, seriesKey } from './series.ts';
import {
  ACCESS_COLUMNS,
  ACCESS_ROWS,
  type AccessSeriesLabels,
  accessKey,
  accessRowStart,
  COLUMN,
  COLUMNS,
  FIRST_ROW,
  firstAccessRow,
  rowStart,
  rowsOf,
  type SeriesLabels,
} from './stats-table.ts';
import { grpcColumn, statusColumn } from './statuses.ts';

const CELL_OF_COUNTER = Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, i])) as Record<Counter, number>;
const COLUMN_OF_REASON = Object.fromEntries(REASON_CODES.map((code, i) => [code, COLUMN.reasons + i])) as Record<
  ReasonCode,
  number
>;

/** Sweeps that a row may go unused before it is freed; with one a minute, ten minutes. */
export const IDLE_SWEEPS = 10;

/**
 * Told once for each new row, so that the reader learns its labels, and without labels when the row has expired; in a worker it
 * posts a message.
 */
export type SeriesListener = (row: number, labels: SeriesLabels | undefined) => void;
export type AccessSeriesListener = (row: number, labels: AccessSeriesLabels) => void;

export class StatsWriter {
  /** Of the requests this worker sees. */
  readonly templates = new RouteTemplates();
  /** Raised whenever rows were freed: who keeps their numbers has to ask anew. */
  generation = 0;
  readonly #cells: Float64Array;
  readonly #rows = new Map<string, number>();
  readonly #inUse = new Map<number, SeriesLabels>();
  /** Rows that were freed; used before new ones. */
  readonly #free: number[] = [];
  #next = FIRST_ROW;
  #sweep = 0;
  readonly #requests = new Map<string, RequestRows>();
  readonly #onSeries: SeriesListener;
  readonly #onAccessSeries: AccessSeriesListener;
  readonly #accessRows = { rule: new Map<string, number>(), plaintext: new Map<string, number>() };

  /** @param buffer from `createStatsBuffer`; this writer is its only one */
  constructor(buffer: SharedArrayBuffer, onSeries: SeriesListener, onAccessSeries: AccessSeriesListener = () => {}) {
    this.#cells = new Float64Array(buffer);
    this.#onSeries = onSeries;
    this.#onAccessSeries = onAccessSeries;
  }

  /** The row of connections between these two; the overflow row once the table is full. To be kept while one is open, no longer. */
  connections(parties: Parties, protocol: 'http' | 'tcp'): number {
    return this.row(connectionLabels(parties, protocol));
  }

  /** Where requests between these two are counted; may be kept. */
  requests(parties: Parties): RequestRows {
    const { direction, source, sourceService, destination } = parties;
    const key = `${direction} ${source} ${sourceService} ${destination}`;
    let rows = this.#requests.get(key);
    if (rows === undefined) {
      rows = new RequestRows(this, parties);
      // Callers in plaintext and under many names may be any number: who does not fit goes without being found again.
      if (this.#requests.size < rowsOf(this.#cells)) this.#requests.set(key, rows);
    }
    return rows;
  }

  /** The row of these labels; the overflow row of their kind once the table is full. Not the hot path. */
  row(labels: SeriesLabels): number {
    const key = seriesKey(labels);
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = this.#free.pop() ?? (this.#next < rowsOf(this.#cells) ? this.#next++ : -1);
    if (row === -1) {
      this.count('seriesOverflow');
      return overflowRow(labels);
    }
    this.#rows.set(key, row);
    this.#inUse.set(row, labels);
    this.#cells[rowStart(row) + COLUMN.sweep] = this.#sweep;
    this.#onSeries(row, labels);
    return row;
  }

  /**
   * To be called once a minute. Rows in which nothing was counted for ten are given up: the listener is told, and they are used
   * again when `freed` says that their last figures were read.
   */
  sweep(): void {
    const cells = this.#cells;
    const before = this.#inUse.size;
    this.#sweep++;
    for (const [row, labels] of this.#inUse) {
      const at = rowStart(row);
      if (cells[at + COLUMN.active]! > 0 || this.#sweep - cells[at + COLUMN.sweep]! <= IDLE_SWEEPS) continue;
      this.#inUse.delete(row);
      this.#rows.delete(seriesKey(labels));
      this.#onSeries(row, undefined);
    }
    if (this.#inUse.size === before) return;
    this.count('seriesExpired', before - this.#inUse.size);
    this.generation++;
    this.#requests.clear(); // connections keep theirs; the next ones find new ones
    this.templates.keepOnly(this.#inUse.values());
  }

  /** Nobody reads this row under its old labels any more. */
  freed(row: number): void {
    const at = rowStart(row);
    this.#cells.fill(0, at, at + COLUMNS);
    this.#free.push(row);
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
    const at = this.#touch(row);
    this.#cells[at + COLUMN.opened]!++;
    this.#cells[at + COLUMN.active]!++;
  }

  closed(row: number): void {
    this.#cells[this.#touch(row) + COLUMN.active]!--;
  }

  bytes(row: number, received: number, sent: number): void {
    const at = this.#touch(row);
    this.#cells[at + COLUMN.bytesReceived]! += received;
    this.#cells[at + COLUMN.bytesSent]! += sent;
  }

  /** A request that got its final response, from the mesh or from the endpoint. @param status 0 where it got none */
  request(row: number, status: number, milliseconds: number): void {
    const at = this.#touch(row);
    const cells = this.#cells;
    cells[at + COLUMN.statuses + statusColumn(status)]!++;
    cells[at + COLUMN.latencySum]! += milliseconds;
    cells[at + COLUMN.latencyBuckets + bucketOf(milliseconds)]!++;
  }

  /** How a call of gRPC ended, besides `request`. @param status -1 where nobody said */
  grpc(row: number, status: number): void {
    this.#cells[rowStart(row) + COLUMN.grpcStatuses + grpcColumn(status)]!++;
  }

  /** A request that a fault answered, besides `request` and `failure`. */
  injected(row: number, status: number): void {
    this.#cells[rowStart(row) + COLUMN.injected + statusColumn(status)]!++;
  }

  /** Something the mesh refused, answered itself or cut. */
  failure(row: number, reason: ReasonCode): void {
    this.#cells[this.#touch(row) + COLUMN_OF_REASON[reason]]!++;
  }

  #touch(row: number): number {
    const at = rowStart(row);
    this.#cells[at + COLUMN.sweep] = this.#sweep;
    return at;
  }
}
