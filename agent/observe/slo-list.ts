/**
 * How services stand against their objective, from the figures of the mesh up to the last whole 5 min. Nobody declares
 * objectives yet: all are proposed.
 * @module
 */
import type { FiguresRow } from '../history/figures.ts';
import type { History } from '../history/history.ts';
import { COARSE_MS } from '../history/store.ts';
import type { Coverage } from '../mesh-query/shapes.ts';
import {
  BURN_WINDOWS_MS,
  type BurnRates,
  budgetOf,
  burnRates,
  type Counted,
  type Objective,
  PROPOSED,
  sumOf,
} from './slo.ts';

/** As far back as steps of 5 min are kept by default. */
const KNOWN_MS = 14 * 86_400_000;

export interface SloRow {
  readonly service: string;
  readonly objective: Objective;
  readonly isProposed: boolean;
  readonly burn: BurnRates;
  /** Of what is known of the window: 14 d at most. */
  readonly budgetLeftRatio: number | null;
  readonly exhaustedInMs: number | null;
  readonly requests: number;
}
export interface SloList {
  readonly services: readonly SloRow[];
  readonly coverage: Coverage;
}

export async function sloList(history: Pick<History, 'figures'>, nowMs: number): Promise<SloList> {
  const toMs = Math.floor(nowMs / COARSE_MS) * COARSE_MS; // the block that has just begun says little yet
  const question = { service: null, by: ['destination' as const], direction: 'outbound' as const, toMs };
  const fromMs = toMs - BURN_WINDOWS_MS.sixHours;
  const [recent, long] = await Promise.all([
    history.figures({ ...question, fromMs, stepMs: COARSE_MS }),
    history.figures({ ...question, fromMs: toMs - KNOWN_MS, stepMs: null }),
  ]);
  const recentOf = new Map(recent.figures.rows.map((row) => [row.labels.destination, row]));
  const services = long.figures.rows.map((row): SloRow => {
    const service = row.labels.destination ?? '';
    const known = recentOf.get(service);
    const steps = known === undefined ? [] : countedIn(known);
    const window = sumOf(countedIn(row));
    const lastHour = sumOf(steps.slice(-BURN_WINDOWS_MS.oneHour / COARSE_MS));
    const { leftRatio, exhaustedInMs } = budgetOf(window, lastHour, PROPOSED);
    const burn = burnRates(steps, COARSE_MS, PROPOSED);
    const standing = { burn, budgetLeftRatio: leftRatio, exhaustedInMs, requests: window.requests };
    return { service, objective: PROPOSED, isProposed: true, ...standing };
  });
  const byNeed = (a: SloRow, b: SloRow): number => (a.budgetLeftRatio ?? 2) - (b.budgetLeftRatio ?? 2);
  return { services: services.sort(byNeed), coverage: recent.coverage };
}

/** What the client asked for wrongly, or policy refused, is not the service's failure. */
function countedIn({ requests, appFailed, meshFailed }: FiguresRow): (Counted | null)[] {
  return requests.map((count, i) =>
    count === null ? null : { requests: count, failed: (appFailed[i] ?? 0) + (meshFailed[i] ?? 0) },
  );
}
