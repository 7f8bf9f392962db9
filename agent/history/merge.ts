/**
 * Adds up the figures of several nodes. Percentiles are read from the sum of their buckets, never made of percentiles. A step
 * of which no node knows is null; one that some know counts those, and whoever asked shows the coverage beside it.
 *
 * Bounded: 20,000 rows, and two million steps of them all together (200 MB); rows beyond that are left out.
 * @module
 */
import { BUCKET_BOUNDS_MS, BUCKETS } from '../../proxy/telemetry/histogram.ts';
import { addCells, type Cells, emptyCells } from './cells.ts';
import type { Column, Dimension, Figures, FiguresRow } from './figures.ts';
import type { NodeFigures, NodeFiguresRow } from './node-figures.ts';
import type { FiguresPlan } from './plan.ts';
import { SCALAR, SCALARS } from './rows.ts';

const MAX_ROWS = 20_000;
const MAX_CELLS = 2_000_000;
/** The thread has others to serve in between; each takes some 2 us for a few nodes. */
const CELLS_A_TURN = 5_000;
const SHARES = [0.5, 0.95, 0.99] as const;

export interface MergeOptions {
  readonly by: readonly Dimension[];
  readonly plan: FiguresPlan;
  /** Brings what was counted in less or more than a step to the length of one. */
  readonly isScaled?: boolean;
  readonly withBuckets?: boolean;
}

export interface Merged {
  readonly figures: Figures;
  /** Nodes whose answer is none to this question, and is left out. */
  readonly wrong: readonly string[];
}

/** @param answers by node */
export async function mergeFigures(answers: ReadonlyMap<string, NodeFigures>, options: MergeOptions): Promise<Merged> {
  const right = new Map([...answers].filter(([, answer]) => isAnswer(answer, options)));
  for (;;) {
    try {
      const figures = await summed(right, options);
      return { figures, wrong: [...answers.keys()].filter((node) => !right.has(node)) };
    } catch (err) {
      if (!(err instanceof Unreadable)) throw err;
      right.delete(err.node); // what was added of it is in the sums: they are made anew
    }
  }
}

/** Cells are looked at when they are added up. */
function isAnswer({ startMs, stepMs, coveredMs, rows }: NodeFigures, { by, plan }: MergeOptions): boolean {
  const isOfSteps = startMs === plan.startMs && stepMs === plan.stepMs && coveredMs.length === plan.steps;
  return isOfSteps && rows.every(({ labels }) => labels.length === by.length);
}

/** Cells of this node's answer are none. */
class Unreadable extends Error {
  readonly node: string;

  constructor(node: string, cause: unknown) {
    super(`figures of ${node} cannot be read`, { cause });
    this.node = node;
  }
}

interface Part {
  readonly node: string;
  readonly row: NodeFiguresRow;
  readonly scale: number;
}

async function summed(
  answers: ReadonlyMap<string, NodeFigures>,
  { by, plan, isScaled = false, withBuckets = false }: MergeOptions,
): Promise<Figures> {
  const { startMs, stepMs, steps } = plan;
  const all = [...answers.values()];
  const coveredMs = Array.from({ length: steps }, (_, i) => Math.max(0, ...all.map((one) => one.coveredMs[i]!)));
  const sum = new Sum(steps);
  const rows: FiguresRow[] = [];
  const maxRows = Math.min(MAX_ROWS, Math.max(1, Math.floor(MAX_CELLS / steps)));
  let cells = 0;
  for (const parts of byLabels(answers, isScaled ? stepMs : undefined)) {
    if (rows.length >= maxRows) break;
    sum.clear();
    for (const part of parts) sum.add(part);
    const { labels } = parts[0]!.row;
    const named = Object.fromEntries(by.map((name, i) => [name, labels[i]!]));
    const buckets = withBuckets ? { latency: sum.latency() } : {};
    rows.push({ labels: named, ...sum.columns(coveredMs), ...buckets });
    cells += steps;
    if (cells < CELLS_A_TURN) continue;
    cells = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { startMs, stepMs, coveredMs: isScaled ? coveredMs.map((ms) => Math.min(ms, stepMs)) : coveredMs, rows };
}

/** @param stepMs what counts are brought to the length of; undefined: they stay as they are */
function byLabels(answers: ReadonlyMap<string, NodeFigures>, stepMs: number | undefined): Iterable<readonly Part[]> {
  const groups = new Map<string, Part[]>();
  for (const [node, { rows, coveredMs }] of answers) {
    const scale = stepMs !== undefined && coveredMs[0]! > 0 ? stepMs / coveredMs[0]! : 1;
    for (const row of rows) {
      const key = row.labels.join('\0');
      const group = groups.get(key);
      const part = { node, row, scale };
      if (group === undefined) groups.set(key, [part]);
      else group.push(part);
    }
  }
  return groups.values();
}

/** One row of all nodes; the memory is used again for the next one. */
class Sum {
  readonly #steps: number;
  readonly #cells: Cells;
  #reasons: Record<string, number> = {};
  #statuses: Record<string, number> = {};
  #statusSteps: Record<string, number[]> | undefined;

  constructor(steps: number) {
    this.#steps = steps;
    this.#cells = emptyCells(steps);
  }

  clear(): void {
    this.#cells.scalars.fill(0);
    this.#cells.latency.fill(0);
    this.#reasons = {};
    this.#statuses = {};
    this.#statusSteps = undefined;
  }

  /** @throws Unreadable for cells that are none; part of them has been added then */
  add({ node, row: { cells, reasons, statuses, statusSteps }, scale }: Part): void {
    try {
      if (scale === 1) addCells(cells, this.#cells);
      else this.#addScaled(cells, scale);
    } catch (err) {
      throw new Unreadable(node, err);
    }
    for (const [name, count] of reasons) this.#reasons[name] = (this.#reasons[name] ?? 0) + count;
    for (const [name, count] of statuses) this.#statuses[name] = (this.#statuses[name] ?? 0) + count;
    for (const [name, counts] of statusSteps) {
      this.#statusSteps ??= {};
      this.#statusSteps[name] ??= new Array<number>(this.#steps).fill(0);
      const column = this.#statusSteps[name];
      for (let i = 0; i < this.#steps; i++) column[i]! += counts[i]! * scale;
    }
  }

  #addScaled(bytes: Uint8Array, scale: number): void {
    const own = emptyCells(this.#steps);
    addCells(bytes, own);
    const { scalars, latency } = this.#cells;
    for (let i = 0; i < scalars.length; i++) {
      scalars[i]! += own.scalars[i]! * (i % SCALARS === SCALAR.inFlight ? 1 : scale);
    }
    for (let i = 0; i < latency.length; i++) latency[i]! += own.latency[i]! * scale;
  }

  #statusColumns(steps: Readonly<Record<string, readonly number[]>>, coveredMs: readonly number[]) {
    const known = (counts: readonly number[]): Column =>
      counts.map((count, step) => (coveredMs[step] === 0 ? null : count));
    return Object.fromEntries(Object.entries(steps).map(([name, counts]) => [name, known(counts)]));
  }

  columns(coveredMs: readonly number[]): Omit<FiguresRow, 'labels'> {
    const column = (scalar: number): Column => this.#column(scalar, coveredMs);
    const [p50Ms, p95Ms, p99Ms] = this.#percentiles();
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

  latency(): Float64Array {
    return this.#cells.latency.slice();
  }

  #column(scalar: number, coveredMs: readonly number[]): Column {
    const { scalars } = this.#cells;
    const column: Column = [];
    for (let step = 0; step < this.#steps; step++) {
      column.push(coveredMs[step] === 0 ? null : scalars[step * SCALARS + scalar]!);
    }
    return column;
  }

  #percentiles(): [Column, Column, Column] {
    const columns: [Column, Column, Column] = [[], [], []];
    for (let step = 0; step < this.#steps; step++) pushPercentiles(this.#cells.latency, step * BUCKETS, columns);
    return columns;
  }
}

/** As `quantile` of the statistics, all three in one pass; null where nothing was counted. */
function pushPercentiles(latency: Float64Array, at: number, columns: readonly [Column, Column, Column]): void {
  let total = 0;
  for (let i = at; i < at + BUCKETS; i++) total += latency[i]!;
  let bucket = 0;
  let upTo = latency[at]!;
  for (let n = 0; n < SHARES.length; n++) {
    const wanted = SHARES[n]! * total;
    while (upTo < wanted && bucket < BUCKETS - 1) upTo += latency[at + ++bucket]!;
    const count = latency[at + bucket]!;
    columns[n]!.push(total === 0 ? null : within(bucket, count === 0 ? 0 : (wanted - (upTo - count)) / count));
  }
}

/** @param share of the bucket */
function within(bucket: number, share: number): number {
  const lower = bucket === 0 ? 0 : BUCKET_BOUNDS_MS[bucket - 1]!;
  const upper = BUCKET_BOUNDS_MS[bucket] ?? lower * Math.SQRT2;
  return lower + share * (upper - lower);
}
