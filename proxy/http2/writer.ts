/** Writing frames of HTTP/2, gathered in an outbox so that those of one turn leave as one write. @module */

import type { Head } from '../http1/grammar/head.ts';
import type { Outbox } from '../http1/outbox.ts';
import { RESET, type ResetCode, type StreamWriter } from '../streams/carrier.ts';
import { ERROR, type ErrorCode, FLAG, FRAME_BYTES, MAX_FRAME_BYTES, TYPE } from './frames.ts';
import { encodeLines, encodeRequest, encodeResponse } from './from-http1.ts';
import { BlockBuffer } from './hpack/block-buffer.ts';
import { encodeField } from './hpack/encoder.ts';

const ERRORS: Record<ResetCode, ErrorCode> = {
  [RESET.cancelled]: ERROR.cancel,
  [RESET.refused]: ERROR.refusedStream,
  [RESET.malformed]: ERROR.protocol,
  [RESET.cut]: ERROR.internal,
  [RESET.overrun]: ERROR.flowControl,
  [RESET.broken]: ERROR.connect, // RFC 9113 §8.5
};

/** What a connection wants to know of what its streams send. */
export interface SentObserver {
  /** Body bytes, which count against the window of the connection, in so many frames. */
  dataSent(bytes: number, frames: number): void;
  wasReset(stream: number): void;
}

/** RFC 7541 §6.3: our table holds nothing from the first block on, however small the peer makes it. */
const NO_TABLE = 0x20;

export class Http2Writer implements StreamWriter {
  /** The largest payload the peer takes. */
  maxFrameBytes = MAX_FRAME_BYTES;
  readonly #out: Outbox;
  readonly #block = new BlockBuffer();
  readonly #observer: SentObserver;
  /** Where the latest HEADERS or DATA begins, while it has not left: the end of its message may be marked on it. */
  #latest = -1;
  #latestStream = 0;
  #handovers = 0;

  constructor(out: Outbox, observer: SentObserver) {
    this.#out = out;
    this.#observer = observer;
    this.#block.byte(NO_TABLE);
  }

  requestHead(stream: number, head: Head, extra: string): void {
    encodeRequest(this.#block, head, extra);
    this.#headers(stream);
  }

  /** RFC 9113 §8.5. @param authority where the bytes of this stream are to go */
  connect(stream: number, authority: string): void {
    encodeField(this.#block, ':method', 'CONNECT');
    encodeField(this.#block, ':authority', authority);
    this.#headers(stream);
  }

  responseHead(stream: number, head: Head, extra: string): void {
    encodeResponse(this.#block, head, extra);
    this.#headers(stream);
  }

  headText(stream: number, text: string): void {
    encodeField(this.#block, ':status', text.slice(9, 12));
    encodeLines(this.#block, text.slice(text.indexOf('\r\n') + 2));
    this.#headers(stream);
  }

  data(stream: number, bytes: Buffer, start: number, end: number): void {
    this.#observer.dataSent(end - start, Math.ceil((end - start) / this.maxFrameBytes));
    for (let at = start; at < end; at += this.maxFrameBytes) {
      const stop = Math.min(end, at + this.maxFrameBytes);
      this.#open(stop - at, TYPE.data, 0, stream);
      this.#out.data(bytes, at, stop);
    }
  }

  end(stream: number, trailers: string): void {
    if (trailers !== '') {
      encodeLines(this.#block, trailers);
      this.#headers(stream);
      this.#out.setBits(this.#latest + 4, FLAG.endStream);
    } else if (this.#latestStream === stream && this.#handovers === this.#out.handovers) {
      this.#out.setBits(this.#latest + 4, FLAG.endStream);
    } else this.#header(0, TYPE.data, FLAG.endStream, stream);
    this.#latestStream = 0;
  }

  reset(stream: number, code: ResetCode): void {
    this.rstStream(stream, ERRORS[code]);
  }

  credit(stream: number, bytes: number): void {
    this.#header(4, TYPE.windowUpdate, 0, stream);
    this.#out.uint32(bytes);
  }

  rstStream(stream: number, code: number): void {
    this.#observer.wasReset(stream);
    this.#header(4, TYPE.rstStream, 0, stream);
    this.#out.uint32(code);
  }

  settings(settings: readonly (readonly [id: number, value: number])[]): void {
    this.#header(settings.length * 6, TYPE.settings, 0, 0);
    for (const [id, value] of settings) {
      this.#out.byte(0);
      this.#out.byte(id);
      this.#out.uint32(value);
    }
  }

  settingsAck(): void {
    this.#header(0, TYPE.settings, FLAG.ack, 0);
  }

  ping(token: Buffer, isAck: boolean): void {
    this.#header(token.length, TYPE.ping, isAck ? FLAG.ack : 0, 0);
    this.#out.copy(token, 0, token.length);
  }

  goaway(lastStream: number, code: number): void {
    this.#header(8, TYPE.goaway, 0, 0);
    this.#out.uint32(lastStream);
    this.#out.uint32(code);
  }

  /** Writes the block as HEADERS, and CONTINUATION where it is too long for one frame. */
  #headers(stream: number): void {
    const { bytes, used } = this.#block;
    const first = Math.min(used, this.maxFrameBytes);
    this.#out.reserve(used + FRAME_BYTES * (1 + Math.ceil(used / this.maxFrameBytes)));
    this.#open(first, TYPE.headers, first === used ? FLAG.endHeaders : 0, stream);
    this.#out.copy(bytes, 0, first);
    for (let at = first; at < used; at += this.maxFrameBytes) {
      const stop = Math.min(used, at + this.maxFrameBytes);
      this.#header(stop - at, TYPE.continuation, stop === used ? FLAG.endHeaders : 0, stream);
      this.#out.copy(bytes, at, stop);
    }
    this.#block.clear();
  }

  #open(length: number, type: number, flags: number, stream: number): void {
    this.#out.reserve(FRAME_BYTES);
    this.#latest = this.#out.position;
    this.#latestStream = stream;
    this.#handovers = this.#out.handovers;
    this.#header(length, type, flags, stream);
  }

  #header(length: number, type: number, flags: number, stream: number): void {
    this.#out.uint32(length * 256 + type);
    this.#out.byte(flags);
    this.#out.uint32(stream);
  }
}
