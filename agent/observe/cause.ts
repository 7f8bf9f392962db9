/**
 * What is broken, felt by whom, since when, where, and after what: the cards of "Needs attention". Pure rules, and what does not
 * hold is left out: nothing here says "because".
 * @module
 */
import type { Health, MeshEvent, Problem } from '../console/shapes/common.ts';
import { FAILED_WARN_RATIO, HEALTH_ORDER } from './health.ts';

/** Of all failures, so many have to be in one place. */
const CONCENTRATED_RATIO = 0.8;
/** An event this long before the onset is still told of. */
const LEAD_MS = 120_000;
/** So many good steps in a row end a problem. */
const GOOD_STEPS = 3;
/** A caller that began this much earlier than what it calls has a problem of its own. */
const FELT_WITHIN_MS = 60_000;

export const PLACES = ['version', 'route', 'endpoint', 'node', 'reason'] as const;
export type Place = (typeof PLACES)[number];

/** Failures and requests by value. */
export type Breakdown = ReadonlyMap<string, { readonly failed: number; readonly requests: number }>;

export interface Trouble {
  readonly service: string;
  readonly health: Health;
  readonly cause: string;
  readonly failedRatio: number | null;
  readonly p99Ms: number | null;
  readonly sinceMs: number | null;
  /** Requests that failed in the window. */
  readonly failed: number;
  readonly where: Problem['where'];
  /** Nodes that it runs on. */
  readonly nodes: readonly string[];
}

/** Calls of one service to another in the window. */
export interface Calls {
  readonly from: string;
  readonly to: string;
  readonly failedRatio: number | null;
}

/**
 * Where at least 80 % of the failures are. Something that all requests have in common says nothing; a reason does.
 */
export function whereOf(breakdowns: Partial<Record<Place, Breakdown>>): Problem['where'] {
  const where: Problem['where'] = {};
  for (const place of PLACES) {
    const breakdown = breakdowns[place];
    const value = breakdown && concentratedIn(breakdown, place === 'reason');
    if (value !== undefined) where[place] = value;
  }
  return where;
}

function concentratedIn(breakdown: Breakdown, isAloneEnough: boolean): string | undefined {
  const entries = [...breakdown].filter(([value]) => value !== '' && value !== 'other');
  const total = [...breakdown.values()].reduce((sum, { failed }) => sum + failed, 0);
  const isChoice = isAloneEnough || [...breakdown.values()].filter(({ requests }) => requests > 0).length > 1;
  if (total === 0 || !isChoice) return undefined;
  return entries.find(([, { failed }]) => failed / total >= CONCENTRATED_RATIO)?.[0];
}

/**
 * When the present trouble began: the first step of the last run of bad ones, in which fewer than three good ones follow on each
 * other. Steps of which nothing is known are neither.
 *
 * @param isBad by step, the oldest first
 * @returns null where none is bad, or it was so from the first step on
 */
export function onsetOf(isBad: readonly (boolean | null)[], startMs: number, stepMs: number): number | null {
  let [first, good] = [-1, 0];
  for (let i = isBad.length - 1; i >= 0 && good < GOOD_STEPS; i--) {
    if (isBad[i] === true) [first, good] = [i, 0];
    else if (isBad[i] === false) good++;
  }
  if (first === -1) return null;
  const isFromTheStart = good < GOOD_STEPS && isBad.slice(0, first).every((bad) => bad === null);
  return isFromTheStart ? null : startMs + first * stepMs;
}

/** The last event before the onset, at most 120 s, on one of these; those within the step of the onset count as at its start. */
export function eventBefore(
  events: readonly MeshEvent[],
  {
    onsetMs,
    stepMs,
    touches,
  }: { readonly onsetMs: number | null; readonly stepMs: number; readonly touches: readonly string[] },
): Problem['after'] {
  if (onsetMs === null) return null;
  const near = events
    .filter(({ kind, atMs }) => kind !== 'health' && atMs >= onsetMs - LEAD_MS && atMs < onsetMs + stepMs)
    .filter((event) => event.touches.some((touched) => touches.includes(touched)))
    .sort((a, b) => b.atMs - a.atMs || a.id.localeCompare(b.id));
  const [event] = near;
  return event === undefined
    ? null
    : { eventId: event.id, title: event.title, leadMs: Math.max(0, onsetMs - event.atMs) };
}

export interface ProblemsOf {
  readonly troubles: readonly Trouble[];
  readonly calls: readonly Calls[];
  readonly events: readonly MeshEvent[];
  readonly stepMs: number;
}

/** The worst first. A service that fails where it calls another one in trouble, and no earlier, feels that one's problem. */
export function problemsOf({ troubles, calls, events, stepMs }: ProblemsOf): readonly Problem[] {
  const byService = new Map(troubles.map((trouble) => [trouble.service, trouble]));
  const failing = calls.filter(({ failedRatio, from, to }) => from !== to && (failedRatio ?? 0) >= FAILED_WARN_RATIO);
  const felt = new Map<string, string>();
  for (const { from, to } of failing) {
    const [caller, called] = [byService.get(from), byService.get(to)];
    if (caller === undefined || called === undefined || felt.has(from)) continue;
    if (isFelt(caller, called) && rootOf(to, felt) !== from) felt.set(from, to);
  }
  return [...troubles]
    .filter(({ service }) => !felt.has(service))
    .sort(worseFirst)
    .map((trouble) => {
      const { failed: _, nodes, ...rest } = trouble;
      const feltBy = callersOf(trouble.service, failing);
      const touches = [
        trouble.service,
        ...nodes.map((node) => `node:${node}`),
        ...feltBy.map(({ service }) => service),
      ];
      const near = { onsetMs: trouble.sinceMs, stepMs, touches };
      const own = eventBefore(events, { ...near, touches: touches.slice(0, 1) });
      return { id: `p:${trouble.service}`, ...rest, after: own ?? eventBefore(events, near), feltBy };
    });
}

function isFelt(caller: Trouble, called: Trouble): boolean {
  if (caller.sinceMs === null || called.sinceMs === null) return true;
  return caller.sinceMs >= called.sinceMs - FELT_WITHIN_MS;
}

function rootOf(service: string, felt: ReadonlyMap<string, string>): string {
  let root = service;
  for (let next = felt.get(root); next !== undefined; next = felt.get(root)) root = next;
  return root;
}

/** Who fails in calling it, and who fails in calling those; each once, the nearest first. */
function callersOf(service: string, failing: readonly Calls[]): Problem['feltBy'] {
  const found = new Map<string, number | null>();
  let edge = [service];
  while (edge.length > 0) {
    const next = failing.filter(({ from, to }) => edge.includes(to) && from !== service && !found.has(from));
    for (const { from, failedRatio } of next) found.set(from, Math.max(found.get(from) ?? 0, failedRatio ?? 0));
    edge = [...new Set(next.map(({ from }) => from))];
  }
  return [...found].map(([name, failedRatio]) => ({ service: name, failedRatio }));
}

function worseFirst(a: Trouble, b: Trouble): number {
  const rank = HEALTH_ORDER.indexOf(a.health) - HEALTH_ORDER.indexOf(b.health);
  return rank || b.failed - a.failed || a.service.localeCompare(b.service);
}
