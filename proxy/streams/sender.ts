/**
 * The body of one message on its way onto a stream: as far as there is credit, the rest waits here until the source has
 * been paused and credit has come. What waits is at most what a source hands over before it looks at `isBlocked`.
 * @module
 */

import type { Carrier } from './carrier.ts';

export class BodySender {
  readonly #carrier: Carrier;
  #stream = 0;
  #credit = 0;
  readonly #waiting: Buffer[] = [];
  /** Trailers to send after what waits. */
  #trailers: string | undefined;

  constructor(carrier: Carrier) {
    this.#carrier = carrier;
  }

  begin(stream: number, credit: number): void {
    this.#stream = stream;
    this.#credit = credit;
    if (this.#waiting.length > 0) this.#waiting.length = 0; // writing a length is slow, even where it is the same
    this.#trailers = undefined;
  }

  get isBlocked(): boolean {
    return this.#waiting.length > 0 || this.#credit <= 0 || this.#carrier.window <= 0;
  }

  /** Whether the message is not out yet. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  data(bytes: Buffer, start: number, end: number): void {
    const now =
      this.#waiting.length > 0
        ? start
        : Math.max(start, Math.min(end, start + this.#credit, start + this.#carrier.window));
    if (now > start) {
      this.#credit -= now - start;
      this.#carrier.writer.data(this.#stream, bytes, start, now);
    }
    if (now < end) this.#waiting.push(bytes.subarray(now, end));
  }

  end(trailers: string): void {
    if (this.#waiting.length > 0) this.#trailers = trailers;
    else this.#carrier.writer.end(this.#stream, trailers);
  }

  /** The peer grants more. False: more than a window can be. */
  grant(bytes: number): boolean {
    this.#credit += bytes;
    if (this.#credit > 0x7fff_ffff) return false;
    const waiting = this.#waiting.splice(0);
    for (const bytes of waiting) this.data(bytes, 0, bytes.length);
    if (this.#waiting.length === 0 && this.#trailers !== undefined) {
      this.#carrier.writer.end(this.#stream, this.#trailers);
      this.#trailers = undefined;
    }
    return true;
  }
}
