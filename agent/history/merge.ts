/**
 * Adds up the figures of several nodes. Percentiles are read from the sum of their buckets, never made of percentiles. A step
 * of which no node knows is null; one that some know counts those, and whoever asked shows the coverage beside it.
 * @module
 */
import { BUCKET_BOUNDS_MS, BUCKETS } from '../../proxy/telemetry/histogram.ts';
import type { NodeFigures } from './aggregate.ts';
import { ByteReader } from './bytes.ts';
import type { Column, Dimension, Figures, FiguresRow } from './figures.ts';
import type { FiguresPlan } from './plan.ts';
import { emptyMeasures, SCALAR, SCALARS } from './rows.ts';
import { addRow, type Place, type Target } from './step-codec.ts';

const MAX_ROWS = 20_000;
/** The thread has others to serve in between. */
const ROWS_A_TURN = 50;

export interface MergeOptions {
  readonly by: readonly Dimension[];
  readonly plan: FiguresPlan;
  /** Brings what was counted in less or more than a step to the length of one. */
  readonly isScaled?: boolean;
}

/** @param answers all of the plan's steps; see `problemOf` */
export async function mergeFigures(
  answers: readonly NodeFigures[],
  { by, plan, isScaled }: MergeOptions,
): Promise<Figures> {
  const { startMs, stepMs, steps } = plan;
  const coveredMs = Array.from({ length: steps }, (_, i) =>
    Math.max(0, ...answers.map((answer) => answer.coveredMs[i]!)),
  );
  const sum = new Sum(steps);
  const rows: FiguresRow[] = [];
  for (const parts of byLabels(answers).values()) {
    if (rows.length >= MAX_ROWS) break;
    sum.clear();
    for (const { answer, row } of parts) {
      const scale = isScaled && answer.coveredMs[0]! > 0 ? stepMs / answer.coveredMs[0]! : 1;
      sum.add(row, scale);
    }
    const labels = Object.fromEntries(by.map((dimension, i) => [dimension, parts[0]!.row.labels[i]!]));
    rows.push({ labels, ...sum.columns(coveredMs) });
    if (rows.length % ROWS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { startMs, stepMs, coveredMs: isScaled ? coveredMs.map((ms) => Math.min(ms, stepMs)) : coveredMs, rows };
}

/** What is wrong with a node's answer to this question; undefined for nothing. */
export function problemOf(answer: NodeFigures, { by, plan }: Pick<MergeOptions, 'by' | 'plan'>): string | undefined {
  if (answer.startMs !== plan.startMs || answer.stepMs !== plan.stepMs || answer.steps !== plan.steps)
    return 'other steps';
  if (answer.coveredMs.length !== plan.steps) return 'other steps';
  if (answer.rows.some(({ labels }) => labels.length !== by.length)) return 'other dimensions';
  try {
    const sum = new Sum(plan.steps);
    for (const row of answer.rows) sum.add(row, 1);
    return undefined;
  } catch (err) {
    return err instanceof Error ? err.message : String(err);
  }
}

type Row = NodeFigures['rows'][number];

function byLabels(answers: readonly NodeFigures[]): Map<string, { answer: NodeFigures; row: Row }[]> {
  const groups = new Map<string, { answer: NodeFigures; row: Row }[]>();
  for (const answer of answers) {
    for (const row of answer.rows) {
      const key = row.labels.join('\0');
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [{ answer, row }]);
      else group.push({ answer, row });
    }
  }
  return groups;
}

/** Reasons and statuses are of the whole range: cells hold none. */
const nameless = (): string => '';

/** One row of all nodes; the memory is used again for the next one. */
class Sum {
  readonly #steps: number;
  readonly #scalars: Float64Array;
  readonly #latency: Float64Array;
  readonly #target: Target;
  #reasons: Record<string, number> = {};
  #statuses: Record<string, number> = {};
  #statusSteps: Record<string, number[]> | undefined;

  constructor(steps: number) {
    this.#steps = steps;
    this.#scalars = new Float64Array(steps * SCALARS);
    this.#latency = new Float64Array(steps * BUCKETS);
    this.#target = { scalars: this.#scalars, latency: this.#latency, reasons: new Map(), statuses: new Map() };
  }

  clear(): void {
    this.#scalars.fill(0);
    this.#latency.fill(0);
    this.#reasons = {};
    this.#statuses = {};
    this.#statusSteps = undefined;
  }

  /** @throws RangeError for cells that are none */
  add(row: Row, scale: number): void {
    const reader = new ByteReader(Buffer.from(row.cells, 'base64'));
    let step = 0;
    for (let left = reader.count(); left > 0; left--) {
      step += reader.number();
      if (step >= this.#steps) throw new RangeError('a step that was not asked for');
      if (scale === 1) addRow(reader, this.#placeOf(step), nameless);
      else this.#addScaled(reader, step, scale);
    }
    for (const [name, count] of Object.entries(row.reasons)) this.#reasons[name] = (this.#reasons[name] ?? 0) + count;
    for (const [name, count] of Object.entries(row.statuses))
      this.#statuses[name] = (this.#statuses[name] ?? 0) + count;
    for (const [name, counts] of Object.entries(row.statusSteps ?? {})) {
      this.#statusSteps ??= {};
      this.#statusSteps[name] ??= new Array<number>(this.#steps).fill(0);
      const column = this.#statusSteps[name];
      for (let i = 0; i < this.#steps; i++) column[i]! += counts[i] ?? 0;
    }
  }

  #placeOf(step: number): Place {
    return { target: this.#target, scalarsAt: step * SCALARS, latencyAt: step * BUCKETS, hasBytes: true };
  }

  #addScaled(reader: ByteReader, step: number, scale: number): void {
    const target = emptyMeasures();
    addRow(reader, { target, scalarsAt: 0, latencyAt: 0, hasBytes: true }, nameless);
    for (let i = 0; i < SCALARS; i++) {
      this.#scalars[step * SCALARS + i]! += target.scalars[i]! * (i === SCALAR.inFlight ? 1 : scale);
    }
    for (let i = 0; i < BUCKETS; i++) this.#latency[step * BUCKETS + i]! += target.latency[i]! * scale;
  }

  #statusColumns(steps: Readonly<Record<string, readonly number[]>>, coveredMs: readonly number[]) {
    const known = (counts: readonly number[]): Column =>
      counts.map((count, step) => (coveredMs[step] === 0 ? null : count));
    return Object.fromEntries(Object.entries(steps).map(([name, counts]) => [name, known(counts)]));
  }

  columns(coveredMs: readonly number[]): Omit<FiguresRow, 'labels'> {
    const column = (scalar: number): Column =>
      coveredMs.map((covered, step) => (covered === 0 ? null : this.#scalars[step * SCALARS + scalar]!));
    const [p50Ms, p95Ms, p99Ms]: [Column, Column, Column] = [[], [], []];
    for (let step = 0; step < this.#steps; step++) {
      const counts = this.#latency.subarray(step * BUCKETS, (step + 1) * BUCKETS);
      let total = 0;
      for (let i = 0; i < BUCKETS; i++) total += counts[i]!;
      p50Ms.push(percentile(counts, total, 0.5));
      p95Ms.push(percentile(counts, total, 0.95));
      p99Ms.push(percentile(counts, total, 0.99));
    }
    return {
      requests: column(SCALAR.requests),
      clientErrors: column(SCALAR.clientErrors),
      appFailed: column(SCALAR.appFailed),
      meshFailed: column(SCALAR.meshFailed),
      denied: column(SCALAR.denied),
      p50Ms,
      p95Ms,
      p99Ms,
      bytesReceived: column(SCALAR.bytesReceived),
      bytesSent: column(SCALAR.bytesSent),
      connectionsOpened: column(SCALAR.connectionsOpened),
      inFlight: column(SCALAR.inFlight),
      reasons: this.#reasons,
      statuses: this.#statuses,
      ...(this.#statusSteps === undefined ? {} : { statusSteps: this.#statusColumns(this.#statusSteps, coveredMs) }),
    };
  }
}

/** As `quantile` of the statistics, without an array of its own; null where nothing was counted. */
function percentile(counts: Float64Array, total: number, share: number): number | null {
  if (total === 0) return null;
  const wanted = share * total;
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count > 0 && below + count >= wanted) {
      const lower = i === 0 ? 0 : BUCKET_BOUNDS_MS[i - 1]!;
      const upper = BUCKET_BOUNDS_MS[i] ?? lower * Math.SQRT2;
      return lower + ((wanted - below) / count) * (upper - lower);
    }
    below += count;
  }
  return BUCKET_BOUNDS_MS.at(-1)!;
}
