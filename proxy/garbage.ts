/**
 * Collects the buffers that bodies leave behind before they pile up.
 *
 * Every read takes a new buffer outside the heap. V8 counts them towards the limit of the old generation, which is low
 * in a thread whose heap is small: with a young collection every 24 MB it still ran a full one for every 9 MB of bodies, which
 * cost more than all else together. Every 4 MB keeps full ones away; every 1 or 2 MB costs more than it saves.
 * docs/performance.md has the figures.
 * @module
 */

const EVERY_BYTES = 4 * 1024 * 1024;

export class GarbagePace {
  readonly #collect: () => void;
  #bytes = 0;

  /** @param collect a young collection of this thread's heap; does nothing where there is none to be had */
  constructor(collect: () => void) {
    this.#collect = collect;
  }

  /** So many bytes of a body were read and passed on. */
  passed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < EVERY_BYTES) return;
    this.#bytes = 0;
    this.#collect();
  }
}
