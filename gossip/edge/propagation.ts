/**
 * How long changes take from the node that makes them to this one: a histogram of deltas that came by broadcast.
 *
 * The writer stamps each with its wall clock. The stamp is not signed and takes no part in any decision. Where we ping the
 * writer its clock's skew is known and taken out; elsewhere the difference is taken as it is, and counted apart.
 * @module
 */

/** Upper bounds of the buckets; one more follows without. */
export const PROPAGATION_BOUNDS_MS: readonly number[] = [
  5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000,
];

/** A stamp from another century shall not spoil the sum. */
const MAX_DELAY_MS = 600_000;

export type PropagationClock = 'corrected' | 'raw';

export interface DelayHistogram {
  /** Not added up; one more than there are bounds. */
  readonly counts: number[];
  sumMs: number;
}

export type Propagation = Readonly<Record<PropagationClock, DelayHistogram>>;

export function emptyPropagation(): Propagation {
  return { corrected: emptyHistogram(), raw: emptyHistogram() };
}

/**
 * @param sentAtMs by the writer's wall clock
 * @param skewMs the writer's clock less ours; undefined when it is not known
 */
export function observeDelay(into: Propagation, sentAtMs: number, skewMs: number | undefined, wallMs: number): void {
  const delayMs = Math.min(MAX_DELAY_MS, Math.max(0, wallMs - (sentAtMs - (skewMs ?? 0))));
  const histogram = into[skewMs === undefined ? 'raw' : 'corrected'];
  const bucket = PROPAGATION_BOUNDS_MS.findIndex((bound) => delayMs <= bound);
  histogram.counts[bucket === -1 ? PROPAGATION_BOUNDS_MS.length : bucket]!++;
  histogram.sumMs += delayMs;
}

function emptyHistogram(): DelayHistogram {
  return { counts: new Array<number>(PROPAGATION_BOUNDS_MS.length + 1).fill(0), sumMs: 0 };
}
