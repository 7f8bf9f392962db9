/**
 * Reads header blocks (RFC 7541 §3, §6) into a HeaderList. The dynamic table is kept in step even where the list is
 * full, so that one oversized block costs its stream and not the connection.
 * @module
 */

import type { HeaderList } from './header-list.ts';
import { decodeHuffman } from './huffman.ts';
import { STATIC_TABLE } from './static-table.ts';

/** RFC 7541 §4.1: what an entry costs beyond its bytes. */
const ENTRY_OVERHEAD = 32;
/** An integer beyond this is an attack, not a length (RFC 7541 §5.1 asks for a limit). */
const MAX_INTEGER = 0x0fff_ffff;

interface Entry {
  /** Name, then value. */
  readonly bytes: Buffer;
  readonly nameLength: number;
}

const STATIC: readonly Entry[] = STATIC_TABLE.map(([name, value]) => ({
  bytes: Buffer.from(name + value, 'latin1'),
  nameLength: name.length,
}));

export class HpackDecoder {
  /** Newest last. */
  readonly #dynamic: Entry[] = [];
  #dynamicBytes = 0;
  /** What the peer was allowed by our settings. */
  readonly #ceiling: number;
  #limit: number;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #nameEnd = 0;

  /**
   * @param tableBytes most the peer's encoder may use of a dynamic table, as our settings told it; not more than a
   *   HeaderList has bytes, so that a field without room there has none in the table either
   */
  constructor(tableBytes: number) {
    this.#ceiling = tableBytes;
    this.#limit = tableBytes;
  }

  /** Reads a whole block. False: it is not HPACK, and the connection cannot go on (RFC 9113 §4.3). */
  decode(block: Buffer, start: number, end: number, list: HeaderList): boolean {
    list.clear();
    this.#block = block;
    this.#at = start;
    this.#end = end;
    let mayResize = true;
    while (this.#at < this.#end) {
      const first = block[this.#at]!;
      if ((first & 0xe0) === 0x20) {
        if (!mayResize || !this.#resize()) return false;
        continue;
      }
      mayResize = false; // RFC 7541 §4.2: only at the beginning of a block
      const isRead = (first & 0x80) !== 0 ? this.#indexed(list) : this.#literal(first, list);
      if (!isRead) return false;
    }
    return true;
  }

  #resize(): boolean {
    const size = this.#integer(5);
    if (size < 0 || size > this.#ceiling) return false;
    this.#limit = size;
    this.#evict(0);
    return true;
  }

  #indexed(list: HeaderList): boolean {
    const entry = this.#entry(this.#integer(7));
    if (entry === undefined) return false;
    const { bytes, nameLength } = entry;
    if (list.used + bytes.length > list.bytes.length) list.overflow();
    if (list.isOverfull) return true;
    bytes.copy(list.bytes, list.used);
    list.commit(list.used + nameLength, list.used + bytes.length);
    return true;
  }

  #literal(first: number, list: HeaderList): boolean {
    const from = this.#at;
    let valueEnd = this.#field(first, list);
    if (valueEnd > list.bytes.length && list.used > 0) {
      list.overflow(); // room is made by giving up what was read: the table must learn of this field all the same
      this.#at = from;
      valueEnd = this.#field(first, list);
    }
    if (valueEnd < 0) return false;
    const isKept = (first & 0x40) !== 0;
    if (valueEnd > list.bytes.length) {
      list.overflow();
      if (isKept) this.#evict(Number.POSITIVE_INFINITY); // larger than the table, too (RFC 7541 §4.4)
      return true;
    }
    if (isKept) {
      const bytes = Buffer.from(list.bytes.subarray(list.used, valueEnd));
      this.#remember({ bytes, nameLength: this.#nameEnd - list.used });
    }
    list.commit(this.#nameEnd, valueEnd);
    return true;
  }

  /** Reads a literal field to the free end of the list. @returns where its value ends, past the end if it has no room, or -1 */
  #field(first: number, list: HeaderList): number {
    const index = this.#integer((first & 0x40) !== 0 ? 6 : 4);
    if (index < 0) return -1;
    const start = list.used;
    if (index === 0) this.#nameEnd = this.#string(list, start);
    else {
      const named = this.#entry(index);
      if (named === undefined) return -1;
      this.#nameEnd = start + named.nameLength;
      if (this.#nameEnd <= list.bytes.length) named.bytes.copy(list.bytes, start, 0, named.nameLength);
    }
    return this.#nameEnd < 0 ? -1 : this.#string(list, this.#nameEnd);
  }

  /** Writes a string at `at` of the list, if it has room there. @returns where it ends or would end, or -1 */
  #string(list: HeaderList, at: number): number {
    if (this.#at >= this.#end) return -1;
    const isHuffman = (this.#block[this.#at]! & 0x80) !== 0;
    const length = this.#integer(7);
    if (length < 0 || length > this.#end - this.#at) return -1;
    const from = this.#at;
    this.#at += length;
    const room = list.bytes.length;
    if (at > room) return at;
    if (isHuffman) return decodeHuffman(this.#block, from, from + length, list.bytes, at);
    if (at + length <= room) this.#block.copy(list.bytes, at, from, from + length);
    return at + length;
  }

  /** RFC 7541 §5.1. @returns -1 when it is cut or too large */
  #integer(prefixBits: number): number {
    if (this.#at >= this.#end) return -1;
    const mask = (1 << prefixBits) - 1;
    let value = this.#block[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.#at >= this.#end) return -1;
      const byte = this.#block[this.#at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (value > MAX_INTEGER) return -1;
      if ((byte & 0x80) === 0) return value;
    }
    return -1;
  }

  #entry(index: number): Entry | undefined {
    if (index <= STATIC.length) return STATIC[index - 1];
    return this.#dynamic[this.#dynamic.length - (index - STATIC.length)];
  }

  /** RFC 7541 §4.4: an entry larger than the table empties it, and is not kept. */
  #remember(entry: Entry): void {
    const size = entry.bytes.length + ENTRY_OVERHEAD;
    this.#evict(size);
    if (size > this.#limit) return;
    this.#dynamic.push(entry);
    this.#dynamicBytes += size;
  }

  #evict(room: number): void {
    let oldest = 0;
    while (oldest < this.#dynamic.length && this.#dynamicBytes + room > this.#limit) {
      this.#dynamicBytes -= this.#dynamic[oldest]!.bytes.length + ENTRY_OVERHEAD;
      oldest++;
    }
    if (oldest > 0) this.#dynamic.splice(0, oldest);
  }
}
