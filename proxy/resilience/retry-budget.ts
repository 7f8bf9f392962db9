/**
 * How many requests may be repeats: a share of those of a window, so that a service that fails gets little more load than one
 * that works. A few a second are always allowed, for callers that seldom call. Source: Finagle's RetryBudget
 * (twitter.github.io/finagle), with its numbers as in Gateway API's XBackendTrafficPolicy.
 * @module
 */

import type { RetryBudget } from '../traffic/rules.ts';

/** @param requests of the window, repeats not among them */
export function retryAllowance(requests: number, { ratio, windowMs, minPerSecond }: RetryBudget): number {
  return Math.max(requests * ratio, (minPerSecond * windowMs) / 1_000);
}
