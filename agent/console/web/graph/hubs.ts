/** Services that nearly everybody calls: set apart, and their edges drawn only where somebody looks. Pure. @module */

/** Called by more than this share of all others: hubs, which would draw everything towards them. */
const HUB_RATIO = 0.4;
const HUB_LEAST_CALLERS = 5;

/** Places in `nodes` of services that nearly everybody calls. */
export function hubsOf(count: number, edges: readonly { readonly from: number; readonly to: number }[]): Set<number> {
  const callers = new Map<number, Set<number>>();
  for (const { from, to } of edges) callers.set(to, (callers.get(to) ?? new Set()).add(from));
  const least = Math.max(HUB_LEAST_CALLERS, HUB_RATIO * (count - 1));
  return new Set([...callers].filter(([, from]) => from.size > least).map(([to]) => to));
}
