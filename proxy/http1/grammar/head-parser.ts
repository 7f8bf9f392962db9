/**
 * The strict incremental parser of heads: start line and fields of a request or a response, or a trailer section.
 *
 * A pure state machine over bytes (RFC 9112 §2–5). It accepts exactly one reading: no bare CR or LF, no folding, no white
 * space around names, no bytes outside their class. Where the input is cut carries no meaning. In the common case the
 * whole head lies in one read and is indexed in place; a head that arrives in pieces is gathered in a buffer that never
 * grows past `maxHeadBytes`.
 * @module
 */

import type { ReasonCode } from '../../reasons.ts';
import { COLON, CR, controlReason, FIELD_VALUE, HTAB, LF, SP, TARGET, TOKEN } from './characters.ts';
import { FIELD_STRIDE, fieldId, Head } from './head.ts';

export interface HeadLimits {
  readonly maxHeadBytes: number;
  readonly maxFields: number;
}

export type HeadKind = 'request' | 'response' | 'trailers';

/** `parse` took every byte and needs more. */
export const NEED_MORE = -1;
/** `parse` refused the message; `refusal` says why. */
export const REFUSED = -2;

const START = 0;
const START_LF = 1;
const METHOD = 2;
const TARGET_STATE = 3;
const REQUEST_VERSION = 4;
const LINE_LF = 5;
const FIELD_START = 6;
const NAME = 7;
const BEFORE_VALUE = 8;
const VALUE = 9;
const VALUE_LF = 10;
const END_LF = 11;
const RESPONSE_VERSION = 12;
const STATUS = 13;
const AFTER_STATUS = 14;
const REASON_PHRASE = 15;

/** RFC 9112 §2.2 asks for tolerance of one empty line before a request; a few more are harmless. */
const MAX_EMPTY_LINES = 4;

const VERSION_PREFIX = 'HTTP/';
/** What nearly everybody speaks. */
const ONE_ONE = 'HTTP/1.1';
const EMPTY = Buffer.alloc(0);

export class HeadParser {
  readonly head: Head;
  refusal: ReasonCode = 'bad-request-line';
  readonly #kind: HeadKind;
  readonly #limits: HeadLimits;
  #state: number;
  /** Start of the element being read: version, status, name. */
  #mark = 0;
  #valueStart = 0;
  #emptyLines = 0;
  /** Bytes of an unfinished head from earlier calls. */
  #carry: Buffer = EMPTY;
  #carried = 0;

  constructor(kind: HeadKind, limits: HeadLimits) {
    this.#kind = kind;
    this.#limits = limits;
    this.head = new Head(limits.maxFields);
    this.#state = this.#initialState();
  }

  /** Whether part of a head has arrived and the rest is awaited. */
  get isPartial(): boolean {
    return this.#carried > 0;
  }

  /** Whether anything but empty lines of an unfinished head has arrived. */
  get hasStarted(): boolean {
    return this.#carried > 0 && this.#state > START_LF;
  }

  /** Forgets a head that will not be completed. */
  abandon(): void {
    this.#carried = 0;
    this.#carry = EMPTY;
    this.head.release();
  }

  /**
   * Reads on at `chunk[from]`.
   *
   * @returns the position after the head, whose index is then in `head` and valid until the next call; `NEED_MORE`;
   *   or `REFUSED`, after which the parser must not be used again
   */
  parse(chunk: Buffer, from: number, to: number): number {
    const head = this.head;
    if (this.#carried === 0) {
      head.reset(chunk, from);
      this.#state = this.#initialState();
      this.#emptyLines = 0;
      const limit = Math.min(to, from + this.#limits.maxHeadBytes);
      const position = this.#scan(chunk, from, limit);
      if (position !== NEED_MORE) return position;
      if (limit < to || limit - from === this.#limits.maxHeadBytes) return this.#tooLarge();
      if (to > from) this.#keep(chunk, from, to);
      return NEED_MORE;
    }
    const before = this.#carried;
    const room = this.#limits.maxHeadBytes - before;
    const taken = Math.min(to - from, room);
    this.#append(chunk, from, from + taken);
    head.bytes = this.#carry;
    const position = this.#scan(this.#carry, before, before + taken);
    if (position === REFUSED) return REFUSED;
    if (position === NEED_MORE) return taken === room ? this.#tooLarge() : NEED_MORE;
    this.#carried = 0;
    this.#carry = EMPTY; // head.bytes keeps it alive as long as the message needs it
    return from + (position - before);
  }

  #initialState(): number {
    if (this.#kind === 'request') return START;
    return this.#kind === 'response' ? RESPONSE_VERSION : FIELD_START;
  }

  #refuse(reason: ReasonCode): number {
    this.refusal = reason;
    return REFUSED;
  }

  #tooLarge(): number {
    if (this.#kind === 'trailers') return this.#refuse('bad-trailer');
    return this.#refuse(this.#state < LINE_LF ? 'target-too-long' : 'head-too-large');
  }

  /** Moves an unfinished head out of the chunk and rebases the index. */
  #keep(chunk: Buffer, from: number, to: number): void {
    const size = to - from;
    this.#carry = Buffer.allocUnsafe(Math.min(this.#limits.maxHeadBytes, Math.max(1024, size * 2)));
    chunk.copy(this.#carry, 0, from, to);
    this.#carried = size;
    const head = this.head;
    head.bytes = this.#carry;
    head.start -= from;
    head.lineEnd -= from;
    head.methodEnd -= from;
    head.targetStart -= from;
    head.targetEnd -= from;
    this.#mark -= from;
    this.#valueStart -= from;
    for (let at = 0; at < (head.fieldCount + 1) * FIELD_STRIDE && at < head.fields.length; at += FIELD_STRIDE) {
      for (let i = 0; i < 4; i++) head.fields[at + i]! -= from;
    }
  }

  #append(chunk: Buffer, from: number, to: number): void {
    const needed = this.#carried + to - from;
    if (needed > this.#carry.length) {
      const larger = Buffer.allocUnsafe(Math.min(this.#limits.maxHeadBytes, Math.max(needed, this.#carry.length * 2)));
      this.#carry.copy(larger, 0, 0, this.#carried);
      this.#carry = larger;
    }
    chunk.copy(this.#carry, this.#carried, from, to);
    this.#carried = needed;
  }

  /**
   * One whole field line, found without the machine below, which is left to judge all others: broken, unfinished, with
   * more white space than one space, or one too many.
   *
   * @returns the position after it, or `from`
   */
  #field(bytes: Buffer, from: number, to: number): number {
    const head = this.head;
    const { fields } = head;
    const at = head.fieldCount * FIELD_STRIDE;
    let p = from;
    while (p < to && TOKEN[bytes[p]!] === 1) p++;
    const nameEnd = p;
    if (nameEnd === from || bytes[p] !== COLON || at >= fields.length) return from;
    p++;
    if (bytes[p] === SP) p++;
    const valueStart = p;
    while (p < to && FIELD_VALUE[bytes[p]!] === 1) p++;
    if (p + 1 >= to || bytes[p] !== CR || bytes[p + 1] !== LF) return from;
    if (p > valueStart && (isSpace(bytes[valueStart]!) || isSpace(bytes[p - 1]!))) return from;
    const id = fieldId(bytes, from, nameEnd);
    fields[at] = from;
    fields[at + 1] = nameEnd;
    fields[at + 2] = valueStart;
    fields[at + 3] = p;
    fields[at + 4] = id;
    fields[at + 5] = 0;
    head.seen |= 1 << id;
    head.fieldCount++;
    return p + 2;
  }

  /** One pass over bytes[from, to). State lives in fields between calls and in locals within one. */
  #scan(bytes: Buffer, from: number, to: number): number {
    const head = this.head;
    const fields = head.fields;
    let state = this.#state;
    let p = from;
    while (p < to) {
      switch (state) {
        case NAME: {
          while (p < to && TOKEN[bytes[p]!] === 1) p++;
          if (p === to) break;
          const byte = bytes[p]!;
          if (byte !== COLON) {
            if (byte === SP || byte === HTAB) return this.#refuse('space-before-colon');
            return this.#refuse(byte > SP && byte !== 0x7f ? 'bad-field-name' : nameReason(byte));
          }
          fields[head.fieldCount * FIELD_STRIDE + 1] = p;
          p++;
          state = BEFORE_VALUE;
          break;
        }
        case BEFORE_VALUE: {
          const byte = bytes[p]!;
          if (byte === SP || byte === HTAB) {
            p++;
            break;
          }
          this.#valueStart = p;
          state = VALUE;
          break;
        }
        case VALUE: {
          while (p < to && FIELD_VALUE[bytes[p]!] === 1) p++;
          if (p === to) break;
          if (bytes[p] !== CR) return this.#refuse(controlReason(bytes[p]!));
          p++;
          state = VALUE_LF;
          break;
        }
        case VALUE_LF: {
          if (bytes[p] !== LF) return this.#refuse('bare-cr');
          let end = p - 1;
          while (end > this.#valueStart && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--;
          const at = head.fieldCount * FIELD_STRIDE;
          fields[at + 2] = this.#valueStart;
          fields[at + 3] = end;
          const id = fieldId(bytes, fields[at]!, fields[at + 1]!);
          fields[at + 4] = id;
          fields[at + 5] = 0;
          head.seen |= 1 << id;
          head.fieldCount++;
          p++;
          state = FIELD_START;
          break;
        }
        case FIELD_START: {
          const next = this.#field(bytes, p, to);
          if (next > p) {
            p = next;
            break;
          }
          const byte = bytes[p]!;
          if (byte === CR) {
            p++;
            state = END_LF;
            break;
          }
          if (TOKEN[byte] !== 1) {
            if (byte === SP || byte === HTAB) return this.#refuse('obs-fold');
            return this.#refuse(byte === LF || byte === 0 ? controlReason(byte) : 'bad-field-name');
          }
          if (head.fieldCount * FIELD_STRIDE >= fields.length) return this.#refuse('too-many-fields');
          fields[head.fieldCount * FIELD_STRIDE] = p;
          p++;
          state = NAME;
          break;
        }
        case END_LF: {
          if (bytes[p] !== LF) return this.#refuse('bare-cr');
          head.end = p + 1;
          this.#state = this.#initialState();
          return p + 1;
        }
        case START: {
          const byte = bytes[p]!;
          if (byte === CR) {
            p++;
            state = START_LF;
            break;
          }
          if (TOKEN[byte] !== 1)
            return this.#refuse(byte === LF || byte === 0 ? controlReason(byte) : 'bad-request-line');
          head.start = p;
          state = METHOD;
          break;
        }
        case START_LF: {
          if (bytes[p] !== LF) return this.#refuse('bare-cr');
          if (++this.#emptyLines > MAX_EMPTY_LINES) return this.#refuse('bad-request-line');
          p++;
          state = START;
          break;
        }
        case METHOD: {
          while (p < to && TOKEN[bytes[p]!] === 1) p++;
          if (p === to) break;
          const byte = bytes[p]!;
          if (byte !== SP) {
            if (byte === CR || byte === LF || byte === HTAB) return this.#refuse('bad-request-line');
            return this.#refuse(byte === 0 ? 'nul-byte' : 'bad-method');
          }
          head.methodEnd = p;
          p++;
          head.targetStart = p;
          state = TARGET_STATE;
          break;
        }
        case TARGET_STATE: {
          while (p < to && TARGET[bytes[p]!] === 1) p++;
          if (p === to) break;
          const byte = bytes[p]!;
          if (byte !== SP) {
            if (byte === CR) return this.#refuse('bad-request-line');
            return this.#refuse(byte < SP && byte !== HTAB ? controlReason(byte) : 'bad-target');
          }
          if (p === head.targetStart) return this.#refuse('bad-request-line');
          head.targetEnd = p;
          p++;
          this.#mark = p;
          state = REQUEST_VERSION;
          break;
        }
        case REQUEST_VERSION:
        case RESPONSE_VERSION: {
          if (state === RESPONSE_VERSION && p === head.start) this.#mark = p;
          const index = p - this.#mark;
          const last = state === REQUEST_VERSION ? CR : SP;
          if (index === 0 && p + 8 < to && bytes[p + 8] === last && isOneOne(bytes, p)) {
            head.lineEnd = p + 8;
            p += 9;
            this.#mark = p;
            state = state === REQUEST_VERSION ? LINE_LF : STATUS;
            break;
          }
          const byte = bytes[p]!;
          const fits =
            index < 5
              ? byte === VERSION_PREFIX.charCodeAt(index)
              : index === 6
                ? byte === 0x2e
                : index < 8
                  ? byte >= 0x30 && byte <= 0x39
                  : byte === last;
          if (!fits) return this.#refuse(byte === LF ? 'bare-lf' : 'bad-version');
          p++;
          if (index < 8) break;
          if (bytes[this.#mark + 5] !== 0x31) return this.#refuse('unsupported-version');
          head.minor = bytes[this.#mark + 7] === 0x30 ? 0 : 1;
          head.lineEnd = p - 1;
          this.#mark = p;
          state = state === REQUEST_VERSION ? LINE_LF : STATUS;
          break;
        }
        case LINE_LF: {
          if (bytes[p] !== LF) return this.#refuse('bare-cr');
          p++;
          state = FIELD_START;
          break;
        }
        case STATUS: {
          const digit = bytes[p]! - 0x30;
          if (digit < 0 || digit > 9) return this.#refuse('bad-status-line');
          head.status = head.status * 10 + digit;
          p++;
          if (p - this.#mark < 3) break;
          if (head.status < 100 || head.status > 599) return this.#refuse('bad-status-line');
          state = AFTER_STATUS;
          break;
        }
        case AFTER_STATUS: {
          const byte = bytes[p]!;
          if (byte !== SP && byte !== CR) return this.#refuse('bad-status-line');
          head.lineEnd = p; // without a space before the reason: the end of the line
          p++;
          state = byte === CR ? LINE_LF : REASON_PHRASE;
          break;
        }
        case REASON_PHRASE: {
          while (p < to && FIELD_VALUE[bytes[p]!] === 1) p++;
          if (p === to) break;
          if (bytes[p] !== CR) return this.#refuse(controlReason(bytes[p]!));
          head.lineEnd = p;
          p++;
          state = LINE_LF;
          break;
        }
      }
    }
    this.#state = state;
    return NEED_MORE;
  }
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB;
}

/** Whether bytes[at, at + 8) spell HTTP/1.1. */
function isOneOne(bytes: Buffer, at: number): boolean {
  for (let i = 0; i < ONE_ONE.length; i++) if (bytes[at + i] !== ONE_ONE.charCodeAt(i)) return false;
  return true;
}

/** A line that ends before its colon, or a control byte within the name. */
function nameReason(byte: number): ReasonCode {
  return byte === CR || byte === LF ? 'bad-field-name' : controlReason(byte);
}
