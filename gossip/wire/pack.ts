/**
 * msgpack for bytes that strangers wrote: arrays, strings, bytes, numbers, booleans and null, nothing else.
 *
 * msgpackr believes the lengths it reads: an array header of nine bytes can make it reserve gigabytes, and a thousand
 * nested arrays can end its stack. So a frame is walked once before it is unpacked. Maps and extensions are refused,
 * because no message of ours uses them, and with them go prototype tricks and custom types.
 * @module
 */
import { Packr } from 'msgpackr';

const packr = new Packr({ useRecords: false, mapsAsObjects: false, copyBuffers: true });

/** Deeper than any message of ours (pages hold records hold entries hold values), far from the stack's end. */
const MAX_DEPTH = 10;

export function pack(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** The value, or undefined when the bytes are not exactly one well-formed value of the kinds named above. */
export function unpackGuarded(bytes: Uint8Array): unknown {
  if (skipValue(bytes, 0, 0) !== bytes.length) return undefined;
  try {
    return packr.unpack(bytes);
  } catch {
    return undefined;
  }
}

/** The offset after the value at `at`, or -1 when it is malformed, too deep, of a refused kind, or runs past the end. */
function skipValue(bytes: Uint8Array, at: number, depth: number): number {
  if (at >= bytes.length || depth > MAX_DEPTH) return -1;
  const head = bytes[at]!;
  if (head <= 0x7f || head >= 0xe0) return at + 1; // small integers
  if (head >= 0xa0 && head <= 0xbf) return within(bytes, at + 1 + (head & 0x1f));
  if (head >= 0x90 && head <= 0x9f) return skipArray(bytes, at + 1, head & 0x0f, depth);
  switch (head) {
    case 0xc0: // null
    case 0xc2: // false
    case 0xc3: // true
      return at + 1;
    case 0xcc: // integers of 8 to 64 bits, then floats
    case 0xd0:
      return within(bytes, at + 2);
    case 0xcd:
    case 0xd1:
      return within(bytes, at + 3);
    case 0xca:
    case 0xce:
    case 0xd2:
      return within(bytes, at + 5);
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return within(bytes, at + 9);
    case 0xc4: // bytes and strings with a length of 8, 16 or 32 bits
    case 0xd9:
      return within(bytes, at + 2 + readUint(bytes, at + 1, 1));
    case 0xc5:
    case 0xda:
      return within(bytes, at + 3 + readUint(bytes, at + 1, 2));
    case 0xc6:
    case 0xdb:
      return within(bytes, at + 5 + readUint(bytes, at + 1, 4));
    case 0xdc:
      return skipArray(bytes, at + 3, readUint(bytes, at + 1, 2), depth);
    case 0xdd:
      return skipArray(bytes, at + 5, readUint(bytes, at + 1, 4), depth);
    default:
      return -1; // maps, extensions, and the byte msgpack never uses
  }
}

function skipArray(bytes: Uint8Array, start: number, count: number, depth: number): number {
  if (start > bytes.length || count > bytes.length - start) return -1; // every element takes a byte at least
  let at = start;
  for (let i = 0; i < count && at !== -1; i++) at = skipValue(bytes, at, depth + 1);
  return at;
}

function within(bytes: Uint8Array, end: number): number {
  return end <= bytes.length ? end : -1;
}

/** Big-endian; a number that runs past the end reads as one too large for any buffer. */
function readUint(bytes: Uint8Array, at: number, size: number): number {
  if (at + size > bytes.length) return Number.MAX_SAFE_INTEGER / 2;
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + bytes[at + i]!;
  return value;
}
