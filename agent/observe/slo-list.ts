/**
 * How services stand against their objective, from the figures of the mesh: the declared one, or else a proposed one, which
 * nobody is judged by. What is left of a budget is told of as much of its window as the history holds.
 * @module
 */
import type { AgentConfig } from '../config.ts';
import type { FiguresQuestion, FiguresRow } from '../history/figures.ts';
import type { MeshFigures } from '../history/history.ts';
import { COARSE_MS, DETAIL_MS } from '../history/store.ts';
import type { Coverage } from '../mesh-query/shapes.ts';
import { indicatorsOf } from './indicators.ts';
import type { DeclaredObjective, Objectives } from './objectives.ts';
import {
  BURN_WINDOWS_MS,
  type Budget,
  type Burn,
  type BurnRates,
  budgetOf,
  burnRates,
  type Counted,
  type Objective,
  PROPOSED,
  sumOf,
} from './slo.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const NOTHING: Counted = { requests: 0, failed: 0 };

export interface SloSight {
  readonly figures: (question: FiguresQuestion) => Promise<MeshFigures>;
  /** Declared ones by service. */
  readonly objectives: ReadonlyMap<string, DeclaredObjective>;
  /** How far back the history holds steps of 5 min. */
  readonly keptMs: number;
}

export interface SloRow {
  readonly service: string;
  readonly objective: Objective;
  readonly isProposed: boolean;
  /** What declares it; null where it is proposed. */
  readonly document: { readonly namespace: string; readonly name: string; readonly revision: string } | null;
  readonly burn: BurnRates;
  /** Of `knownMs`. */
  readonly budgetLeftRatio: number | null;
  readonly exhaustedInMs: number | null;
  readonly requests: number;
  /** How much of the window is looked at: the history holds no more. */
  readonly knownMs: number;
}
export interface SloList {
  readonly services: readonly SloRow[];
  readonly coverage: Coverage;
}

export function sightOf(
  { history, config }: { readonly history: Pick<SloSight, 'figures'>; readonly config: Pick<AgentConfig, 'history'> },
  objectives: Pick<Objectives, 'byService'>,
): SloSight {
  return {
    figures: (question) => history.figures(question),
    objectives: objectives.byService(),
    keptMs: config.history.days * DAY_MS,
  };
}

/** All services that were called, and all that have an objective; those with the least budget left first. */
export async function sloList(sight: SloSight, nowMs: number): Promise<SloList> {
  const { objectives, keptMs } = sight;
  const objectiveOf = (service: string): Objective => objectives.get(service)?.objective ?? PROPOSED;
  const knownOf = (service: string): number => Math.min(objectiveOf(service).windowMs, keptMs);
  const lengths = new Set([Math.min(PROPOSED.windowMs, keptMs), ...[...objectives.keys()].map(knownOf)]);
  const [recent, ...long] = await Promise.all([
    recentOf(sight, nowMs),
    ...[...lengths].map(async (knownMs) => ({ knownMs, rows: await windowOf(sight, nowMs, knownMs) })),
  ]);
  const windows = new Map(long.map(({ knownMs, rows }) => [knownMs, rows]));
  const called = [recent.hour, ...windows.values()].flatMap((rows) => [...rows.keys()]);
  const services = [...new Set([...called, ...objectives.keys()])].map((service): SloRow => {
    const [objective, knownMs] = [objectiveOf(service), knownOf(service)];
    const [hour, window] = [recent.hour.get(service), windows.get(knownMs)?.get(service)];
    const declared = objectives.get(service);
    return {
      service,
      objective,
      isProposed: declared === undefined,
      document: declared === undefined ? null : keyIn(declared),
      burn: ratesOf(service, recent, objective),
      ...standing(window, hour, objective),
      requests: requestsOf(window ?? hour),
      knownMs,
    };
  });
  const byNeed = (a: SloRow, b: SloRow): number => (a.budgetLeftRatio ?? 2) - (b.budgetLeftRatio ?? 2);
  return { services: services.sort(byNeed), coverage: recent.coverage };
}

/** Of services with a declared objective: what their health is judged by. Asks nobody where there is none. */
export async function burnsOf(sight: SloSight, nowMs: number): Promise<ReadonlyMap<string, Burn>> {
  if (sight.objectives.size === 0) return new Map();
  const recent = await recentOf(sight, nowMs);
  return new Map(
    [...sight.objectives].map(([service, { objective }]) => {
      return [service, { rates: ratesOf(service, recent, objective), limits: objective.limits }];
    }),
  );
}

function requestsOf(row: FiguresRow | undefined): number {
  return row === undefined ? 0 : sumOf(indicatorsOf(row, PROPOSED)[0]!).requests;
}

function keyIn({ namespace, name, revision }: DeclaredObjective): NonNullable<SloRow['document']> {
  return { namespace, name, revision };
}

type Rows = ReadonlyMap<string, FiguresRow>;

interface Recent {
  /** In steps of a minute, the last one up to the last 10 s. */
  readonly hour: Rows;
  /** In steps of 5 min, up to the last whole ones: the block that has just begun says little yet. */
  readonly sixHours: Rows;
  readonly coverage: Coverage;
}

async function recentOf(sight: SloSight, nowMs: number): Promise<Recent> {
  const [hour, six] = await Promise.all([
    ask(sight, nowMs, { lengthMs: BURN_WINDOWS_MS.oneHour, stepMs: MINUTE_MS }),
    ask(sight, nowMs, { lengthMs: BURN_WINDOWS_MS.sixHours, stepMs: COARSE_MS }),
  ]);
  return { hour: byService(hour), sixHours: byService(six), coverage: hour.coverage };
}

async function windowOf(sight: SloSight, nowMs: number, lengthMs: number): Promise<Rows> {
  return byService(await ask(sight, nowMs, { lengthMs, stepMs: null }));
}

/** The same question for 10 s or 5 min, so that answers may be kept. */
function ask(
  { figures, objectives }: SloSight,
  nowMs: number,
  { lengthMs, stepMs }: { readonly lengthMs: number; readonly stepMs: number | null },
): Promise<MeshFigures> {
  const unitMs = stepMs === MINUTE_MS ? DETAIL_MS : COARSE_MS;
  const toMs = Math.floor(nowMs / unitMs) * unitMs;
  const withBuckets = [...objectives.values()].some(({ objective }) => objective.latencyMs !== undefined);
  return figures({
    fromMs: toMs - lengthMs,
    toMs,
    stepMs,
    service: null,
    by: ['destination'],
    direction: 'outbound',
    ...(withBuckets ? { withBuckets } : {}),
  });
}

function byService({ figures }: MeshFigures): Rows {
  return new Map(figures.rows.map((row) => [row.labels.destination ?? '', row]));
}

/** Of several indicators the worse one's. */
function ratesOf(service: string, { hour, sixHours }: Recent, objective: Objective): BurnRates {
  const worst = (rows: Rows, stepMs: number): BurnRates => {
    const row = rows.get(service);
    const all: readonly (Counted | null)[][] = row === undefined ? [[]] : indicatorsOf(row, objective);
    return all.map((steps) => burnRates(steps, stepMs, objective)).reduce(higher);
  };
  const [fast, slow] = [worst(hour, MINUTE_MS), worst(sixHours, COARSE_MS)];
  return { fiveMin: fast.fiveMin, oneHour: fast.oneHour, halfHour: slow.halfHour, sixHours: slow.sixHours };
}

function higher(a: BurnRates, b: BurnRates): BurnRates {
  const most = (one: number | null, other: number | null): number | null =>
    one === null || other === null ? (one ?? other) : Math.max(one, other);
  return {
    fiveMin: most(a.fiveMin, b.fiveMin),
    halfHour: most(a.halfHour, b.halfHour),
    oneHour: most(a.oneHour, b.oneHour),
    sixHours: most(a.sixHours, b.sixHours),
  };
}

/** Of several indicators the one with the least budget left. */
function standing(
  window: FiguresRow | undefined,
  hour: FiguresRow | undefined,
  objective: Objective,
): Pick<SloRow, 'budgetLeftRatio' | 'exhaustedInMs'> {
  if (window === undefined) return { budgetLeftRatio: null, exhaustedInMs: null };
  const hours = hour === undefined ? [] : indicatorsOf(hour, objective);
  const budgets = indicatorsOf(window, objective).map((steps, i): Budget => {
    const lastHour = hours[i] === undefined ? NOTHING : sumOf(hours[i]);
    return budgetOf(sumOf(steps), lastHour, objective);
  });
  const { leftRatio, exhaustedInMs } = budgets.reduce((a, b) => ((b.leftRatio ?? 2) < (a.leftRatio ?? 2) ? b : a));
  return { budgetLeftRatio: leftRatio, exhaustedInMs };
}
