/**
 * What part of its weight a new endpoint has: caches are cold and code is not compiled yet. As Envoy's slow start, but that a
 * higher `aggression` is slower at first here.
 * @module
 */

import type { WarmUp } from '../traffic/rules.ts';

/** @returns more than 0, up to 1 */
export function warmth(ageMs: number, { durationMs, minPercent, aggression }: WarmUp): number {
  if (ageMs >= durationMs) return 1;
  return Math.max(minPercent / 100, (ageMs / durationMs) ** aggression, 0.01);
}

/** How often weights are worked out anew meanwhile. */
export function warmUpStepMs({ durationMs }: WarmUp): number {
  return Math.max(100, durationMs / 50);
}
