/** Header blocks of one connection, told to their streams as the heads and trailers of HTTP/1.1. @module */

import type { HttpConfig } from '../config.ts';
import type { CarriedStream, Piece } from '../streams/carrier.ts';
import { ERROR, type ErrorCode } from './frames.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { HeaderList } from './hpack/header-list.ts';
import { type Http1Head, requestToHttp1, responseToHttp1, trailersToHttp1 } from './to-http1.ts';

const HEADER_TABLE_BYTES = 4_096;
const EMPTY = Buffer.alloc(0);

/** Stands for a head that had no room: it is refused for the number of its fields, and answered as such. */
const OVERFULL_REQUEST = Buffer.from(`GET / HTTP/1.1\r\nhost: a\r\n${'a:b\r\n'.repeat(2_049)}\r\n`);

/** A stream whose blocks are told. */
export interface Told {
  readonly stream: CarriedStream;
  /** The head has come; a later block is trailers. Interim heads do not count. */
  hasHead: boolean;
}

export class Messages {
  readonly #isClient: boolean;
  readonly #takesConnect: boolean;
  readonly #decoder = new HpackDecoder(HEADER_TABLE_BYTES);
  readonly #list: HeaderList;
  readonly #piece: { bytes: Buffer; start: number; end: number; isLast: boolean } = {
    bytes: EMPTY,
    start: 0,
    end: 0,
    isLast: true,
  };

  constructor(isClient: boolean, { maxHeadBytes, maxFields }: HttpConfig, takesConnect = false) {
    this.#isClient = isClient;
    this.#takesConnect = takesConnect;
    this.#list = new HeaderList({ maxHeadBytes: Math.max(maxHeadBytes, HEADER_TABLE_BYTES), maxFields });
  }

  /** Reads a block, to be told next. To be called whatever becomes of it: the table is one for all streams (RFC 9113 §4.3). */
  decode(block: Buffer, start: number, end: number): boolean {
    return this.#decoder.decode(block, start, end, this.#list);
  }

  /** Tells the block read last. @returns what is wrong with the stream, or `none` */
  tell(open: Told, endsStream: boolean): ErrorCode {
    if (open.hasHead) return this.#trailers(open, endsStream);
    return this.#isClient ? this.#response(open, endsStream) : this.#request(open, endsStream);
  }

  /** bytes[start, end), as streams are told of it. One object, filled anew for each call. */
  piece(bytes: Buffer, start: number, end: number): Piece {
    this.#piece.bytes = bytes;
    this.#piece.start = start;
    this.#piece.end = end;
    return this.#piece;
  }

  #request(open: Told, endsStream: boolean): ErrorCode {
    open.hasHead = true;
    if (!this.#list.isOverfull) {
      return this.#head(open, requestToHttp1(this.#list, !endsStream, this.#takesConnect), endsStream);
    }
    open.stream.head(this.piece(OVERFULL_REQUEST, 0, OVERFULL_REQUEST.length), true);
    return ERROR.none;
  }

  #response(open: Told, endsStream: boolean): ErrorCode {
    const list = this.#list;
    if (list.isOverfull) return ERROR.enhanceYourCalm;
    const isInterim = list.count > 0 && list.name(0) === ':status' && list.value(0).startsWith('1');
    open.hasHead = !isInterim;
    // An answer without a length is announced as chunked even if it ends here: HTTP/1.1 would look for a body otherwise.
    return this.#head(open, responseToHttp1(list, !isInterim), endsStream);
  }

  #head({ stream }: Told, head: Http1Head, endsStream: boolean): ErrorCode {
    if (!head.ok) return ERROR.protocol;
    stream.head(this.piece(head.bytes, 0, head.bytes.length), endsStream);
    return ERROR.none;
  }

  #trailers({ stream }: Told, endsStream: boolean): ErrorCode {
    if (!endsStream || this.#list.isOverfull) return ERROR.protocol;
    const lines = trailersToHttp1(this.#list);
    if (!lines.ok) return ERROR.protocol;
    stream.end(this.piece(lines.bytes, 0, lines.bytes.length));
    return ERROR.none;
  }
}
