/**
 * Changes on their way to the data plane: the first goes at once; of a burst, such as a thousand documents at start, the later
 * ones go together a moment later. Before `open` nothing goes: workers begin with all that was in use, not with a part of it.
 * @module
 */
const COLLECT_MS = 20;

export class Burst implements Disposable {
  readonly #tell: () => void;
  #isOpen = false;
  #isStale = false;
  #collecting: NodeJS.Timeout | undefined;

  /** @param tell passes on all there is */
  constructor(tell: () => void) {
    this.#tell = tell;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Something changed that was not told yet. */
  get isStale(): boolean {
    return this.#isStale;
  }

  changed(): void {
    this.#isStale = true;
    if (!this.#isOpen || this.#collecting !== undefined) return;
    this.now();
    this.#collecting = setTimeout(() => {
      this.#collecting = undefined;
      if (this.#isStale) this.changed();
    }, COLLECT_MS);
  }

  /** Tells without waiting. */
  now(): void {
    this.#isStale = false;
    this.#tell();
  }

  open(): void {
    this.#isOpen = true;
    this.now();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#collecting);
    this.#isOpen = false;
  }
}
