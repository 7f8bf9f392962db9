/**
 * How fast a service uses up the failures that its objective allows: multi-window burn rates (Site Reliability Workbook, ch. 5).
 * A rate of 1 uses the budget up exactly in its window. Pure.
 * @module
 */

/** Over 5 min and 1 h: 2 % of a month's budget in an hour. */
export const BURN_BAD = 14.4;
/** Over 30 min and 6 h: 5 % of a month's budget in six hours. */
export const BURN_WARN = 6;
export const BURN_WINDOWS_MS = {
  fiveMin: 300_000,
  halfHour: 1_800_000,
  oneHour: 3_600_000,
  sixHours: 21_600_000,
} as const;
export type BurnRates = Readonly<Record<keyof typeof BURN_WINDOWS_MS, number | null>>;

/** Fewer say nothing about a rate. */
const MIN_REQUESTS = 20;
const DAY_MS = 86_400_000;

export interface Objective {
  /** Of requests that do not fail (and are fast enough), above 0 and below 1. */
  readonly targetRatio: number;
  readonly windowMs: number;
  /** Whether requests that failed count against it. */
  readonly countsFailures: boolean;
  /** Slower ones count against it, whether they failed or not; undefined: latency does not matter. */
  readonly latencyMs?: number;
  readonly limits: BurnLimits;
}

/** Burn rates from which it is bad (over 5 min and 1 h), or warns (over 30 min and 6 h). */
export interface BurnLimits {
  readonly bad: number;
  readonly warn: number;
}
export const BURN_LIMITS: BurnLimits = { bad: BURN_BAD, warn: BURN_WARN };

/** How fast a service uses its budget up, and from when on that is said. */
export interface Burn {
  readonly rates: BurnRates;
  readonly limits: BurnLimits;
}

/** What is taken for granted where nobody declared one; shown as proposed, and judged by nobody. */
export const PROPOSED: Objective = {
  targetRatio: 0.999,
  windowMs: 30 * DAY_MS,
  countsFailures: true,
  limits: BURN_LIMITS,
};

/** Requests of some time, and those of them that did not do. */
export interface Counted {
  readonly requests: number;
  readonly failed: number;
}

/** Null where too few requests were made to say. */
export function burnRate(
  { requests, failed }: Counted,
  { targetRatio }: Pick<Objective, 'targetRatio'>,
): number | null {
  if (requests < MIN_REQUESTS) return null;
  return Math.min(1, failed / requests) / (1 - targetRatio);
}

/**
 * Rates of all windows that end with the last step.
 *
 * @param steps oldest first; null where nothing is known, which counts as nothing
 */
export function burnRates(
  steps: readonly (Counted | null)[],
  stepMs: number,
  objective: Pick<Objective, 'targetRatio'>,
): BurnRates {
  const rate = (windowMs: number): number | null =>
    burnRate(sumOf(steps.slice(-Math.ceil(windowMs / stepMs))), objective);
  const { fiveMin, halfHour, oneHour, sixHours } = BURN_WINDOWS_MS;
  return { fiveMin: rate(fiveMin), halfHour: rate(halfHour), oneHour: rate(oneHour), sixHours: rate(sixHours) };
}

export interface Budget {
  /** Of the failures that the window allows, what is left; below 0 when overdrawn; null where there was no request. */
  readonly leftRatio: number | null;
  /** Until nothing is left, at the pace of the last hour; null where it lasts. */
  readonly exhaustedInMs: number | null;
}

/**
 * @param window what was counted of the objective's window, as far back as is known
 * @param lastHour of the last hour
 */
export function budgetOf(
  window: Counted,
  lastHour: Counted,
  { targetRatio, windowMs }: Pick<Objective, 'targetRatio' | 'windowMs'>,
): Budget {
  if (window.requests === 0) return { leftRatio: null, exhaustedInMs: null };
  const allowed = window.requests * (1 - targetRatio);
  const leftRatio = 1 - window.failed / allowed;
  const rate = burnRate(lastHour, { targetRatio });
  if (leftRatio <= 0) return { leftRatio, exhaustedInMs: 0 };
  if (rate === null || rate <= 1) return { leftRatio, exhaustedInMs: null };
  return { leftRatio, exhaustedInMs: Math.round((leftRatio * windowMs) / rate) };
}

export function sumOf(steps: readonly (Counted | null)[]): Counted {
  let [requests, failed] = [0, 0];
  for (const step of steps) {
    requests += step?.requests ?? 0;
    failed += step?.failed ?? 0;
  }
  return { requests, failed };
}
