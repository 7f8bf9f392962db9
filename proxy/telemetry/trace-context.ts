/**
 * What a request says of the trace it is part of: W3C Trace Context (`traceparent`), else B3, in one field or in several.
 * What cannot be read is as good as nothing: another trace begins (Trace Context §3.2.2.5).
 * @module
 */

import { spells } from '../http1/grammar/characters.ts';
import { FIELD, FIELD_STRIDE, type Head } from '../http1/grammar/head.ts';
import { digitAt, readId } from './trace-ids.ts';

/** Where ids lie in the words of a context. */
export const TRACE = 0;
export const PARENT = 4;

const ANY = (1 << FIELD.traceparent) | (1 << FIELD.tracestate) | (1 << FIELD.b3);
const LENGTH = 55;
const DASH = 0x2d;
const ZERO = 0x30;
const ONE = 0x31;
const DEBUG = 0x64;

/** What was decided about telling of the trace. */
export type Sampling = 'undecided' | 'no' | 'yes' | 'debug';

export class IncomingTrace {
  /** Trace id and id of the caller's span; meaningless where `isGiven` is false. */
  readonly words: Int32Array;
  isGiven = false;
  sampling: Sampling = 'undecided';
  /** Where the value of a `traceparent` starts that can be written over as it stands; -1 for none. */
  placeAt = -1;
  /** The flags of Trace Context that are passed on besides `sampled`: `random`. */
  flags = 0;
  /** How B3 came, if it did; it goes on in the same way. */
  b3: 'none' | 'single' | 'multi' = 'none';
  /** Whether its trace id had 64 bits, and is to have no more when it goes on. */
  isShort = false;
  isFromB3 = false;
  /** Whether there is anything about traces in the head. */
  isMentioned = false;

  /** @param words at least 6; the first of them are written */
  constructor(words: Int32Array) {
    this.words = words;
  }

  read(head: Head | undefined): void {
    this.isGiven = false;
    this.sampling = 'undecided';
    this.placeAt = -1;
    this.flags = 0;
    this.b3 = 'none';
    this.isShort = false;
    this.isFromB3 = false;
    this.isMentioned = head !== undefined && (head.seen & ANY) !== 0;
    if (!this.isMentioned) return;
    if (head!.has(FIELD.traceparent)) this.#readTraceparent(head!);
    if (head!.has(FIELD.b3)) this.#readB3(head!);
  }

  #readTraceparent(head: Head): void {
    const { bytes, fields } = head;
    const field = onlyField(head, FIELD.traceparent);
    if (field === -1) return;
    const at = fields[field * FIELD_STRIDE + 2]!;
    const length = fields[field * FIELD_STRIDE + 3]! - at;
    if (length < LENGTH) return;
    const version = byteAt(bytes, at);
    if (version === -1 || version === 0xff || (version === 0 && length > LENGTH)) return;
    if (length > LENGTH && bytes[at + LENGTH] !== DASH) return;
    if (bytes[at + 2] !== DASH || bytes[at + 35] !== DASH || bytes[at + 52] !== DASH) return;
    const flags = byteAt(bytes, at + 53);
    if (flags === -1) return;
    if (!readId(bytes, at + 3, this.words, TRACE, 4) || !readId(bytes, at + 36, this.words, PARENT, 2)) return;
    this.isGiven = true;
    this.sampling = (flags & 1) === 1 ? 'yes' : 'no';
    this.flags = flags & 2;
    if (version === 0) this.placeAt = at;
  }

  #readB3(head: Head): void {
    const { fields, bytes } = head;
    let single = -1;
    let traceAt = -1;
    let spanAt = -1;
    let sampling: Sampling = 'undecided';
    for (let field = 0; field < head.fieldCount; field++) {
      const at = field * FIELD_STRIDE;
      if (fields[at + 4] !== FIELD.b3 || fields[at + 5] !== 0) continue;
      if (fields[at + 1]! - fields[at]! === 2) single = at;
      else if (isNamed(head, at, 'x-b3-traceid')) traceAt = at;
      else if (isNamed(head, at, 'x-b3-spanid')) spanAt = at;
      else if (isNamed(head, at, 'x-b3-flags')) {
        if (bytes[fields[at + 2]!] === ONE && fields[at + 3]! - fields[at + 2]! === 1) sampling = 'debug';
      } else if (isNamed(head, at, 'x-b3-sampled') && sampling === 'undecided') sampling = wordOf(head, at);
    }
    this.b3 = single === -1 ? 'multi' : 'single';
    if (this.isGiven) return; // Trace Context has the word
    if (single !== -1) this.#readSingle(head, fields[single + 2]!, fields[single + 3]!);
    else {
      this.sampling = sampling;
      if (traceAt === -1 || spanAt === -1 || fields[spanAt + 3]! - fields[spanAt + 2]! !== 16) return;
      this.#readIds(head, fields[traceAt + 2]!, fields[traceAt + 3]!, fields[spanAt + 2]!);
    }
  }

  /** `{trace}-{span}[-{sampling}[-{parent}]]`, or a sampling decision alone. */
  #readSingle(head: Head, start: number, end: number): void {
    const { bytes } = head;
    if (end - start === 1) {
      this.sampling = samplingOf(bytes[start]!) ?? 'undecided';
      return;
    }
    let dash = start;
    while (dash < end && bytes[dash] !== DASH) dash++;
    const spanAt = dash + 1;
    const rest = end - (spanAt + 16);
    if (rest < 0 || (rest > 0 && bytes[spanAt + 16] !== DASH)) return;
    let sampling: Sampling | undefined = 'undecided';
    if (rest > 0) {
      sampling =
        rest === 2 || (rest === 19 && bytes[spanAt + 18] === DASH) ? samplingOf(bytes[spanAt + 17]!) : undefined;
      if (sampling === undefined) return;
    }
    if (this.#readIds(head, start, dash, spanAt)) this.sampling = sampling;
  }

  #readIds(head: Head, traceAt: number, traceEnd: number, spanAt: number): boolean {
    const { words } = this;
    const { bytes } = head;
    const digits = traceEnd - traceAt;
    if (digits !== 16 && digits !== 32) return false;
    const isShort = digits === 16;
    words[TRACE] = 0;
    words[TRACE + 1] = 0;
    this.isGiven =
      (isShort ? readId(bytes, traceAt, words, TRACE + 2, 2) : readId(bytes, traceAt, words, TRACE, 4)) &&
      readId(bytes, spanAt, words, PARENT, 2);
    this.isShort = isShort && this.isGiven;
    this.isFromB3 = this.isGiven;
    return this.isGiven;
  }
}

/** Of two digits; -1 where they are none. */
function byteAt(bytes: Buffer, at: number): number {
  const first = digitAt(bytes, at);
  const second = digitAt(bytes, at + 1);
  return (first | second) > 15 ? -1 : (first << 4) | second;
}

/** Takes away what a head says of traces, but a `traceparent` that is written over, and the state of a trace that goes on. */
export function dropTraceFields(head: Head, { placeAt, isGiven, isFromB3 }: IncomingTrace): void {
  if (placeAt === -1) head.dropAll(FIELD.traceparent);
  if (!isGiven || isFromB3) head.dropAll(FIELD.tracestate);
  head.dropAll(FIELD.b3);
}

/** The one field of this id that is passed on, or -1: two contradict each other. */
function onlyField(head: Head, id: number): number {
  let found = -1;
  for (let field = 0; field < head.fieldCount; field++) {
    const at = field * FIELD_STRIDE;
    if (head.fields[at + 4] !== id) continue;
    if (found !== -1 || head.fields[at + 5] !== 0) return -1;
    found = field;
  }
  return found;
}

function isNamed(head: Head, at: number, name: string): boolean {
  return spells(head.bytes, head.fields[at]!, head.fields[at + 1]!, name);
}

/** `X-B3-Sampled`: a digit, or a word of old. */
function wordOf(head: Head, at: number): Sampling {
  const text = head.bytes.toString('latin1', head.fields[at + 2]!, head.fields[at + 3]!);
  if (text === '1' || text === 'true') return 'yes';
  return text === '0' || text === 'false' ? 'no' : 'undecided';
}

function samplingOf(byte: number): Sampling | undefined {
  if (byte === ONE) return 'yes';
  if (byte === ZERO) return 'no';
  return byte === DEBUG ? 'debug' : undefined;
}
