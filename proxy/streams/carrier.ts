/**
 * What a stream knows of the connection that carries it among others, and the connection of its streams. The tunnel between
 * agents and HTTP/2 both fit: they differ in how heads and frames look, not in what a request and its response are.
 *
 * Heads and trailers reach a stream as HTTP/1.1 writes them, whatever they were on the wire, so that one strict parser
 * judges all of them.
 * @module
 */

import type { Socket } from 'node:net';
import type { Head } from '../http1/grammar/head.ts';
import type { WindowBudget } from './credit.ts';

/** Why a stream is reset. */
export const RESET = {
  /** Whoever asked no longer wants the answer. */
  cancelled: 0,
  /** Not begun, for want of room: it may be sent again elsewhere, whatever it is. */
  refused: 1,
  /** What was sent on this stream cannot be read. */
  malformed: 2,
  /** The response cannot be completed. */
  cut: 3,
  /** More was sent than there was credit for. */
  overrun: 4,
  /** The connection whose bytes these are broke. */
  broken: 5,
} as const;
export type ResetCode = (typeof RESET)[keyof typeof RESET];

/** bytes[start, end) of a payload. One object, filled anew for each call. */
export interface Piece {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly isLast: boolean;
}

/** One side of a stream, as its connection sees it. */
export interface CarriedStream {
  readonly id: number;
  /** Set while the connection will call `settle` anyway. */
  isTouched: boolean;
  /** @param ends whether the message ends with this head */
  head(piece: Piece, ends: boolean): void;
  /** @param ends whether the message ends with the last piece */
  data(piece: Piece, ends: boolean): void;
  /** The end, with trailer lines and an empty line, or with nothing. */
  end(piece: Piece): void;
  /** By the peer, or by the connection (`malformed`) for what the peer sent on it; the peer knows. */
  reset(code: number): void;
  /**
   * May send so many bytes more; less than nothing where the peer takes credit back.
   * @returns false: more than a window can be, and the stream has to be reset
   */
  credit(bytes: number): boolean;
  /** All that came with one read has been told. */
  settle(): void;
  /** The connection takes bytes again. */
  writable(): void;
  /** The connection is gone, and this stream with it. */
  gone(detail: string): void;
}

export interface Carrier {
  /** Below it. */
  readonly socket: Socket;
  readonly writer: StreamWriter;
  readonly budget: WindowBudget;
  /** Bytes that may be sent on a new stream before any credit. */
  readonly peerCredit: number;
  readonly isBlocked: boolean;
  /** Bytes that all streams together may still send; Infinity where only streams are counted. */
  readonly window: number;
  /** Streams opened so far. */
  readonly served: number;
  /** Whether a request whose body is not what its head announced gets a response; else its stream is reset. */
  readonly answersMalformed: boolean;
  /** For who dialled: the id of a stream to come. */
  nextId(): number;
  add(stream: CarriedStream): void;
  /** A stream has ended on our side. What still comes for it is passed over, and the peer told so where it can be. */
  remove(stream: CarriedStream): void;
  /** Whatever has been written leaves at the end of this turn. */
  schedule(): void;
}

/** A carrier as whoever made it sees it. */
export interface Session extends Carrier {
  /** Whether the other side has said what it allows. */
  readonly isGreeted: boolean;
  /** Whether another stream may be opened by us. */
  readonly hasRoom: boolean;
  /** Streams that are open. */
  readonly size: number;
  /** Opens and takes no more streams; ends with the last one. */
  drain(): void;
  destroy(): void;
}

/** Who made a carrier, as the carrier sees it. */
export interface CarrierOwner {
  /** The peer opens a stream; undefined: it may not. */
  opened(id: number): CarriedStream | undefined;
  /** The peer wants no more streams on this connection. */
  goaway(): void;
  /** A stream has ended, or there is room for more. */
  released(): void;
  /** The connection is closed. Called once. */
  gone(): void;
}

/** Writes what streams send. It leaves once the carrier is scheduled; long bodies may leave earlier. */
export interface StreamWriter {
  /** @param extra complete header lines to add */
  requestHead(stream: number, head: Head, extra: string): void;
  responseHead(stream: number, head: Head, extra: string): void;
  /** @param text a whole response head, one byte a character */
  headText(stream: number, text: string): void;
  /** Large stretches are not copied and must not change afterwards. */
  data(stream: number, bytes: Buffer, start: number, end: number): void;
  /** @param trailers complete lines, or '' */
  end(stream: number, trailers: string): void;
  reset(stream: number, code: ResetCode): void;
  /** The peer may send so many bytes more on this stream. */
  credit(stream: number, bytes: number): void;
}
