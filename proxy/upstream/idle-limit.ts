/**
 * How long an unused connection may be kept before the server closes it: a request sent at that moment is lost. Configured,
 * and lowered when a server is seen to close earlier; a server that is restarted is another target and starts anew.
 * @module
 */

/** Of what a server was seen to keep: its timer and ours do not start at the same instant. */
const SAFE_RATIO = 0.8;
/** Below this a server does not time out, it just closes: a limit would say that no connection may ever be kept. */
const LEAST_MS = 200;

export class IdleLimit {
  #ms: number;

  constructor(configuredMs: number) {
    this.#ms = configuredMs;
  }

  get ms(): number {
    return this.#ms;
  }

  /** The server closed a connection that had been unused for so long. */
  sawClosed(afterMs: number): void {
    const safeMs = afterMs * SAFE_RATIO;
    if (safeMs >= LEAST_MS && safeMs < this.#ms) this.#ms = safeMs;
  }
}
