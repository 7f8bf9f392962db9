/**
 * Latency in logarithmic buckets, two an octave: 40 of them reach from 0.1 ms to a minute and a half, and a quantile read
 * from them is at most a fifth off.
 * @module
 */

export const BUCKETS = 40;
const SMALLEST_MS = 0.1;

/** Upper bounds in milliseconds; the last bucket has none. */
export const BUCKET_BOUNDS_MS: readonly number[] = Array.from(
  { length: BUCKETS - 1 },
  (_, i) => SMALLEST_MS * 2 ** (i / 2),
);

export function bucketOf(milliseconds: number): number {
  if (milliseconds <= SMALLEST_MS) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log2(milliseconds / SMALLEST_MS) * 2));
}

/**
 * The latency below which a share of all requests lie, interpolated within its bucket.
 *
 * @param share from 0 to 1
 * @returns milliseconds, or undefined where nothing was counted
 */
export function quantile(counts: readonly number[], share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const wanted = share * total;
  let below = 0;
  for (const [i, count] of counts.entries()) {
    if (count === 0 || below + count < wanted) {
      below += count;
      continue;
    }
    const lower = i === 0 ? 0 : BUCKET_BOUNDS_MS[i - 1]!;
    const upper = BUCKET_BOUNDS_MS[i] ?? lower * Math.SQRT2;
    return lower + ((wanted - below) / count) * (upper - lower);
  }
  return BUCKET_BOUNDS_MS.at(-1);
}
