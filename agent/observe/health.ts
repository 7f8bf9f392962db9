/**
 * Whether a service or an edge is well, and why: one rule for topology, pages, commands and events. Pure; whoever calls it says
 * what was counted in the window.
 * @module
 */
import type { Health } from '../console/shapes/common.ts';
import { BURN_LIMITS, type BurnLimits, type BurnRates } from './slo.ts';

/** The worst first. */
export const HEALTH_ORDER: readonly Health[] = ['bad', 'warn', 'unknown', 'quiet', 'ok'];
export const FAILED_BAD_RATIO = 0.03;
export const FAILED_WARN_RATIO = 0.01;
/** Fewer say nothing about shares. */
export const MIN_REQUESTS = 20;
const SLOW_FACTOR = 3;
const SLOW_BY_MS = 100;
/** Made once: making one takes longer than judging a service. */
const NUMBERS = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

export interface Observed {
  /** Of the window; null where no node knows. */
  readonly requests: number | null;
  readonly appFailed: number;
  readonly meshFailed: number;
  /** Where there are no requests but connections: those opened. */
  readonly connections?: number;
  readonly p99Ms: number | null;
  /** Of the same service over a long time; null where that is not known. */
  readonly usualP99Ms: number | null;
  /** Null where endpoints are none of its, such as of an edge or an outside host. */
  readonly endpointsReady: number | null;
  /** Who called it in the window. */
  readonly callers: readonly string[];
  /** Where it has an objective, proposed ones do not count; then shares and latency are not judged beside it. */
  readonly burn?: BurnRates | null;
  /** Of its objective; those of a proposed one where nothing else is said. */
  readonly burnLimits?: BurnLimits;
}

export interface Judgement {
  readonly health: Health;
  /** The rule that decided, with its numbers. */
  readonly cause: string;
}

export function healthOf(observed: Observed): Judgement {
  const verdicts = [judgedByEndpoints(observed), ...judgedByTraffic(observed)].filter((one) => one !== undefined);
  return worst(verdicts) ?? { health: 'ok', cause: failedText(observed) };
}

/** The worst of several; the first of equals. */
export function worst<T extends { readonly health: Health }>(list: readonly T[]): T | undefined {
  return [...list].sort((a, b) => HEALTH_ORDER.indexOf(a.health) - HEALTH_ORDER.indexOf(b.health))[0];
}

function judgedByEndpoints({ endpointsReady, callers }: Observed): Judgement | undefined {
  if (endpointsReady !== 0 || callers.length === 0) return undefined;
  const others = callers.length === 1 ? '' : ` and ${callers.length - 1} more`;
  return { health: 'bad', cause: `no ready endpoint, and called by ${callers[0]!}${others}` };
}

function judgedByTraffic(observed: Observed): readonly (Judgement | undefined)[] {
  const { requests, burn, burnLimits = BURN_LIMITS } = observed;
  if (requests === null) return [{ health: 'unknown', cause: 'no node says anything about this time' }];
  const { count, noun } = counted(observed);
  if (count < MIN_REQUESTS) {
    const cause = count === 0 ? 'no traffic' : `${number(count)} ${noun}, fewer than ${MIN_REQUESTS}`;
    return [{ health: 'quiet', cause }];
  }
  if (burn !== undefined && burn !== null) return [judgedByObjective(burn, burnLimits)];
  return [judgedByFailures(observed), judgedByLatency(observed)];
}

function judgedByObjective(
  { fiveMin, oneHour, halfHour, sixHours }: BurnRates,
  limits: BurnLimits,
): Judgement | undefined {
  const text = (rate: number): string => number(Math.round(rate * 10) / 10);
  if (isOver(limits.bad, fiveMin, oneHour)) {
    return {
      health: 'bad',
      cause: `uses its error budget ${text(fiveMin!)} times too fast over 5 min, ${text(oneHour!)} over 1 h`,
    };
  }
  if (isOver(limits.warn, halfHour, sixHours)) {
    return {
      health: 'warn',
      cause: `uses its error budget ${text(halfHour!)} times too fast over 30 min, ${text(sixHours!)} over 6 h`,
    };
  }
  return undefined;
}

function isOver(limit: number, short: number | null, long: number | null): boolean {
  return short !== null && long !== null && short >= limit && long >= limit;
}

function judgedByFailures(observed: Observed): Judgement | undefined {
  const ratio = failedRatioOf(observed) ?? 0;
  if (ratio < FAILED_WARN_RATIO) return undefined;
  return { health: ratio >= FAILED_BAD_RATIO ? 'bad' : 'warn', cause: failedText(observed) };
}

function judgedByLatency({ p99Ms, usualP99Ms }: Observed): Judgement | undefined {
  if (p99Ms === null || usualP99Ms === null || usualP99Ms <= 0) return undefined;
  if (p99Ms <= SLOW_FACTOR * usualP99Ms || p99Ms - usualP99Ms < SLOW_BY_MS) return undefined;
  const times = number(Math.round((p99Ms / usualP99Ms) * 10) / 10);
  return { health: 'warn', cause: `p99 ${milliseconds(p99Ms)}, ${times} times its usual ${milliseconds(usualP99Ms)}` };
}

/** Failed of all, by application and mesh; null where there was nothing. */
export function failedRatioOf(
  observed: Pick<Observed, 'requests' | 'connections' | 'appFailed' | 'meshFailed'>,
): number | null {
  const { count } = counted(observed);
  return count === 0 ? null : Math.min(1, (observed.appFailed + observed.meshFailed) / count);
}

function failedText(observed: Observed): string {
  const { count, noun } = counted(observed);
  return `failed ${percent(failedRatioOf(observed) ?? 0)} of ${number(count)} ${noun}`;
}

function counted({ requests, connections = 0 }: Pick<Observed, 'requests' | 'connections'>): {
  readonly count: number;
  readonly noun: string;
} {
  const isOfConnections = (requests ?? 0) === 0 && connections > 0;
  return isOfConnections ? { count: connections, noun: 'connections' } : { count: requests ?? 0, noun: 'requests' };
}

function percent(ratio: number): string {
  const value = ratio * 100;
  return `${value === 0 ? '0' : value < 0.1 ? '< 0.1' : value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

function milliseconds(ms: number): string {
  return ms >= 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${Math.round(ms)} ms`;
}

function number(value: number): string {
  return NUMBERS.format(value);
}
