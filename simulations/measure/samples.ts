/** Percentiles of samples. @module */

/** The smallest sample that `share` of all do not exceed; undefined without samples. */
export function percentile(samples: readonly number[], share: number): number | undefined {
  if (samples.length === 0) return undefined;
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** Rounded for people: tenths of a millisecond, and null where there is nothing to tell. */
export function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10;
}
