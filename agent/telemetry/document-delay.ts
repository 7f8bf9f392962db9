/** How long documents take from being written to being in use on this node. @module */

/** Upper bounds of the buckets, in seconds. */
export const DELAY_BOUNDS_S = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;

/** Revisions that are remembered as counted; a document that is taken back may be taken into use again. */
const MAX_COUNTED = 1_000;

export class DocumentDelay {
  readonly counts: number[] = Array(DELAY_BOUNDS_S.length + 1).fill(0) as number[];
  sumS = 0;
  readonly #sinceMs: number;
  readonly #counted = new Set<string>();

  /** @param sinceMs what was written before this was not on its way to us, but waited for us to start */
  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs;
  }

  /** A revision is in use. Instants are ms since 1970; that of writing is on the clock of its author. */
  applied(revision: string, writtenAtMs: number, nowMs: number): void {
    if (writtenAtMs < this.#sinceMs || this.#counted.has(revision)) return;
    if (this.#counted.size >= MAX_COUNTED) this.#counted.clear();
    this.#counted.add(revision);
    const tookS = Math.max(0, nowMs - writtenAtMs) / 1_000;
    const bucket = DELAY_BOUNDS_S.findIndex((bound) => tookS <= bound);
    this.counts[bucket === -1 ? DELAY_BOUNDS_S.length : bucket]!++;
    this.sumS += tookS;
  }
}
