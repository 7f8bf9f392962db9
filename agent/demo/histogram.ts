/** Latencies counted in buckets that grow by 4 %, so that quantiles are right to 2 % and histograms add up. @module */

const SMALLEST_MS = 0.01;
const GROWTH = 1.04;
/** Up to about two minutes; what takes longer is counted as that. */
const BUCKETS = 420;

export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  record(ms: number): void {
    this.#add(bucketOf(ms), 1);
  }

  /** Bucket and count in turn: what another histogram's addSparse() takes. */
  toSparse(): number[] {
    const sparse: number[] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) sparse.push(bucket, count);
    });
    return sparse;
  }

  addSparse(sparse: readonly number[]): void {
    for (let i = 0; i + 1 < sparse.length; i += 2) this.#add(sparse[i]!, sparse[i + 1]!);
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** @param share 0.99 for the 99th percentile; undefined when nothing was recorded */
  quantile(share: number): number | undefined {
    if (this.#total === 0) return undefined;
    let left = Math.max(1, Math.ceil(share * this.#total));
    const bucket = this.#counts.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return SMALLEST_MS * GROWTH ** (bucket + 0.5);
  }

  #add(bucket: number, count: number): void {
    if (bucket < 0 || bucket >= BUCKETS) return;
    this.#counts[bucket]! += count;
    this.#total += count;
  }
}

function bucketOf(ms: number): number {
  const bucket = Math.floor(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH));
  return Math.min(BUCKETS - 1, bucket);
}
