/**
 * Hybrid logical clocks (Kulkarni et al. 2014): instants close to the wall clock that never run against the order in
 * which one revision replaced another.
 *
 * `ms` is the writer's wall clock, or that of the revision it replaces where that is ahead; `count` tells those apart that
 * share a millisecond.
 * @module
 */
export interface Hlc {
  readonly ms: number;
  readonly count: number;
}

const MAX_COUNT = 0xffff_ffff;

/** Above 0 when `a` is later. */
export function compareHlc(a: Hlc, b: Hlc): number {
  return a.ms - b.ms || a.count - b.count;
}

/** The instant of a revision written now that replaces one of the instant `after`. */
export function nextHlc(after: Hlc | undefined, wallMs: number): Hlc {
  if (after === undefined || wallMs > after.ms) return { ms: wallMs, count: 0 };
  return after.count < MAX_COUNT ? { ms: after.ms, count: after.count + 1 } : { ms: after.ms + 1, count: 0 };
}

export function isHlc({ ms, count }: Hlc): boolean {
  return Number.isSafeInteger(ms) && ms > 0 && Number.isInteger(count) && count >= 0 && count <= MAX_COUNT;
}
