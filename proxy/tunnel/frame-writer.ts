/** Writing frames of the tunnel, gathered in an outbox so that those of one turn leave as one write. @module */

import type { Head } from '../http1/grammar/head.ts';
import type { Outbox } from '../http1/outbox.ts';
import { writeRequestHead, writeResponseHead } from '../http1/serialize.ts';
import type { ResetCode, StreamWriter } from '../streams/carrier.ts';
import { ENDS, FRAME_BYTES, HELLO_BYTES, type Hello, KIND, MAX_DATA_BYTES } from './frames.ts';

/** With its header such a frame fills four TLS records to the byte, so that each record brings the payload of one frame. */
const DATA_BYTES = MAX_DATA_BYTES - FRAME_BYTES;
/** Sent before the end of the turn: what is copied and encrypted at a time stays in the caches of a core. */
const FLUSH_BYTES = 131_072;

export class FrameWriter implements StreamWriter {
  readonly #out: Outbox;
  /** Where the latest head or data frame begins, while it has not left: the end of its message may be marked on it. */
  #latest = -1;
  #latestStream = 0;
  #handovers = 0;

  constructor(out: Outbox) {
    this.#out = out;
  }

  hello({ version, maxStreams, firstCredit }: Hello): void {
    this.#header(HELLO_BYTES, KIND.hello, 0);
    this.#out.uint32(version);
    this.#out.uint32(maxStreams);
    this.#out.uint32(firstCredit);
  }

  requestHead(stream: number, head: Head, extra: string): void {
    const at = this.#beginHead(stream, head, extra);
    writeRequestHead(this.#out, head, extra);
    this.#endHead(at);
  }

  responseHead(stream: number, head: Head, extra: string): void {
    const at = this.#beginHead(stream, head, extra);
    writeResponseHead(this.#out, head, extra);
    this.#endHead(at);
  }

  /** @param text a whole head, one byte a character */
  headText(stream: number, text: string): void {
    this.#open(text.length, KIND.head, stream);
    this.#out.text(text);
  }

  /** Large stretches are not copied and must not change afterwards. */
  data(stream: number, bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += DATA_BYTES) {
      const stop = Math.min(end, at + DATA_BYTES);
      this.#open(stop - at, KIND.data, stream);
      this.#out.data(bytes, at, stop);
    }
    if (this.#out.pending >= FLUSH_BYTES) this.#out.flush();
  }

  /** @param trailers complete lines, or '' */
  end(stream: number, trailers: string): void {
    if (trailers !== '') {
      this.#header(trailers.length + 2, KIND.end, stream);
      this.#out.text(trailers);
      this.#out.text('\r\n');
    } else if (this.#latestStream === stream && this.#handovers === this.#out.handovers) {
      this.#out.setBits(this.#latest + 3, ENDS);
    } else this.#header(0, KIND.end, stream);
    this.#latestStream = 0;
  }

  reset(stream: number, code: ResetCode): void {
    this.#header(1, KIND.reset, stream);
    this.#out.text(String.fromCharCode(code));
  }

  credit(stream: number, bytes: number): void {
    this.#header(4, KIND.credit, stream);
    this.#out.uint32(bytes);
  }

  ping(token: Buffer): void {
    this.#header(token.length, KIND.ping, 0);
    this.#out.copy(token, 0, token.length);
  }

  pong(token: Buffer): void {
    this.#header(token.length, KIND.pong, 0);
    this.#out.copy(token, 0, token.length);
  }

  goaway(): void {
    this.#header(0, KIND.goaway, 0);
  }

  /** The length is known once the head is written. */
  #beginHead(stream: number, head: Head, extra: string): number {
    this.#out.reserve(head.end - head.start + extra.length + 64 + FRAME_BYTES);
    const at = this.#out.position;
    this.#open(0, KIND.head, stream);
    return at;
  }

  #endHead(at: number): void {
    this.#out.patch32(at, ((this.#out.position - at - FRAME_BYTES) << 8) | KIND.head);
  }

  #open(length: number, kind: number, stream: number): void {
    this.#out.reserve(FRAME_BYTES);
    this.#latest = this.#out.position;
    this.#latestStream = stream;
    this.#handovers = this.#out.handovers;
    this.#header(length, kind, stream);
  }

  #header(length: number, kind: number, stream: number): void {
    this.#out.uint32(length * 256 + kind);
    this.#out.uint32(stream);
  }
}
