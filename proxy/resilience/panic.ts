/**
 * When so many endpoints look bad that it is more likely the judgement, or the load on the few that are left would fell them
 * too: then all of them are used. Source: Envoy's panic threshold.
 * @module
 */

/** @param ready endpoints that may take traffic; `usable` of them are not ejected */
export function isPanic(usable: number, ready: number, panicRatio: number): boolean {
  return usable < ready && (usable === 0 || usable / ready < panicRatio);
}
