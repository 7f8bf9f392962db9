/**
 * Writes header blocks (RFC 7541 §6), without a dynamic table and without Huffman code: what agents send each other and
 * their applications crosses one data centre, where the bytes saved are worth less than the time to save them. Fields of
 * the static table are one byte, names of it one or two.
 * @module
 */

import { STATIC_TABLE } from './static-table.ts';

/** Where the encoder writes. */
export interface ByteSink {
  byte(value: number): void;
  /** One byte a character. */
  text(text: string): void;
  copy(bytes: Buffer, start: number, end: number): void;
  /** Copies ASCII, letters in lower case. */
  lower(bytes: Buffer, start: number, end: number): void;
}

/** Index of a name, and of the values that come with it. */
interface Named {
  readonly index: number;
  readonly values: ReadonlyMap<string, number>;
}

const NAMES: ReadonlyMap<string, Named> = makeNames();

/** A field whose name is known in lower case. */
export function encodeField(out: ByteSink, name: string, value: string, isSensitive = false): void {
  const known = NAMES.get(name);
  const index = known?.values.get(value);
  if (index !== undefined) {
    out.byte(0x80 | index);
    return;
  }
  encodeName(out, name, known, isSensitive);
  encodeLength(out, value.length, 7, 0);
  out.text(value);
}

/** Where a field lies in the bytes of a head, as HTTP/1.1 wrote it. */
export interface FieldPlace {
  readonly bytes: Buffer;
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** A field as it lies in a head; its name in lower case. Written out: to look a name up costs more than to send it. */
export function encodePlace(out: ByteSink, place: FieldPlace, isSensitive: boolean): void {
  const { bytes, nameStart, nameEnd, valueStart, valueEnd } = place;
  out.byte(isSensitive ? 0x10 : 0);
  encodeLength(out, nameEnd - nameStart, 7, 0);
  out.lower(bytes, nameStart, nameEnd);
  encodeLength(out, valueEnd - valueStart, 7, 0);
  out.copy(bytes, valueStart, valueEnd);
}

/** A field whose name is entry `index` of the static table, and whose value is bytes[start, end). */
export function encodeIndexed(out: ByteSink, index: number, bytes: Buffer, start: number, end: number): void {
  encodeLength(out, index, 4, 0);
  encodeLength(out, end - start, 7, 0);
  out.copy(bytes, start, end);
}

/** RFC 7541 §7.1.3: what must not be compressed by hops further on is marked never indexed. */
function encodeName(out: ByteSink, name: string, known: Named | undefined, isSensitive: boolean): void {
  const kind = isSensitive ? 0x10 : 0;
  if (known !== undefined) {
    encodeLength(out, known.index, 4, kind);
    return;
  }
  out.byte(kind);
  encodeLength(out, name.length, 7, 0);
  out.text(name);
}

/** RFC 7541 §5.1. */
function encodeLength(out: ByteSink, value: number, prefixBits: number, kind: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    out.byte(kind | value);
    return;
  }
  out.byte(kind | mask);
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out.byte(0x80 | (rest & 0x7f));
  out.byte(rest);
}

function makeNames(): ReadonlyMap<string, Named> {
  const names = new Map<string, { index: number; values: Map<string, number> }>();
  for (const [i, [name, value]] of STATIC_TABLE.entries()) {
    const named = names.get(name) ?? { index: i + 1, values: new Map<string, number>() };
    if (value !== '') named.values.set(value, i + 1);
    names.set(name, named);
  }
  return names;
}
