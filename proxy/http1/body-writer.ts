/** Frames a body on its way out: as it is, in chunks, or not at all (RFC 9112 §6, §7.1). @module */

import type { Outbox } from './outbox.ts';

export const FRAME = {
  /** There is no body, whatever is given. */
  none: 0,
  /** Counted, or until the connection closes: the bytes alone. */
  raw: 1,
  chunked: 2,
} as const;
export type Frame = (typeof FRAME)[keyof typeof FRAME];

export class BodyWriter {
  frame: Frame = FRAME.none;
  readonly #out: Outbox;

  constructor(out: Outbox) {
    this.#out = out;
  }

  /** One stretch of the body; in chunks it becomes one chunk, so it must not be empty. */
  data(bytes: Buffer, start: number, end: number): void {
    if (this.frame === FRAME.raw) this.#out.data(bytes, start, end);
    else if (this.frame === FRAME.chunked) {
      this.#out.text(`${(end - start).toString(16)}\r\n`);
      this.#out.data(bytes, start, end);
      this.#out.text('\r\n');
    }
  }

  /** @param trailers complete lines, or ''; they need chunks to travel in */
  end(trailers: string): void {
    if (this.frame === FRAME.chunked) this.#out.text(trailers === '' ? '0\r\n\r\n' : `0\r\n${trailers}\r\n`);
  }
}
