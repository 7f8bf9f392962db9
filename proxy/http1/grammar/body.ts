/**
 * The strict incremental decoder of message bodies: by length, chunked with trailers, until the connection closes
 * (RFC 9112 §6.3, §7.1).
 *
 * A pure state machine. It never holds body bytes: each step names a stretch of the caller's buffer as data.
 * @module
 */

import type { ReasonCode } from '../../reasons.ts';
import { CR, HEX, LF, SEMICOLON, TOKEN } from './characters.ts';
import { BODY, type BodyKind, type Head } from './head.ts';
import { type HeadLimits, HeadParser, NEED_MORE, REFUSED } from './head-parser.ts';

/** What a step found. */
export const STEP = { more: 0, data: 1, end: 2, refused: 3 } as const;

const SIZE = 0;
const SIZE_LF = 1;
const EXT_NAME_START = 2;
const EXT_NAME = 3;
const EXT_VALUE_START = 4;
const EXT_VALUE = 5;
const EXT_QUOTED = 6;
const EXT_ESCAPE = 7;
const EXT_AFTER_QUOTE = 8;
const DATA = 9;
const DATA_CR = 10;
const DATA_LF = 11;
const TRAILERS = 12;

/** Digits of a chunk size, leading zeros included: enough for 2^53-1 with room to spare. */
const MAX_SIZE_DIGITS = 16;
/** Bytes of extensions in one chunk; they are read over and never passed on. */
const MAX_EXTENSION_BYTES = 256;

const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export class BodyDecoder {
  kind: BodyKind = BODY.none;
  /** What the last step found. */
  outcome: (typeof STEP)[keyof typeof STEP] = STEP.more;
  /** The stretch of the buffer given to the last step that is body data; meaningful after `STEP.data`. */
  dataStart = 0;
  dataEnd = 0;
  refusal: ReasonCode = 'bad-chunk-size';
  /** The trailer section of a chunked body that had one; set before `STEP.end`. */
  trailers: Head | undefined = undefined;
  readonly #limits: HeadLimits;
  #trailerParser: HeadParser | undefined = undefined;
  #remaining = 0;
  #state = SIZE;
  #digits = 0;
  #extensionBytes = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  begin(kind: BodyKind, length: number): void {
    this.kind = kind;
    this.#remaining = kind === BODY.length ? length : 0;
    this.#state = SIZE;
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.trailers = undefined;
  }

  /**
   * Reads on at `bytes[from]`, up to one stretch of data, the end of the body, or the end of the input.
   *
   * @returns the position reached; after `STEP.end` it is the first byte that is not of this message
   */
  step(bytes: Buffer, from: number, to: number): number {
    switch (this.kind) {
      case BODY.none:
        this.outcome = STEP.end;
        return from;
      case BODY.untilClose:
        return this.#data(from, to, to);
      case BODY.length:
        if (this.#remaining === 0) {
          this.outcome = STEP.end;
          return from;
        }
        return this.#data(from, to, from + this.#remaining);
      default:
        return this.#chunked(bytes, from, to);
    }
  }

  /** Whether the last byte of a counted body was taken: its end is found without another byte. */
  get isFinished(): boolean {
    return this.kind === BODY.length && this.#remaining === 0;
  }

  /** Whether the body is whole if the connection ends here. */
  isWholeAtClose(): boolean {
    return (
      this.kind === BODY.untilClose || this.kind === BODY.none || (this.kind === BODY.length && this.#remaining === 0)
    );
  }

  #data(from: number, to: number, wanted: number): number {
    if (from === to) {
      this.outcome = STEP.more;
      return from;
    }
    const end = Math.min(wanted, to);
    this.dataStart = from;
    this.dataEnd = end;
    if (this.kind !== BODY.untilClose) this.#remaining -= end - from;
    this.outcome = STEP.data;
    return end;
  }

  #refuse(reason: ReasonCode, at: number): number {
    this.refusal = reason;
    this.outcome = STEP.refused;
    return at;
  }

  #chunked(bytes: Buffer, from: number, to: number): number {
    let state = this.#state;
    let p = from;
    while (p < to) {
      const byte = bytes[p]!;
      switch (state) {
        case SIZE: {
          const digit = HEX[byte]!;
          if (digit !== 255) {
            if (++this.#digits > MAX_SIZE_DIGITS) return this.#refuse('bad-chunk-size', p);
            this.#remaining = this.#remaining * 16 + digit;
            if (this.#remaining > Number.MAX_SAFE_INTEGER) return this.#refuse('length-too-large', p);
          } else if (this.#digits === 0) return this.#refuse('bad-chunk-size', p);
          else if (byte === CR) state = SIZE_LF;
          else if (byte === SEMICOLON) {
            state = EXT_NAME_START;
            this.#extensionBytes = 0;
          } else return this.#refuse('bad-chunk-size', p);
          p++;
          break;
        }
        case SIZE_LF: {
          if (byte !== LF) return this.#refuse('bare-cr', p);
          p++;
          this.#digits = 0;
          state = this.#remaining === 0 ? TRAILERS : DATA;
          break;
        }
        case DATA: {
          this.#state = DATA;
          const end = this.#data(p, to, p + this.#remaining);
          if (this.#remaining === 0) this.#state = DATA_CR;
          return end;
        }
        case DATA_CR: {
          if (byte !== CR) return this.#refuse('bad-chunk-data', p);
          p++;
          state = DATA_LF;
          break;
        }
        case DATA_LF: {
          if (byte !== LF) return this.#refuse('bad-chunk-data', p);
          p++;
          state = SIZE;
          break;
        }
        case TRAILERS: {
          this.#state = TRAILERS;
          return this.#readTrailers(bytes, p, to);
        }
        default: {
          state = this.#extension(state, byte);
          if (state === REFUSED || ++this.#extensionBytes > MAX_EXTENSION_BYTES) {
            return this.#refuse('bad-chunk-extension', p);
          }
          p++;
        }
      }
    }
    this.#state = state;
    this.outcome = STEP.more;
    return p;
  }

  /** chunk-ext without the optional white space that no one sends (RFC 9112 §7.1.1); returns the next state. */
  #extension(state: number, byte: number): number {
    switch (state) {
      case EXT_NAME_START:
        return TOKEN[byte] === 1 ? EXT_NAME : REFUSED;
      case EXT_NAME:
        if (TOKEN[byte] === 1) return EXT_NAME;
        return byte === EQUALS ? EXT_VALUE_START : afterExtension(byte);
      case EXT_VALUE_START:
        if (byte === QUOTE) return EXT_QUOTED;
        return TOKEN[byte] === 1 ? EXT_VALUE : REFUSED;
      case EXT_VALUE:
        return TOKEN[byte] === 1 ? EXT_VALUE : afterExtension(byte);
      case EXT_QUOTED:
        if (byte === QUOTE) return EXT_AFTER_QUOTE;
        if (byte === BACKSLASH) return EXT_ESCAPE;
        return isQuotable(byte) ? EXT_QUOTED : REFUSED;
      case EXT_ESCAPE:
        return isQuotable(byte) ? EXT_QUOTED : REFUSED;
      default:
        return afterExtension(byte);
    }
  }

  #readTrailers(bytes: Buffer, from: number, to: number): number {
    // Nearly every chunked body ends in an empty trailer section: CRLF in one piece needs no parser.
    let parser = this.#trailerParser;
    if (!parser?.isPartial && to - from >= 2 && bytes[from] === CR && bytes[from + 1] === LF) {
      this.outcome = STEP.end;
      return from + 2;
    }
    parser ??= new HeadParser('trailers', this.#limits);
    this.#trailerParser = parser;
    const position = parser.parse(bytes, from, to);
    if (position === NEED_MORE) {
      this.outcome = STEP.more;
      return to;
    }
    if (position === REFUSED) return this.#refuse('bad-trailer', from);
    if (parser.head.fieldCount > 0) this.trailers = parser.head;
    this.outcome = STEP.end;
    return position;
  }
}

function afterExtension(byte: number): number {
  if (byte === CR) return SIZE_LF;
  return byte === SEMICOLON ? EXT_NAME_START : REFUSED;
}

function isQuotable(byte: number): boolean {
  return byte === 0x09 || (byte >= 0x20 && byte !== 0x7f);
}
