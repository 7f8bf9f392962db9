/**
 * Adds up steps of this node to what a question asks for, with latencies still in buckets, so that whoever asked can add up
 * those of several nodes.
 *
 * Bounded: 150,000 cells (rows times steps; 60 MB), at least one row. A row that does not fit is added to one called `other`.
 * @module
 */
import { z } from 'zod';
import { BUCKETS } from '../../proxy/telemetry/histogram.ts';
import { ByteWriter } from './bytes.ts';
import type { FiguresQuestion } from './figures.ts';
import { statusClass } from './outcomes.ts';
import { countsBytes, type FiguresPlan, groupOf, isAsked } from './plan.ts';
import { addMeasures, emptyMeasures, type Measures, type RowLabels, SCALAR, SCALARS, type Step } from './rows.ts';
import { type Book, type Place, type Target, writeMeasures } from './step-codec.ts';
import type { StepVisitor } from './store.ts';

const MAX_CELLS = 150_000;
const counts = z.record(z.string().max(64), z.number());

/** What a node answers. Numbers are packed: a step's in JSON would be three times as long, and slow to read. */
export const nodeFigures = z.object({
  startMs: z.number(),
  stepMs: z.number(),
  steps: z.int().min(1).max(10_000),
  /** By step: milliseconds of it that were counted; 0: nothing is known. */
  coveredMs: z.array(z.number().min(0)).max(10_000),
  rows: z
    .array(
      z.object({
        /** Of the dimensions asked for, in that order. */
        labels: z.array(z.string().max(2_048)).max(8),
        /** Base64 of: number of cells, then each as steps since the last one and its measures. */
        cells: z.string().max(8_000_000),
        reasons: counts,
        statuses: counts,
        /** By class of statuses, a count a step; where it was asked for. */
        statusSteps: z.record(z.string().max(16), z.array(z.number().min(0)).max(10_000)).optional(),
      }),
    )
    .max(MAX_CELLS),
});
export type NodeFigures = z.infer<typeof nodeFigures>;

/** A row to be, with figures of all steps one after the other. */
interface Group extends Target {
  readonly labels: readonly string[];
  /** By class of statuses; undefined where that was not asked. There are eight at most. */
  readonly statusSteps: Map<string, number[]> | undefined;
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
  readonly #places = new WeakMap<Book, (MovingPlace | undefined)[]>();
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
      if (!(label in places)) places[label] = this.#place(book.labels[label]);
      const place = places[label];
      if (place === undefined) return undefined;
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
    const { startMs, stepMs, steps } = this.#plan;
    const rows = [...this.#groups.values()].map((group) => ({
      labels: [...group.labels],
      cells: this.#cells(group),
      reasons: Object.fromEntries(group.reasons),
      statuses: Object.fromEntries(group.statuses),
      ...(group.statusSteps === undefined ? {} : { statusSteps: Object.fromEntries(group.statusSteps) }),
    }));
    return { startMs, stepMs, steps, coveredMs: [...this.#coveredMs], rows };
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
    const place: MovingPlace = {
      target,
      scalarsAt: 0,
      latencyAt: 0,
      step: 0,
      hasBytes: countsBytes(labels, this.#question.by),
      ...(target.statusSteps === undefined
        ? {}
        : {
            heard: (status, count) =>
              hear(target.statusSteps!, status, { count, step: place.step, steps: this.#plan.steps }),
          }),
    };
    return place;
  }

  #cells({ scalars, latency }: Group): string {
    const cells = new ByteWriter();
    const measures = emptyMeasures();
    let [filled, last] = [0, 0];
    for (let step = 0; step < this.#plan.steps; step++) {
      measures.scalars.set(scalars.subarray(step * SCALARS, (step + 1) * SCALARS));
      measures.scalars[SCALAR.inFlight]! /= Math.max(1, this.#added[step]!);
      if (measures.scalars.every((value) => value === 0)) continue;
      measures.latency.set(latency.subarray(step * BUCKETS, (step + 1) * BUCKETS));
      cells.number(step - last);
      writeMeasures(cells, measures, () => 0);
      last = step;
      filled++;
    }
    const count = new ByteWriter();
    count.number(filled);
    return Buffer.concat([count.bytes(), cells.bytes()]).toString('base64');
  }
}

function hear(
  into: Map<string, number[]>,
  status: string,
  { count, step, steps }: { readonly count: number; readonly step: number; readonly steps: number },
): void {
  const name = statusClass(status);
  const column = into.get(name) ?? new Array<number>(steps).fill(0);
  into.set(name, column);
  column[step]! += count;
}

function newGroup(labels: readonly string[], steps: number, isByStatus: boolean): Group {
  return {
    statusSteps: isByStatus ? new Map() : undefined,
    labels,
    scalars: new Float64Array(steps * SCALARS),
    latency: new Float64Array(steps * BUCKETS),
    reasons: new Map(),
    statuses: new Map(),
  };
}

function withoutBytes(measures: Measures): Measures {
  const scalars = measures.scalars.slice();
  scalars[SCALAR.bytesReceived] = 0;
  scalars[SCALAR.bytesSent] = 0;
  return { ...measures, scalars };
}
