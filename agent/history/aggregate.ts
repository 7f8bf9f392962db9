/**
 * Adds up steps of this node to what a question asks for, with latencies still in buckets, so that whoever asked can add up
 * those of several nodes.
 *
 * Bounded: 150,000 cells (rows times steps; 60 MB), at least one row. A row that does not fit is added to one called `other`.
 * @module
 */
import { BUCKETS } from '../../proxy/telemetry/histogram.ts';
import { ByteWriter } from './bytes.ts';
import { type Cells, emptyCells, writeCells } from './cells.ts';
import type { FiguresQuestion } from './figures.ts';
import type { NodeFigures } from './node-figures.ts';
import { statusClass } from './outcomes.ts';
import { countsBytes, type FiguresPlan, groupOf, isAsked } from './plan.ts';
import { addMeasures, type Measures, type RowLabels, SCALAR, SCALARS, type Step } from './rows.ts';
import type { Book, Place, Target } from './step-codec.ts';
import type { StepVisitor } from './store.ts';

const MAX_CELLS = 150_000;
const NO_STEPS: ReadonlyMap<string, Float64Array> = new Map();

/** A row to be, with figures of all steps one after the other. */
interface Group extends Target, Cells {
  readonly labels: readonly string[];
  /** By class of statuses; undefined where that was not asked. There are eight at most. */
  readonly statusSteps: Map<string, Float64Array> | undefined;
}

/** Where rows of equal labels go; moved from step to step. */
interface MovingPlace extends Place {
  scalarsAt: number;
  latencyAt: number;
  step: number;
}

export class Aggregation {
  readonly #question: FiguresQuestion;
  readonly #plan: FiguresPlan;
  readonly #node: string;
  readonly #groups = new Map<string, Group>();
  /** By number of the labels; null for rows that were not asked for. */
  readonly #places = new WeakMap<Book, (MovingPlace | null)[]>();
  readonly #maxGroups: number;
  readonly #coveredMs: Float64Array;
  /** By step: how many of those that were added fell into it. */
  readonly #added: Uint32Array;

  /** @param node the value of the dimension `node` */
  constructor(question: FiguresQuestion, plan: FiguresPlan, node: string) {
    this.#question = question;
    this.#plan = plan;
    this.#node = node;
    this.#maxGroups = Math.max(1, Math.floor(MAX_CELLS / plan.steps) - 1);
    this.#coveredMs = new Float64Array(plan.steps);
    this.#added = new Uint32Array(plan.steps);
  }

  /** @param book of the segment; the same labels are looked at once a segment */
  read({ atMs, lengthMs, book, read }: Parameters<StepVisitor>[0]): void {
    const step = this.#step(atMs, lengthMs);
    if (step === undefined) return;
    const places = this.#places.get(book) ?? [];
    this.#places.set(book, places);
    const [scalarsAt, latencyAt] = [step * SCALARS, step * BUCKETS];
    read((label) => {
      let place = places[label];
      if (place === undefined) {
        place = this.#place(book.labels[label]) ?? null;
        places[label] = place;
      }
      if (place === null) return undefined;
      place.step = step;
      place.scalarsAt = scalarsAt;
      place.latencyAt = latencyAt;
      return place;
    });
  }

  /** A step that is in memory. Of a single step only: the plan has no other. */
  add({ atMs, rows }: Step, lengthMs: number): void {
    if (this.#step(atMs, lengthMs) === undefined) return;
    for (const { labels, measures } of rows) {
      const place = this.#place(labels);
      if (place === undefined) continue;
      const bytes = place.hasBytes ? measures : withoutBytes(measures);
      addMeasures(place.target, bytes);
    }
  }

  answer(): NodeFigures {
    const { startMs, stepMs } = this.#plan;
    const writer = new ByteWriter();
    const groups = [...this.#groups.values()].map((group) => {
      const from = writer.length;
      writeCells(writer, group, this.#added);
      return { group, from, to: writer.length };
    });
    const cells = writer.bytes();
    const rows = groups.map(({ group: { labels, reasons, statuses, statusSteps = NO_STEPS }, from, to }) => {
      return { labels, reasons, statuses, statusSteps, cells: cells.subarray(from, to) };
    });
    return { startMs, stepMs, coveredMs: [...this.#coveredMs], rows };
  }

  #step(atMs: number, lengthMs: number): number | undefined {
    const { startMs, stepMs, steps } = this.#plan;
    const step = Math.floor((atMs - startMs) / stepMs);
    if (step < 0 || step >= steps) return undefined;
    this.#coveredMs[step] = Math.min(stepMs, this.#coveredMs[step]! + lengthMs);
    this.#added[step]!++;
    return step;
  }

  /** Undefined for rows that were not asked for. */
  #place(labels: RowLabels | undefined): MovingPlace | undefined {
    if (labels === undefined || !isAsked(labels, this.#question)) return undefined;
    const values = groupOf(labels, this.#question.by, this.#node);
    const isFitting = this.#groups.has(values.join('\0')) || this.#groups.size < this.#maxGroups;
    const fitting = isFitting ? values : values.map(() => 'other');
    const key = fitting.join('\0');
    const target = this.#groups.get(key) ?? newGroup(fitting, this.#plan.steps, this.#question.isByStatus === true);
    this.#groups.set(key, target);
    const hasBytes = countsBytes(labels, this.#question.by);
    const place: MovingPlace = { target, scalarsAt: 0, latencyAt: 0, step: 0, hasBytes };
    const { statusSteps } = target;
    if (statusSteps === undefined) return place;
    const { steps } = this.#plan;
    return Object.assign(place, {
      heard: (status: string, count: number) => hear(statusSteps, steps, place, status, count),
    });
  }
}

function hear(into: Map<string, Float64Array>, steps: number, place: MovingPlace, status: string, count: number): void {
  const name = statusClass(status);
  if (name === undefined) return;
  const column = into.get(name) ?? new Float64Array(steps);
  into.set(name, column);
  column[place.step]! += count;
}

function newGroup(labels: readonly string[], steps: number, isByStatus: boolean): Group {
  const statusSteps = isByStatus ? new Map<string, Float64Array>() : undefined;
  return { labels, ...emptyCells(steps), reasons: new Map(), statuses: new Map(), statusSteps };
}

function withoutBytes(measures: Measures): Measures {
  const scalars = measures.scalars.slice();
  scalars[SCALAR.bytesReceived] = 0;
  scalars[SCALAR.bytesSent] = 0;
  return { ...measures, scalars };
}
