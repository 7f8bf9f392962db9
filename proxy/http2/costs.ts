/**
 * What a peer makes us do without paying for it: resets, pings, settings, empty frames, streams that have to be reset. Too much
 * of it in one second, and the connection ends with ENHANCE_YOUR_CALM.
 *
 * What we send it to read pays: pings and window updates come with downloads, and a fast one has thousands a second.
 * @module
 */

/** Costly frames in a second beyond those that were paid for. */
export const MAX_COSTLY = 2_000;
/** Window updates that are paid for by one frame of a response or request. */
const UPDATES_A_FRAME = 10;

export class Costs {
  #frames = 0;
  #updates = 0;

  /** The peer did something that costs us and not it. @returns whether it is too much */
  pay(): boolean {
    return ++this.#frames > MAX_COSTLY;
  }

  payUpdate(): boolean {
    return ++this.#updates > MAX_COSTLY;
  }

  /** Frames of a message were sent to the peer. */
  earn(frames: number): void {
    this.#frames = Math.max(0, this.#frames - frames);
    this.#updates = Math.max(0, this.#updates - frames * UPDATES_A_FRAME);
  }

  /** A stream was opened: its window may be widened, but nothing else comes with it for free. */
  earnUpdate(): void {
    this.#updates = Math.max(0, this.#updates - 1);
  }

  /** Another second begins. Not to be called while the peer does not read: replies to its frames pile up then. */
  renew(): void {
    this.#frames = 0;
    this.#updates = 0;
  }
}
