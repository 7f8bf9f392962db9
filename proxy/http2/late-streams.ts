/**
 * Streams that ended here before the peer had ended them: what it sends of them until it learns is passed over, while frames
 * of any other closed stream are an error (RFC 9113 §5.1).
 *
 * Bounded: what is said of the oldest is forgotten first, and frames of forgotten streams are passed over, too.
 * @module
 */

const MAX_KEPT = 1_024;

export class LateStreams {
  readonly #ids = new Set<number>();
  /** The highest id that was forgotten. */
  #forgotten = 0;

  add(id: number): void {
    this.#ids.add(id);
    if (this.#ids.size <= MAX_KEPT) return;
    const [oldest] = this.#ids;
    this.#forgotten = Math.max(this.#forgotten, oldest!);
    this.#ids.delete(oldest!);
  }

  /** The peer has ended it now. */
  delete(id: number): void {
    this.#ids.delete(id);
  }

  has(id: number): boolean {
    return id <= this.#forgotten || this.#ids.has(id);
  }
}
