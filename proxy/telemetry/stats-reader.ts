/**
 * Reads the shared statistics of all workers as one: rows of equal labels are added up, and what a worker counted before
 * it went away stays counted.
 * @module
 */

import { REASON_CODES, type ReasonCode } from '../reasons.ts';
import { COUNTER_NAMES, type Counter } from './counters.ts';
import { BUCKETS, quantile } from './histogram.ts';
import {
  ACCESS_COLUMNS,
  ACCESS_OVERFLOW,
  type AccessSeriesLabels,
  accessKey,
  accessRowStart,
  COLUMN,
  COLUMNS,
  firstAccessRow,
  OVERFLOW_LABELS,
  OVERFLOW_ROW,
  rowStart,
  type SeriesLabels,
} from './stats-table.ts';

export interface SeriesStats {
  readonly labels: SeriesLabels;
  readonly connectionsOpened: number;
  readonly connectionsActive: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Requests by status class, 1xx first; 1xx holds upgrades. */
  readonly requests: readonly number[];
  readonly latencySumMs: number;
  readonly latencyCounts: readonly number[];
  /** Only the reasons that occurred. */
  readonly failures: Readonly<Partial<Record<ReasonCode, number>>>;
}

/** How often a rule decided or would have, or somebody called in plaintext. */
export interface AccessStats {
  readonly labels: AccessSeriesLabels;
  readonly count: number;
  /** The last time, by the clock of the node. */
  readonly lastMs: number;
}

export interface Totals {
  readonly connectionsActive: number;
  readonly requests: number;
  /** Final responses of class 5xx. */
  readonly serverErrors: number;
  readonly failures: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Milliseconds; undefined where there was no request. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

interface Attached {
  readonly cells: Float64Array;
  readonly labels: Map<number, SeriesLabels>;
  readonly accessLabels: Map<number, AccessSeriesLabels>;
}

export class StatsReader {
  readonly #workers = new Map<string, Attached>();
  /** What detached workers counted. */
  readonly #retired = new Map<string, { labels: SeriesLabels; cells: Float64Array }>();
  readonly #retiredAccess = new Map<string, AccessStats>();
  readonly #retiredCounters = new Float64Array(COUNTER_NAMES.length);

  attach(worker: string, buffer: SharedArrayBuffer): void {
    this.detach(worker);
    this.#workers.set(worker, {
      cells: new Float64Array(buffer),
      labels: new Map([[OVERFLOW_ROW, OVERFLOW_LABELS]]),
      accessLabels: new Map(ACCESS_OVERFLOW.map((labels) => [firstAccessRow(labels.kind), labels])),
    });
  }

  /** To be called with what the worker's `SeriesListener` is told. Unknown workers are ignored: they may just be gone. */
  register(worker: string, row: number, labels: SeriesLabels): void {
    this.#workers.get(worker)?.labels.set(row, labels);
  }

  /** The same for what its `AccessSeriesListener` is told. */
  registerAccess(worker: string, row: number, labels: AccessSeriesLabels): void {
    this.#workers.get(worker)?.accessLabels.set(row, labels);
  }

  detach(worker: string): void {
    const gone = this.#workers.get(worker);
    if (gone === undefined) return;
    this.#workers.delete(worker);
    for (let i = 0; i < COUNTER_NAMES.length; i++) this.#retiredCounters[i]! += gone.cells[i]!;
    addAccess(this.#retiredAccess, gone);
    for (const [row, labels] of gone.labels) {
      add(this.#retired, labels, gone.cells, rowStart(row));
      this.#retired.get(keyOf(labels))!.cells[COLUMN.active] = 0; // its connections died with it
    }
  }

  counters(): Readonly<Record<Counter, number>> {
    const sums = COUNTER_NAMES.map((name, i): [Counter, number] => {
      let sum = this.#retiredCounters[i]!;
      for (const { cells } of this.#workers.values()) sum += cells[i]!;
      return [name, sum];
    });
    return Object.fromEntries(sums) as Record<Counter, number>;
  }

  /** All series of all workers; the overflow row only if it was used. */
  series(): readonly SeriesStats[] {
    const merged = new Map<string, { labels: SeriesLabels; cells: Float64Array }>();
    for (const { labels, cells } of this.#retired.values()) add(merged, labels, cells, 0);
    for (const worker of this.#workers.values()) {
      for (const [row, labels] of worker.labels) add(merged, labels, worker.cells, rowStart(row));
    }
    return [...merged.values()]
      .map(({ labels, cells }) => toStats(labels, cells))
      .filter((stats) => stats.labels !== OVERFLOW_LABELS || stats.connectionsOpened > 0);
  }

  /** What access rules decided on all workers; only what occurred. */
  access(): readonly AccessStats[] {
    const merged = new Map(this.#retiredAccess);
    for (const worker of this.#workers.values()) addAccess(merged, worker);
    return [...merged.values()];
  }

  /** Sums over the series that `chosen` accepts; by default the outbound ones, so that a request counts once a node. */
  totals(chosen: (labels: SeriesLabels) => boolean = (labels) => labels.direction === 'outbound'): Totals {
    const chosenSeries = this.series().filter(({ labels }) => chosen(labels));
    const sum = (of: (stats: SeriesStats) => number): number =>
      chosenSeries.reduce((total, stats) => total + of(stats), 0);
    const latency = Array.from({ length: BUCKETS }, (_, i) => sum((stats) => stats.latencyCounts[i]!));
    return {
      connectionsActive: sum((stats) => stats.connectionsActive),
      requests: sum((stats) => stats.requests.reduce((a, b) => a + b, 0)),
      serverErrors: sum((stats) => stats.requests[4]!),
      failures: sum((stats) => Object.values(stats.failures).reduce((a, b) => a + b, 0)),
      bytesReceived: sum((stats) => stats.bytesReceived),
      bytesSent: sum((stats) => stats.bytesSent),
      p50Ms: quantile(latency, 0.5),
      p99Ms: quantile(latency, 0.99),
    };
  }
}

function keyOf({ direction, source, destination, protocol }: SeriesLabels): string {
  return `${direction} ${protocol} ${source} ${destination}`;
}

function addAccess(into: Map<string, AccessStats>, { cells, accessLabels }: Attached): void {
  for (const [row, labels] of accessLabels) {
    const at = accessRowStart(row);
    const count = cells[at + ACCESS_COLUMNS.count]!;
    if (count === 0) continue;
    const key = `${labels.kind} ${accessKey(labels)}`;
    const known = into.get(key);
    const lastMs = Math.max(known?.lastMs ?? 0, cells[at + ACCESS_COLUMNS.lastMs]!);
    into.set(key, { labels, count: count + (known?.count ?? 0), lastMs });
  }
}

function add(
  into: Map<string, { labels: SeriesLabels; cells: Float64Array }>,
  labels: SeriesLabels,
  cells: Float64Array,
  start: number,
): void {
  const key = keyOf(labels);
  let row = into.get(key);
  if (row === undefined) {
    row = { labels, cells: new Float64Array(COLUMNS) };
    into.set(key, row);
  }
  for (let i = 0; i < COLUMNS; i++) row.cells[i]! += cells[start + i]!;
}

function toStats(labels: SeriesLabels, cells: Float64Array): SeriesStats {
  const failures: Partial<Record<ReasonCode, number>> = {};
  for (const [i, code] of REASON_CODES.entries()) {
    const count = cells[COLUMN.reasons + i]!;
    if (count > 0) failures[code] = count;
  }
  return {
    labels,
    connectionsOpened: cells[COLUMN.opened]!,
    connectionsActive: cells[COLUMN.active]!,
    bytesReceived: cells[COLUMN.bytesReceived]!,
    bytesSent: cells[COLUMN.bytesSent]!,
    requests: Array.from(cells.subarray(COLUMN.statusClass, COLUMN.statusClass + 5)),
    latencySumMs: cells[COLUMN.latencySum]!,
    latencyCounts: Array.from(cells.subarray(COLUMN.latencyBuckets, COLUMN.latencyBuckets + BUCKETS)),
    failures,
  };
}
