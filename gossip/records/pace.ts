/**
 * How often one owner's record may change by deltas: an honest node publishes ten a second at most, and what others passed
 * on in a heap after a stall fits into the burst. More is not taken and not passed on, so that a member that writes without
 * pause costs each node a bounded number of signature checks, and the mesh no flood; anti-entropy still brings its last word.
 *
 * Only what the owner signed counts. Else anybody could use up the pace of another.
 * @module
 */
const PER_SECOND = 20;
const BURST = 100;

interface Spent {
  readonly deltas: number;
  readonly atMs: number;
}

export class Pace {
  readonly #spent = new Map<string, Spent>();

  isExceeded(owner: string, nowMs: number): boolean {
    return this.#left(owner, nowMs) < 1;
  }

  took(owner: string, nowMs: number): void {
    this.#spent.set(owner, { deltas: BURST - this.#left(owner, nowMs) + 1, atMs: nowMs });
  }

  forget(owner: string): void {
    this.#spent.delete(owner);
  }

  #left(owner: string, nowMs: number): number {
    const spent = this.#spent.get(owner);
    if (spent === undefined) return BURST;
    return Math.min(BURST, BURST - spent.deltas + ((nowMs - spent.atMs) / 1_000) * PER_SECOND);
  }
}
