/**
 * Who may send how much on one stream: each side grants what its reader has taken, so that a slow reader stops its own
 * stream and no other.
 *
 * A stream begins with `FIRST_CREDIT`. While its reader keeps up, the window doubles with each grant, up to
 * `MAX_WINDOW` and to what the streams of a connection may have beyond their first credit together: a lone download
 * over a long line gets a window worth it, and a thousand stalled streams hold no more than a thousand first credits and
 * that budget.
 * @module
 */

export const FIRST_CREDIT = 65_536;
export const MAX_WINDOW = 1_048_576;
/** Bytes beyond the first credits, over all streams of a connection. */
export const EXTRA_BYTES = 16 * 1_048_576;

/** What the windows of one connection's streams may still grow by. */
export class WindowBudget {
  left = EXTRA_BYTES;
}

/** The receiving side of a stream. */
export class Window {
  readonly #budget: WindowBudget;
  /** Bytes the peer may send now. */
  #open = FIRST_CREDIT;
  #size = FIRST_CREDIT;
  /** Taken by the reader since the last grant. */
  #taken = 0;
  #keptUp = true;

  constructor(budget: WindowBudget) {
    this.#budget = budget;
  }

  /** For the next stream; gives back what this one had of the budget. */
  reset(): void {
    this.#budget.left += this.#size - FIRST_CREDIT;
    this.#open = FIRST_CREDIT;
    this.#size = FIRST_CREDIT;
    this.#taken = 0;
    this.#keptUp = true;
  }

  /** So many bytes arrived. False: more than were granted. */
  receive(bytes: number): boolean {
    this.#open -= bytes;
    return this.#open >= 0;
  }

  /** The reader does not keep up. */
  stalled(): void {
    this.#keptUp = false;
  }

  /** The reader took so many bytes. @returns bytes to grant now, or 0 */
  take(bytes: number): number {
    this.#taken += bytes;
    if (this.#taken * 2 < this.#size) return 0;
    const growth = this.#keptUp ? Math.min(this.#size, MAX_WINDOW - this.#size, this.#budget.left) : 0;
    this.#budget.left -= growth;
    this.#size += growth;
    const granted = this.#taken + growth;
    this.#open += granted;
    this.#taken = 0;
    this.#keptUp = true;
    return granted;
  }
}
