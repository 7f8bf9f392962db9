/** What the history keeps of a series in a step, and how two of them become one. @module */
import { BUCKETS } from '../../proxy/telemetry/histogram.ts';

/** In the order they are written; fields may be appended, for what was written before lacks them. */
export const LABELS = [
  'direction',
  'source',
  'sourceService',
  'destination',
  'protocol',
  'version',
  'route',
  'method',
] as const;
export type RowLabels = Readonly<Record<(typeof LABELS)[number], string>>;

/** Where each figure of a row is; `inFlight` is how many there are, the others how many there were in the step. */
export const SCALAR = {
  requests: 0,
  clientErrors: 1,
  appFailed: 2,
  meshFailed: 3,
  denied: 4,
  bytesReceived: 5,
  bytesSent: 6,
  connectionsOpened: 7,
  inFlight: 8,
} as const;
export const SCALARS = 9;

export interface Measures {
  readonly scalars: Float64Array;
  /** Requests by bucket of latency. */
  readonly latency: Float64Array;
  readonly reasons: Map<string, number>;
  readonly statuses: Map<string, number>;
}

export interface HistoryRow {
  readonly labels: RowLabels;
  readonly measures: Measures;
}

/** What happened in one step; a step in which nothing happened has no rows. */
export interface Step {
  readonly atMs: number;
  readonly rows: readonly HistoryRow[];
}

/** Takes what does not fit any more. */
export function otherLabels(direction: string): RowLabels {
  return {
    direction,
    source: 'other',
    sourceService: 'other',
    destination: 'other',
    protocol: 'other',
    version: '',
    route: '',
    method: '',
  };
}

export function labelsKey(labels: RowLabels): string {
  return LABELS.map((label) => labels[label]).join('\0');
}

export function emptyMeasures(): Measures {
  return {
    scalars: new Float64Array(SCALARS),
    latency: new Float64Array(BUCKETS),
    reasons: new Map(),
    statuses: new Map(),
  };
}

/** @param scale what to multiply what is added by */
export function addMeasures(into: Measures, more: Measures, scale = 1): void {
  for (let i = 0; i < SCALARS; i++) into.scalars[i]! += more.scalars[i]! * (i === SCALAR.inFlight ? 1 : scale);
  for (let i = 0; i < BUCKETS; i++) into.latency[i]! += more.latency[i]! * scale;
  for (const [name, count] of more.reasons) addCount(into.reasons, name, count * scale);
  for (const [name, count] of more.statuses) addCount(into.statuses, name, count * scale);
}

export function addCount(into: Map<string, number>, name: string, count: number): void {
  into.set(name, (into.get(name) ?? 0) + count);
}

export function isNothing({ scalars, reasons }: Measures): boolean {
  return reasons.size === 0 && scalars.every((value) => value === 0);
}

/** Adds up rows of several steps, as one step of them all. `inFlight` becomes the mean. */
export class RollUp {
  readonly #rows = new Map<string, HistoryRow>();
  readonly #maxRows: number;
  #steps = 0;

  constructor(maxRows: number) {
    this.#maxRows = maxRows;
  }

  get isEmpty(): boolean {
    return this.#steps === 0;
  }

  add({ rows }: Step): void {
    this.#steps++;
    for (const { labels, measures } of rows) addMeasures(this.#row(labels).measures, measures);
  }

  rows(): readonly HistoryRow[] {
    for (const { measures } of this.#rows.values()) measures.scalars[SCALAR.inFlight]! /= Math.max(1, this.#steps);
    return [...this.#rows.values()];
  }

  #row(labels: RowLabels): HistoryRow {
    const known = this.#rows.get(labelsKey(labels));
    if (known !== undefined) return known;
    const fitting = this.#rows.size < this.#maxRows ? labels : otherLabels(labels.direction);
    const row = this.#rows.get(labelsKey(fitting)) ?? { labels: fitting, measures: emptyMeasures() };
    this.#rows.set(labelsKey(fitting), row);
    return row;
  }
}
