/**
 * Notices that this node was apart from the mesh for longer than the mesh remembers its dead.
 *
 * Others forget a member that left, once no valid record of it can be about. Whoever was away for that long, cut off or
 * asleep, may hold it alive still, and would bring it back. So what it knows of others is worth nothing any more: it drops
 * all of it and begins anew, as Cassandra rebuilds a replica that was down for longer than gc_grace.
 * @module
 */
export class Absence {
  readonly #toleratedMs: number;
  /** Time that our clock left out because we stood still. */
  #lostMs = 0;
  #heardAtMs = 0;

  /** @param toleratedMs how long the dead are remembered */
  constructor(toleratedMs: number) {
    this.#toleratedMs = toleratedMs;
  }

  /** Somebody spoke to us. */
  heard(nowMs: number): void {
    this.#heardAtMs = nowMs + this.#lostMs;
  }

  stoodStill(forMs: number): void {
    this.#lostMs += forMs;
  }

  isTooLong(nowMs: number): boolean {
    return nowMs + this.#lostMs - this.#heardAtMs > this.#toleratedMs;
  }
}
