/**
 * What was counted between two readings of the shared statistics, as rows of the history.
 *
 * Counters only grow, but for a series that was forgotten and came anew: it counts from zero then.
 * @module
 */
import { BUCKETS } from '../../proxy/telemetry/histogram.ts';
import type { SeriesStats } from '../../proxy/telemetry/stats-reader.ts';
import { FAULT, GRPC_FAILED, outcomesOf } from './outcomes.ts';
import { emptyMeasures, type HistoryRow, isNothing, labelsKey, RollUp, type RowLabels, SCALAR } from './rows.ts';

/** What series may say beside the fields that they always had. */
interface Detailed {
  readonly sourceService?: string;
  readonly version?: string;
  readonly route?: string;
  readonly method?: string;
}
interface DetailedCounts {
  /** By exact status, by name. */
  readonly statuses?: Readonly<Record<string, number>>;
  readonly grpcStatuses?: Readonly<Record<string, number>>;
  readonly injected?: Readonly<Record<string, number>>;
}

export type Reading = ReadonlyMap<string, { readonly labels: RowLabels; readonly stats: SeriesStats }>;

export function readingOf(series: readonly SeriesStats[]): Reading {
  return new Map(
    series.map((stats) => {
      const labels = rowLabels(stats);
      return [labelsKey(labels), { labels, stats }];
    }),
  );
}

/**
 * @param maxRows rows of the step; what is over that is added up in a row `other`, the least busy first
 * @returns only rows of which there is something to say
 */
export function countedBetween(before: Reading, now: Reading, maxRows: number): readonly HistoryRow[] {
  const rows: HistoryRow[] = [];
  for (const [key, { labels, stats }] of now) {
    const row = { labels, measures: difference(before.get(key)?.stats, stats) };
    if (!isNothing(row.measures)) rows.push(row);
  }
  if (rows.length <= maxRows) return rows;
  rows.sort((a, b) => weight(b) - weight(a));
  const capped = new RollUp(maxRows - 2); // two more: `other` of either direction
  capped.add({ atMs: 0, rows });
  return capped.rows();
}

function weight({ measures: { scalars } }: HistoryRow): number {
  return scalars[SCALAR.requests]! + scalars[SCALAR.connectionsOpened]! + scalars[SCALAR.meshFailed]!;
}

function rowLabels({ labels }: SeriesStats): RowLabels {
  const { sourceService = '', version = '', route = '', method = '' } = labels as Detailed;
  const { direction, source, destination, protocol } = labels;
  return { direction, source, sourceService, destination, protocol, version, route, method };
}

function difference(before: SeriesStats | undefined, now: SeriesStats) {
  const isAnew =
    before !== undefined &&
    (before.connectionsOpened > now.connectionsOpened || sum(before.requests) > sum(now.requests));
  const then = isAnew ? undefined : before;
  const less = (key: 'connectionsOpened' | 'bytesReceived' | 'bytesSent') => now[key] - (then?.[key] ?? 0);
  const classes = now.requests.map((count, i) => count - (then?.requests[i] ?? 0));
  const failures = differences(then?.failures, now.failures);
  const [earlier, later] = [then as DetailedCounts | undefined, now as DetailedCounts];
  const statuses = later.statuses === undefined ? byClass(classes) : differences(earlier?.statuses, later.statuses);
  const grpc = differences(earlier?.grpcStatuses, later.grpcStatuses ?? {});
  const grpcFailed = GRPC_FAILED.reduce((total, status) => total + (grpc[status] ?? 0), 0);
  const injected = differences(earlier?.injected, later.injected ?? {});
  const outcomes = outcomesOf(classes, failures, grpcFailed, byStatus(injected));
  const measures = emptyMeasures();
  const { scalars, latency, reasons } = measures;
  scalars[SCALAR.requests] = sum(classes) + (statuses['0'] ?? 0); // those without a response are in no class
  scalars[SCALAR.clientErrors] = outcomes.clientErrors;
  scalars[SCALAR.appFailed] = outcomes.appFailed;
  scalars[SCALAR.meshFailed] = outcomes.meshFailed;
  scalars[SCALAR.denied] = outcomes.denied;
  scalars[SCALAR.bytesReceived] = less('bytesReceived');
  scalars[SCALAR.bytesSent] = less('bytesSent');
  scalars[SCALAR.connectionsOpened] = less('connectionsOpened');
  scalars[SCALAR.inFlight] = Math.max(0, now.connectionsActive);
  for (let i = 0; i < BUCKETS; i++) latency[i] = (now.latencyCounts[i] ?? 0) - (then?.latencyCounts[i] ?? 0);
  for (const [reason, count] of Object.entries(failures)) if (count > 0) reasons.set(reason, count);
  for (const [status, count] of Object.entries(statuses)) if (count > 0) measures.statuses.set(status, count);
  for (const [status, count] of Object.entries(grpc)) if (count > 0) measures.statuses.set(`grpc ${status}`, count);
  for (const [status, count] of Object.entries(injected)) if (count > 0) measures.statuses.set(FAULT + status, count);
  return measures;
}

function byClass(classes: readonly number[]): Record<string, number> {
  return Object.fromEntries(classes.map((count, i) => [`${i + 1}xx`, count]));
}

/** By class, 1xx first. */
function byStatus(statuses: Readonly<Record<string, number>>): readonly number[] {
  const classes = [0, 0, 0, 0, 0];
  for (const [status, count] of Object.entries(statuses)) {
    if (/^[1-5]/.test(status)) classes[Number(status[0]) - 1]! += count;
  }
  return classes;
}

type Counts = Readonly<Partial<Record<string, number>>>;

function differences(before: Counts | undefined, now: Counts): Record<string, number> {
  return Object.fromEntries(Object.entries(now).map(([name, count = 0]) => [name, count - (before?.[name] ?? 0)]));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
