/**
 * A wait for others that does not end because we could not listen.
 *
 * After a stall, Node runs timers that came due before it reads what lies in the sockets: the connection that stands, the bytes
 * that were waited for are there, unread. So what comes due waits for two turns of the event loop, and is over only if nobody
 * cleared it by then. The first turn reads what lies there; the second is for what follows from it.
 * @module
 */
export class FairTimeout {
  readonly #over: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param over called at most once, and not after `clear` */
  constructor(over: () => void, waitMs: number) {
    this.#over = over;
    this.#timer = setTimeout(() => afterTwoTurns(this.#due), waitMs).unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #due = (): void => {
    if (this.#timer === undefined) return;
    this.#timer = undefined;
    this.#over();
  };
}

export function afterTwoTurns(then: () => void): void {
  setImmediate(() => setImmediate(then));
}
