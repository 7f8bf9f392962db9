/**
 * A copy of a request that goes to another service while the request itself goes its way. The copy is an exchange of its own,
 * whose client is nobody: what comes back is counted and dropped, and neither side waits for the other.
 *
 * Bodies are copied up to a limit and kept while there is no connection yet; a request with more is not copied to its end.
 * @module
 */

import type { Answer } from '../http/answer.ts';
import { Exchange, type HttpContext } from '../http/exchange.ts';
import type { MirrorSink } from '../http/plan.ts';
import type { Route } from '../http/route.ts';
import type { DownstreamStream, RawEnd } from '../http/streams.ts';
import { BODY, type Head } from '../http1/grammar/head.ts';

/** Most bytes of a body that are copied. */
export const MAX_MIRRORED_BYTES = 65_536;

/** @returns undefined for a request that is not copied: one that becomes bytes, or is known to be too long */
export function mirror(head: Head, route: Route, context: HttpContext): MirrorSink | undefined {
  if (head.upgrade || (head.body === BODY.length && head.contentLength > MAX_MIRRORED_BYTES)) return undefined;
  return new Mirror(head.copy(), route, context);
}

class Mirror implements DownstreamStream, MirrorSink {
  readonly isBlocked = false;
  readonly #exchange: Exchange;
  /** What came while the exchange took nothing. */
  #kept: Buffer[] = [];
  #bytes = 0;
  #isHeld = false;
  /** The end of the request is yet to be told. */
  #isEnding = false;
  #isOver = false;

  constructor(head: Head, route: Route, context: HttpContext) {
    this.#exchange = new Exchange(this, route, context);
    this.#exchange.begin(head);
    this.#exchange.flush();
  }

  // From the request.

  data(bytes: Buffer, start: number, end: number): void {
    if (this.#isOver) return;
    this.#bytes += end - start;
    if (this.#bytes > MAX_MIRRORED_BYTES) {
      this.abort();
      return;
    }
    this.#kept.push(Buffer.from(bytes.subarray(start, end)));
    this.#forward();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isEnding = true;
    this.#forward();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#kept = [];
    this.#exchange.requestAborted('mirror-cut');
  }

  // From the exchange.

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#forward();
  }

  done(): void {
    this.#isOver = true;
    this.#kept = [];
  }

  respond(_answer: Answer): void {
    this.done();
  }

  cut(): void {
    this.done();
  }

  sendInterim(): void {}
  sendHead(): void {}
  sendData(): void {}
  sendEnd(): void {}
  flush(): void {}

  detach(): RawEnd {
    throw new Error('a copy cannot become bytes'); // upgrades are not copied
  }

  #forward(): void {
    while (!this.#isHeld && this.#kept.length > 0) {
      const bytes = this.#kept.shift()!;
      this.#exchange.requestData(bytes, 0, bytes.length);
    }
    if (!this.#isHeld && this.#isEnding) {
      this.#isEnding = false;
      this.#exchange.requestEnd(undefined);
    }
    this.#exchange.flush();
  }
}
