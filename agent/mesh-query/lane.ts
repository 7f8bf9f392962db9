/**
 * Calls to one node, kept within what it lets one member ask: two at once, 15 a second with bursts of 80. A call that was
 * given up keeps its place until it ends, so a node that hangs costs two calls and not one a question.
 *
 * 64 wait at most; what is over that fails at once.
 * @module
 */
import { TokenBucket } from '../../gossip/libp2p/token-bucket.ts';

const AT_ONCE = 2;
const PER_SECOND = 15;
const BURST = 80;
const MAX_WAITING = 64;

interface Waiting {
  readonly run: () => void;
  readonly signal: AbortSignal;
}

export class Lane {
  readonly #bucket = new TokenBucket(PER_SECOND, BURST, performance.now());
  #waiting: Waiting[] = [];
  #open = 0;
  #timer: NodeJS.Timeout | undefined;

  get isIdle(): boolean {
    return this.#open === 0 && this.#waiting.length === 0;
  }

  /** Rejects as the call does, or when `signal` aborts first. */
  call<T>(make: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (signal.aborted || this.#waiting.length >= MAX_WAITING) {
      reject(signal.aborted ? signal.reason : new Error('too many questions wait for this node'));
      return promise;
    }
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    const run = (): void => {
      this.#open++;
      void make()
        .then(resolve, reject)
        .finally(() => {
          this.#open--;
          this.#next();
        });
    };
    this.#waiting.push({ run, signal });
    this.#next();
    return promise;
  }

  #next(): void {
    clearTimeout(this.#timer);
    this.#waiting = this.#waiting.filter(({ signal }) => !signal.aborted);
    while (this.#open < AT_ONCE && this.#waiting.length > 0) {
      if (!this.#bucket.take(performance.now())) {
        this.#timer = setTimeout(() => this.#next(), 1_000 / PER_SECOND).unref();
        return;
      }
      this.#waiting.shift()!.run();
    }
  }
}
