/** Rates, ratios and latencies of counted figures. What nobody counted is null, and so is a share of nothing. Pure. @module */
import type { Column, Figures, FiguresRow } from '../../history/figures.ts';
import type { Series, Signals } from '../shapes/common.ts';

export const UNKNOWN: Signals = {
  requestsPerSec: null,
  appFailedRatio: null,
  meshFailedRatio: null,
  deniedRatio: null,
  p50Ms: null,
  p99Ms: null,
  bytesPerSec: null,
};

/** Counts of a row over all its steps; null where no step was counted. */
export interface Totals {
  readonly requests: number | null;
  readonly appFailed: number;
  readonly meshFailed: number;
  readonly denied: number;
  readonly bytes: number;
  readonly connections: number;
}

export function totalsOf(row: FiguresRow): Totals {
  return {
    requests: sum(row.requests),
    appFailed: sum(row.appFailed) ?? 0,
    meshFailed: sum(row.meshFailed) ?? 0,
    denied: sum(row.denied) ?? 0,
    bytes: (sum(row.bytesReceived) ?? 0) + (sum(row.bytesSent) ?? 0),
    connections: sum(row.connectionsOpened) ?? 0,
  };
}

/** @param row of figures with one step for all: quantiles of several cannot be put together */
export function signalsOf(row: FiguresRow | undefined, figures: Pick<Figures, 'coveredMs'>): Signals {
  const seconds = figures.coveredMs.reduce((all, ms) => all + ms, 0) / 1_000;
  if (row === undefined || seconds === 0) return UNKNOWN;
  const { requests, appFailed, meshFailed, denied, bytes } = totalsOf(row);
  if (requests === null) return UNKNOWN;
  return {
    requestsPerSec: requests / seconds,
    appFailedRatio: share(appFailed, requests),
    meshFailedRatio: share(meshFailed, requests),
    deniedRatio: share(denied, requests),
    p50Ms: row.p50Ms[0] ?? null,
    p99Ms: row.p99Ms[0] ?? null,
    bytesPerSec: bytes / seconds,
  };
}

export function failedRatio({ appFailedRatio, meshFailedRatio }: Signals): number | null {
  return appFailedRatio === null || meshFailedRatio === null ? null : appFailedRatio + meshFailedRatio;
}

export function seriesOf(row: FiguresRow | undefined, { startMs, stepMs, coveredMs }: Figures): Series {
  const steps = coveredMs.map((_, i) => i);
  const rate = (column: Column | undefined) => steps.map((i) => perSecond(column?.[i] ?? null, coveredMs[i] ?? 0));
  const ratio = (column: Column | undefined) =>
    steps.map((i) => {
      const [part, all] = [column?.[i] ?? null, row?.requests[i] ?? null];
      return part === null || all === null ? null : share(part, all);
    });
  const plain = (column: Column | undefined) => steps.map((i) => column?.[i] ?? null);
  return {
    startMs,
    stepMs,
    requestsPerSec: rate(row?.requests),
    appFailedRatio: ratio(row?.appFailed),
    meshFailedRatio: ratio(row?.meshFailed),
    p50Ms: plain(row?.p50Ms),
    p95Ms: plain(row?.p95Ms),
    p99Ms: plain(row?.p99Ms),
    inFlight: plain(row?.inFlight),
    bytesPerSec: steps.map((i) => {
      const [inn, out] = [row?.bytesReceived[i] ?? null, row?.bytesSent[i] ?? null];
      return inn === null && out === null ? null : perSecond((inn ?? 0) + (out ?? 0), coveredMs[i] ?? 0);
    }),
  };
}

/** A second, by class of statuses. */
export function statusesOf(
  row: FiguresRow | undefined,
  { coveredMs }: Pick<Figures, 'coveredMs'>,
): Readonly<Record<string, Column>> {
  const classes = Object.entries(row?.statusSteps ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    classes.map(([name, counts]) => [name, coveredMs.map((ms, i) => perSecond(counts[i] ?? null, ms))]),
  );
}

/** Null where nothing was counted in any step. */
export function sum(column: Column): number | null {
  let all: number | null = null;
  for (const value of column) if (value !== null) all = (all ?? 0) + value;
  return all;
}

export function share(part: number, all: number): number | null {
  return all === 0 ? null : part / all;
}

function perSecond(count: number | null, coveredMs: number): number | null {
  return count === null || coveredMs === 0 ? null : (count * 1_000) / coveredMs;
}

/** Several rows as one. Quantiles of several cannot be put together: they stay where one row alone has requests, else null. */
export function mergeRows(rows: readonly FiguresRow[]): FiguresRow | undefined {
  const [first, ...more] = rows;
  if (first === undefined || more.length === 0) return first;
  const added = (of: (row: FiguresRow) => Column): Column =>
    of(first).map((_, i) => sum(rows.map((row) => of(row)[i] ?? null)));
  const only = (of: (row: FiguresRow) => Column): Column =>
    of(first).map((_, i) => {
      const busy = rows.filter((row) => (row.requests[i] ?? 0) > 0);
      return busy.length === 1 ? (of(busy[0]!)[i] ?? null) : null;
    });
  return {
    labels: {},
    requests: added((row) => row.requests),
    clientErrors: added((row) => row.clientErrors),
    appFailed: added((row) => row.appFailed),
    meshFailed: added((row) => row.meshFailed),
    denied: added((row) => row.denied),
    p50Ms: only((row) => row.p50Ms),
    p95Ms: only((row) => row.p95Ms),
    p99Ms: only((row) => row.p99Ms),
    bytesReceived: added((row) => row.bytesReceived),
    bytesSent: added((row) => row.bytesSent),
    connectionsOpened: added((row) => row.connectionsOpened),
    inFlight: added((row) => row.inFlight),
    reasons: counts(rows.map((row) => row.reasons)),
    statuses: counts(rows.map((row) => row.statuses)),
    ...(first.statusSteps === undefined ? {} : { statusSteps: addedSteps(rows.map((row) => row.statusSteps ?? {})) }),
  };
}

function addedSteps(all: readonly Readonly<Record<string, Column>>[]): Readonly<Record<string, Column>> {
  const sums: Record<string, Column> = {};
  for (const one of all) {
    for (const [name, column] of Object.entries(one)) {
      sums[name] = column.map((count, i) => sum([count, sums[name]?.[i] ?? null]));
    }
  }
  return sums;
}

function counts(all: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const one of all) for (const [name, count] of Object.entries(one)) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}
