/** The lower of two costs by peak-EWMA, for power of two choices; Finagle's load metric of that name. @module */

import type { Balanced } from './balanced.ts';
import { hasFewerRequests } from './least-request.ts';

/**
 * One that nobody has heard of gets a request to be judged by, and no second one before it has answered.
 *
 * Costs are compared as of the later of the two answers, which spares a look at the clock: what time has taken from both
 * since then it has taken alike.
 */
export function hasLowerCost(a: Balanced, b: Balanced): boolean {
  const one = a.latency;
  const other = b.latency;
  const isOneUnknown = one === undefined || one.isUnknown;
  const isOtherUnknown = other === undefined || other.isUnknown;
  if (isOneUnknown && isOtherUnknown) return hasFewerRequests(a, b);
  if (isOneUnknown) return a.outstanding === 0;
  if (isOtherUnknown) return b.outstanding > 0;
  const nowMs = Math.max(one.observedAtMs, other.observedAtMs);
  const mine = one.costMs(nowMs) * (a.outstanding + 1) * (b.capacity ?? b.weight);
  return mine <= other.costMs(nowMs) * (b.outstanding + 1) * (a.capacity ?? a.weight);
}
