/**
 * What became of a request, for those who judge endpoints by it.
 *
 * An endpoint that fails fast looks fast. So that it attracts no traffic, a failure counts as slow (D9), and a refusal for
 * want of room as slow for as long as the endpoint asks to be left alone.
 * @module
 */

import { FAILURE_MS, type PeakEwma } from '../balancer/peak-ewma.ts';

/**
 * `good`: answered. `failed`: not, or with an error of its own. `busy`: refused for want of room (429, RESOURCE_EXHAUSTED,
 * `weft-reason: overloaded`), which is no failure. `none`: nothing can be said, as when the caller went away.
 */
export type Outcome = 'good' | 'failed' | 'busy' | 'none';

/** What a refusal counts for where it does not say how long to wait, and at most where it does. */
const BUSY_MS = 1_000;
const MAX_BUSY_MS = 30_000;

/** @param isOverloaded whether the mesh itself refused there, for want of room */
export function outcomeOf(status: number, isOverloaded: boolean): Outcome {
  if (status === 429 || isOverloaded) return 'busy';
  return status >= 500 ? 'failed' : 'good';
}

/**
 * Lets an answer count in the latency that balancers compare.
 *
 * @param retryAfterMs what a refusal asks for; 0 where it says nothing
 * @param nowMs on the clock that this latency is kept by
 */
export function observeLatency(
  latency: PeakEwma,
  outcome: Outcome,
  tookMs: number,
  retryAfterMs: number,
  nowMs: number,
): void {
  if (outcome === 'good') latency.observe(tookMs, nowMs);
  else if (outcome === 'failed') latency.observe(Math.max(tookMs, FAILURE_MS), nowMs);
  else if (outcome === 'busy') latency.observe(Math.max(tookMs, Math.min(retryAfterMs || BUSY_MS, MAX_BUSY_MS)), nowMs);
}
