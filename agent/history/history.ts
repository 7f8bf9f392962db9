/**
 * The history of traffic: what this node counted, kept in steps, and what the whole mesh counted, asked of all nodes.
 *
 * Six steps at most wait to be written; where the disk is slower than that for a minute, a step is left out, and that is said.
 * @module
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { SeriesStats } from '../../proxy/telemetry/stats-reader.ts';
import type { Coverage, MeshQuery, Topic } from '../mesh-query/shapes.ts';
import { Aggregation } from './aggregate.ts';
import type { HistoryConfig } from './config.ts';
import { type Figures, type FiguresQuestion, figuresQuestion } from './figures.ts';
import { type MergeOptions, mergeFigures } from './merge.ts';
import { decodeFigures, encodeFigures, type NodeFigures } from './node-figures.ts';
import { type FiguresPlan, planOf } from './plan.ts';
import type { Step } from './rows.ts';
import { Sampler } from './sampler.ts';
import { DETAIL_MS, HistoryStore } from './store.ts';

const MAX_WAITING = 6;
/** An hour of 100 services takes a node some 0.2 s to add up. */
const PATIENCE_MS = 2_500;
const GLANCE_MS = 2_000;
/** How long after the last question somebody is thought to look. */
const LOOKED_AT_MS = 15_000;

export interface HistoryOptions {
  readonly node: string;
  readonly config: HistoryConfig;
  readonly dataDirectory: string;
  readonly stats: { series(): readonly SeriesStats[] };
  readonly queries: MeshQuery;
  /** How long to wait for the figures of other nodes; default 2.5 s. */
  readonly patienceMs?: number;
  readonly log: Logger;
}

export interface MeshFigures {
  readonly figures: Figures;
  readonly coverage: Coverage;
}

/** `fromMs`, `toMs` and `stepMs` are those of the last 10 s. */
export type LiveQuestion = Pick<FiguresQuestion, 'service' | 'by' | 'direction'>;
const liveQuestion = figuresQuestion.pick({ service: true, by: true, direction: true });
const LIVE_PLAN: FiguresPlan = { startMs: 0, stepMs: DETAIL_MS, steps: 1, isCoarse: false };

const codec = { encode: encodeFigures, decode: decodeFigures };

export class History implements AsyncDisposable {
  readonly #options: HistoryOptions;
  readonly #store: HistoryStore;
  readonly #sampler = new Sampler(Date.now());
  readonly #topic: Topic<FiguresQuestion, NodeFigures>;
  readonly #live: Topic<LiveQuestion, NodeFigures>;
  #timer: NodeJS.Timeout | undefined;
  #glances: NodeJS.Timeout | undefined;
  #lookedAtMs = 0;
  #waiting = 0;
  #written: Promise<void> = Promise.resolve();

  private constructor(options: HistoryOptions, store: HistoryStore) {
    this.#options = options;
    this.#store = store;
    this.#topic = {
      name: 'figures',
      question: figuresQuestion,
      codec,
      answer: (question) => this.own(question),
    };
    this.#live = {
      name: 'figures.live',
      question: liveQuestion,
      codec,
      answer: (question) => this.#ownLive(question),
    };
    options.queries.offer(this.#topic);
    options.queries.offer(this.#live);
    this.#arm();
  }

  static async start(options: HistoryOptions): Promise<History> {
    const { config, dataDirectory, log } = options;
    const directory = config.directory ?? join(dataDirectory, 'history');
    return new History(options, await HistoryStore.open({ directory, config, log }));
  }

  /** Bytes on disk, and why nothing is written there at the moment (empty: it is). */
  get state(): { readonly bytes: number; readonly problem: string } {
    return { bytes: this.#store.bytes, problem: this.#store.problem };
  }

  /** Of the whole mesh. @throws RangeError naming the field of a question that cannot be answered */
  async figures(question: FiguresQuestion): Promise<MeshFigures> {
    const plan = planOf(question);
    const { queries, patienceMs = PATIENCE_MS } = this.#options;
    const { answers, coverage } = await queries.ask(this.#topic, question, { timeoutMs: patienceMs });
    return merged(answers, coverage, { by: question.by, plan, withBuckets: question.withBuckets ?? false });
  }

  /** Of the whole mesh in about the last 10 s, as one step of 10 s; nodes read anew every 2 s while somebody asks. */
  async live(question: LiveQuestion): Promise<MeshFigures> {
    const { answers, coverage } = await this.#options.queries.ask(this.#live, question);
    const { figures, coverage: known } = await merged(answers, coverage, {
      by: question.by,
      plan: LIVE_PLAN,
      isScaled: true,
    });
    return { figures: { ...figures, startMs: Date.now() - DETAIL_MS }, coverage: known };
  }

  /** Of this node. */
  async own(question: FiguresQuestion): Promise<NodeFigures> {
    const plan = planOf(question);
    const aggregation = new Aggregation(question, plan, this.#options.node);
    const toMs = plan.startMs + plan.steps * plan.stepMs;
    const range = { fromMs: plan.startMs, toMs, isCoarse: plan.isCoarse };
    await this.#store.visit(range, (step) => aggregation.read(step));
    return aggregation.answer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    clearInterval(this.#glances);
    await this.#written;
  }

  #ownLive(question: LiveQuestion): NodeFigures {
    this.#look();
    const asked = { ...question, fromMs: 0, toMs: DETAIL_MS, stepMs: DETAIL_MS };
    const windows = this.#sampler.recent();
    const aggregation = new Aggregation(asked, LIVE_PLAN, this.#options.node);
    for (const { rows } of windows) aggregation.add({ atMs: 0, rows }, DETAIL_MS);
    const lengthMs = (windows.at(-1)?.toMs ?? 0) - (windows[0]?.fromMs ?? 0);
    return { ...aggregation.answer(), coveredMs: [lengthMs] };
  }

  /** Reads at once when nobody looked until now, and then every 2 s. */
  #look(): void {
    const { stats } = this.#options;
    this.#lookedAtMs = performance.now();
    if (this.#glances !== undefined) return;
    this.#sampler.glance(Date.now(), stats.series());
    this.#glances = setInterval(() => {
      if (performance.now() - this.#lookedAtMs > LOOKED_AT_MS) {
        clearInterval(this.#glances);
        this.#glances = undefined;
        this.#sampler.lookAway();
      } else {
        this.#sampler.glance(Date.now(), stats.series());
      }
    }, GLANCE_MS).unref();
  }

  #arm(): void {
    this.#timer = setTimeout(() => {
      const step = this.#sampler.take(Date.now(), this.#options.stats.series());
      if (step !== undefined) this.#add(step);
      this.#arm();
    }, Sampler.dueInMs(Date.now())).unref();
  }

  #add(step: Step): void {
    if (this.#waiting >= MAX_WAITING) {
      this.#options.log.warn({ atMs: step.atMs }, 'the disk is too slow for the history: a step is left out');
      return;
    }
    this.#waiting++;
    this.#written = this.#written
      .then(() => this.#store.add(step))
      .catch((err: unknown) => this.#options.log.error({ err }, 'a step of the history is lost'))
      .finally(() => {
        this.#waiting--;
      });
  }
}

/** An answer that does not fit the question counts as none. */
async function merged(
  answers: ReadonlyMap<string, NodeFigures>,
  { asked, answered, missing }: Coverage,
  options: MergeOptions,
): Promise<MeshFigures> {
  const { figures, wrong } = await mergeFigures(answers, options);
  const refused = wrong.map((node) => ({ node, reason: 'refused' as const, lastHeardMs: null, endpoints: 0 }));
  return { figures, coverage: { asked, answered: answered - wrong.length, missing: [...missing, ...refused] } };
}
