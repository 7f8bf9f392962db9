/**
 * Reads the shared statistics of all workers as one: rows of equal labels are added up, and what a worker counted before
 * it went away stays counted. Rows that expired everywhere are gone; only the totals remember them.
 * @module
 */

import { REASON_CODES, type ReasonCode } from '../reasons.ts';
import { COUNTER_NAMES, type Counter } from './counters.ts';
import { BUCKETS, quantile } from './histogram.ts';
import { isOfConnections, OVERFLOW, overflowRow, seriesKey } from './series.ts';
import {
  ACCESS_COLUMNS,
  ACCESS_OVERFLOW,
  type AccessSeriesLabels,
  accessKey,
  accessRowStart,
  COLUMN,
  COLUMNS,
  firstAccessRow,
  rowStart,
  type SeriesLabels,
} from './stats-table.ts';
import { IDLE_SWEEPS } from './stats-writer.ts';
import { CLASS_OF_COLUMN, GRPC_NAMES, STATUS_COLUMNS, STATUS_NAMES } from './statuses.ts';

/** A row of connections (`isOfConnections`) has the first two and bytes; one of requests has bytes and what follows. */
export interface SeriesStats {
  readonly labels: SeriesLabels;
  readonly connectionsOpened: number;
  readonly connectionsActive: number;
  /** Of a row of requests: of heads and bodies. Not to be added to those of connections, which carried them. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Requests by status class, 1xx first; 1xx holds upgrades. */
  readonly requests: readonly number[];
  /** The same by exact status; only what occurred. '0': no final response. '4xx': a status of that class that IANA does not know. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests of gRPC by their status, '0' to '16' or 'other'; only what occurred. */
  readonly grpcStatuses: Readonly<Record<string, number>>;
  readonly latencySumMs: number;
  readonly latencyCounts: readonly number[];
  /** Only the reasons that occurred. */
  readonly failures: Readonly<Partial<Record<ReasonCode, number>>>;
  /** Those of `statuses` that a fault answered (reason `fault-injected`); only what occurred. */
  readonly injected: Readonly<Record<string, number>>;
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

/** The rows of one worker. */
interface Attached {
  readonly cells: Float64Array;
  readonly rows: Map<number, Series>;
  readonly accessLabels: Map<number, AccessSeriesLabels>;
}

/** Everything of equal labels. */
interface Series {
  readonly key: string;
  readonly labels: SeriesLabels;
  /** Rows of workers, by their first cells. */
  readonly live: { readonly cells: Float64Array; readonly start: number }[];
  /** What rows counted that are gone, of workers that died or that had nothing more to count here. */
  retired: Float64Array | undefined;
  /** Sweeps since it has no row. */
  idleSweeps: number;
}

export class StatsReader {
  readonly #maxSeries: number;
  readonly #workers = new Map<string, Attached>();
  readonly #series = new Map<string, Series>();
  readonly #overflow = OVERFLOW.map(newSeries);
  readonly #retiredAccess = new Map<string, AccessStats>();
  readonly #retiredCounters = new Float64Array(COUNTER_NAMES.length);
  /** Where the figures of a series are added up; read out before the next one. */
  readonly #sum = new Float64Array(COLUMNS);
  /** Expired series by direction, connections and requests in one. */
  readonly #expired: readonly Series[] = OVERFLOW.map(newSeries);

  /** @param maxSeries of all workers together; what does not fit is read as the overflow series */
  constructor(maxSeries = Number.POSITIVE_INFINITY) {
    this.#maxSeries = maxSeries;
  }

  attach(worker: string, buffer: SharedArrayBuffer): void {
    this.detach(worker);
    const attached: Attached = {
      cells: new Float64Array(buffer),
      rows: new Map(),
      accessLabels: new Map(ACCESS_OVERFLOW.map((labels) => [firstAccessRow(labels.kind), labels])),
    };
    this.#workers.set(worker, attached);
    for (const [row, series] of this.#overflow.entries()) enlist(attached, row, series);
  }

  /**
   * To be called with what the worker's `SeriesListener` is told. Unknown workers are ignored: they may just be gone.
   *
   * @param labels undefined: the row has expired. Its figures are kept; the worker may be told that it is `freed`.
   */
  register(worker: string, row: number, labels: SeriesLabels | undefined): void {
    const attached = this.#workers.get(worker);
    if (attached === undefined) return;
    if (labels === undefined) {
      const series = attached.rows.get(row);
      attached.rows.delete(row);
      if (series !== undefined) retire(series, attached.cells, rowStart(row), IDLE_SWEEPS);
      return;
    }
    enlist(attached, row, this.#seriesOf(labels));
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
    for (const [row, series] of gone.rows) retire(series, gone.cells, rowStart(row), 0);
  }

  /**
   * To be called once a minute, as those of the writers. A series that has had no row for ten minutes vanishes; should it come
   * back, it counts from zero, as Prometheus takes it. While any worker still has it, it never goes back.
   */
  sweep(): void {
    for (const series of this.#series.values()) {
      if (series.live.length > 0) {
        series.idleSweeps = 0;
        continue;
      }
      if (++series.idleSweeps <= IDLE_SWEEPS) continue;
      this.#series.delete(series.key);
      if (series.retired !== undefined) retire(this.#expired[overflowRow(series.labels)]!, series.retired, 0, 0);
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

  /** All series of all workers; the overflow series only if they were used. */
  series(): readonly SeriesStats[] {
    return [...this.each()];
  }

  /** The same one after the other, each as it is when its turn comes. */
  *each(): Generator<SeriesStats> {
    for (const series of this.#series.values()) yield toStats(series, this.#sum);
    for (const series of this.#overflow) {
      const stats = toStats(series, this.#sum);
      if (isUsed(stats)) yield stats;
    }
  }

  /** What access rules decided on all workers; only what occurred. */
  access(): readonly AccessStats[] {
    const merged = new Map(this.#retiredAccess);
    for (const worker of this.#workers.values()) addAccess(merged, worker);
    return [...merged.values()];
  }

  /**
   * Sums over the series that `chosen` accepts; by default the outbound ones, so that a request counts once a node. What expired
   * is counted under the labels of the overflow series.
   */
  totals(chosen: (labels: SeriesLabels) => boolean = (labels) => labels.direction === 'outbound'): Totals {
    const all = [...this.each(), ...this.#expired.map((series) => toStats(series, this.#sum))].filter(({ labels }) =>
      chosen(labels),
    );
    const ofConnections = all.filter(({ labels }) => isOfConnections(labels));
    const sum = (of: (stats: SeriesStats) => number, among = all): number =>
      among.reduce((total, stats) => total + of(stats), 0);
    const latency = Array.from({ length: BUCKETS }, (_, i) => sum((stats) => stats.latencyCounts[i]!));
    return {
      connectionsActive: sum((stats) => stats.connectionsActive),
      requests: sum((stats) => stats.requests.reduce((a, b) => a + b, 0)),
      serverErrors: sum((stats) => stats.requests[4]!),
      failures: sum((stats) => Object.values(stats.failures).reduce((a, b) => a + b, 0)),
      bytesReceived: sum((stats) => stats.bytesReceived, ofConnections),
      bytesSent: sum((stats) => stats.bytesSent, ofConnections),
      p50Ms: quantile(latency, 0.5),
      p99Ms: quantile(latency, 0.99),
    };
  }

  #seriesOf(labels: SeriesLabels): Series {
    const key = seriesKey(labels);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= this.#maxSeries) return this.#overflow[overflowRow(labels)]!;
    const series = newSeries(labels);
    this.#series.set(key, series);
    return series;
  }
}

function newSeries(labels: SeriesLabels): Series {
  return { key: seriesKey(labels), labels, live: [], retired: undefined, idleSweeps: 0 };
}

function enlist({ rows, cells }: Attached, row: number, series: Series): void {
  rows.set(row, series);
  series.live.push({ cells, start: rowStart(row) });
}

/** A row is no more: what it counted stays, but for connections, which ended with it. */
function retire(series: Series, cells: Float64Array, start: number, idleSweeps: number): void {
  const at = series.live.findIndex((row) => row.cells === cells && row.start === start);
  if (at !== -1) series.live.splice(at, 1);
  series.retired ??= new Float64Array(COLUMNS);
  for (let i = 0; i < COLUMNS; i++) series.retired[i]! += cells[start + i]!;
  series.retired[COLUMN.active] = 0;
  series.idleSweeps = idleSweeps;
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

/** @param sum room to add up in */
function toStats({ labels, live, retired }: Series, sum: Float64Array): SeriesStats {
  if (retired === undefined) sum.fill(0);
  else sum.set(retired);
  for (const { cells, start } of live) for (let i = 0; i < COLUMNS; i++) sum[i]! += cells[start + i]!;
  const requests = [0, 0, 0, 0, 0];
  const statuses: Record<string, number> = {};
  const latencyCounts = new Array<number>(BUCKETS);
  for (let i = 0; i < BUCKETS; i++) latencyCounts[i] = sum[COLUMN.latencyBuckets + i]!;
  for (let i = 0; i < STATUS_COLUMNS; i++) {
    const count = sum[COLUMN.statuses + i]!;
    if (count === 0) continue;
    statuses[STATUS_NAMES[i]!] = count;
    if (i > 0) requests[CLASS_OF_COLUMN[i]!]! += count;
  }
  return {
    labels,
    connectionsOpened: sum[COLUMN.opened]!,
    connectionsActive: sum[COLUMN.active]!,
    bytesReceived: sum[COLUMN.bytesReceived]!,
    bytesSent: sum[COLUMN.bytesSent]!,
    requests,
    statuses,
    grpcStatuses: occurred(GRPC_NAMES, sum, COLUMN.grpcStatuses),
    latencySumMs: sum[COLUMN.latencySum]!,
    latencyCounts,
    failures: occurred(REASON_CODES, sum, COLUMN.reasons),
    injected: occurred(STATUS_NAMES, sum, COLUMN.injected),
  };
}

function occurred<K extends string>(names: readonly K[], sum: Float64Array, first: number): Record<K, number> {
  const some = {} as Record<K, number>;
  for (let i = 0; i < names.length; i++) if (sum[first + i]! > 0) some[names[i]!] = sum[first + i]!;
  return some;
}

function isUsed({ connectionsOpened, statuses }: SeriesStats): boolean {
  return connectionsOpened > 0 || Object.keys(statuses).length > 0;
}
