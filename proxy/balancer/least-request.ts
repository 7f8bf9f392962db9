/** Fewest requests under way, per unit of weight: the load of Mitzenmacher's queues, for power of two choices. @module */

import type { Balanced } from './balanced.ts';

export function hasFewerRequests(a: Balanced, b: Balanced): boolean {
  return a.outstanding * (b.capacity ?? b.weight) <= b.outstanding * (a.capacity ?? a.weight);
}
