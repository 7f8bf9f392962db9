/**
 * The body of one message on its way off a stream: told to its reader as it comes, or kept while the reader holds, at
 * most as much as was granted.
 * @module
 */

import type { Head } from '../http1/grammar/head.ts';
import { BODY, type BodyKind } from '../http1/grammar/head.ts';
import { type HeadLimits, HeadParser } from '../http1/grammar/head-parser.ts';
import type { Piece } from './carrier.ts';
import type { Window } from './credit.ts';

export interface BodyReader {
  bodyData(bytes: Buffer, start: number, end: number): void;
  bodyEnd(trailers: Head | undefined): void;
  /** May be sent to the peer now. */
  grant(bytes: number): void;
  /** What came is not the body that was announced. */
  bodyRefused(problem: BodyProblem): void;
}

export type BodyProblem = 'overrun' | 'longer-than-announced' | 'shorter-than-announced' | 'bad-trailer';

const EMPTY = Buffer.alloc(0);

export class BodyReceiver {
  readonly #reader: BodyReader;
  readonly #window: Window;
  readonly #limits: HeadLimits;
  /** Bytes that must come yet; negative when the length is unknown. */
  #left = 0;
  isHeld = false;
  readonly #kept: Buffer[] = [];
  #ended = false;
  #trailers: Head | undefined;
  /** Made for the first trailers; calls of gRPC have them each time. */
  #trailerParser: HeadParser | undefined;
  #trailerBytes: Buffer = EMPTY;

  constructor(reader: BodyReader, window: Window, limits: HeadLimits) {
    this.#reader = reader;
    this.#window = window;
    this.#limits = limits;
  }

  begin(kind: BodyKind, length: number): void {
    this.#left = kind === BODY.chunked ? -1 : kind === BODY.length ? length : 0;
    this.isHeld = false;
    if (this.#kept.length > 0) this.#kept.length = 0; // writing a length is slow, even where it is the same
    this.#ended = false;
    this.#trailers = undefined;
    this.#trailerBytes = EMPTY;
    this.#window.reset();
  }

  /** Whether the end has arrived, and waits for its reader. */
  get isComplete(): boolean {
    return this.#ended;
  }

  hold(): void {
    this.isHeld = true;
  }

  /** Tells what was kept, unless the reader holds again meanwhile. */
  release(): void {
    this.isHeld = false;
    while (!this.isHeld && this.#kept.length > 0) {
      const bytes = this.#kept.shift()!;
      this.#tell(bytes, 0, bytes.length);
    }
    if (!this.isHeld && this.#ended) this.#finish();
  }

  data({ bytes, start, end }: Piece): void {
    const size = end - start;
    if (size === 0) return;
    if (!this.#window.receive(size)) {
      this.#reader.bodyRefused('overrun');
      return;
    }
    if (this.#left >= 0) {
      if (size > this.#left) {
        this.#reader.bodyRefused('longer-than-announced');
        return;
      }
      this.#left -= size;
    }
    if (!this.isHeld) this.#tell(bytes, start, end);
    else {
      this.#window.stalled();
      this.#kept.push(bytes.subarray(start, end));
    }
  }

  /** A piece of the trailer section. */
  trailers(piece: Piece): void {
    const bytes = piece.bytes.subarray(piece.start, piece.end);
    if (this.#trailerBytes.length > 0 || !piece.isLast) this.#trailerBytes = Buffer.concat([this.#trailerBytes, bytes]);
    if (!piece.isLast) return;
    const section = this.#trailerBytes.length > 0 ? this.#trailerBytes : bytes;
    if (section.length > 0) {
      this.#trailerParser ??= new HeadParser('trailers', this.#limits);
      const parser = this.#trailerParser;
      parser.abandon(); // what the last message left
      if (parser.parse(section, 0, section.length) !== section.length) {
        this.#reader.bodyRefused('bad-trailer');
        return;
      }
      this.#trailers = parser.head;
    }
    this.end();
  }

  end(): void {
    if (this.#left > 0) {
      this.#reader.bodyRefused('shorter-than-announced');
      return;
    }
    this.#ended = true;
    if (!this.isHeld && this.#kept.length === 0) this.#finish();
  }

  #tell(bytes: Buffer, start: number, end: number): void {
    this.#reader.bodyData(bytes, start, end);
    const granted = this.#window.take(end - start);
    if (granted > 0 && !this.#ended) this.#reader.grant(granted);
  }

  #finish(): void {
    this.#ended = false;
    const trailers = this.#trailers;
    this.#trailers = undefined;
    this.#reader.bodyEnd(trailers);
  }
}
