/** Whole numbers in as few bytes as they need (LEB128), and strings, into and out of one buffer. @module */

const MAX_INT = 0x7fff_ffff;

export class ByteWriter {
  #bytes = Buffer.allocUnsafe(4_096);
  #length = 0;

  /** @param value from 0 to 2^53-1; what lies outside, or between, is brought there */
  number(value: number): void {
    this.#reserve(8);
    const int = value | 0;
    if (int === value && int >= 0) this.#int(int);
    else this.#large(value);
  }

  #large(value: number): void {
    let large = value > 0 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 0;
    for (; large > MAX_INT; large = Math.floor(large / 0x80)) this.#bytes[this.#length++] = (large % 0x80) + 0x80;
    this.#int(large | 0);
  }

  /** Remainders of what is no 32-bit integer are ten times as slow. */
  #int(value: number): void {
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value;
    for (; rest >= 0x80; rest >>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    this.#length = at;
  }

  get length(): number {
    return this.#length;
  }

  string(text: string): void {
    const bytes = Buffer.from(text);
    this.number(bytes.length);
    this.#reserve(bytes.length);
    this.#length += bytes.copy(this.#bytes, this.#length);
  }

  /** As they are, after their number. */
  block(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** What another has written. */
  append(other: ByteWriter): void {
    this.#reserve(other.#length);
    this.#length += other.#bytes.copy(this.#bytes, this.#length, 0, other.#length);
  }

  /** A copy of what was written, in memory of its own: a few bytes kept would keep Node's whole pool of 64 kB. */
  bytes(): Buffer {
    const copy = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(copy, 0, 0, this.#length);
    return copy;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Loops over millions of numbers read `bytes` by themselves from `at` on, and say where they ended. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  /** @throws RangeError where the bytes end within a number, or it is none of ours */
  number(): number {
    let byte = this.#next();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.#next();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    let factor = 2 ** 28;
    do {
      byte = this.#next();
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
    } while (byte >= 0x80);
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('a number too large');
    return value;
  }

  /** A number that counts what follows, each of a byte at least. @throws RangeError where there are not so many bytes left */
  count(): number {
    const count = this.number();
    if (count > this.bytes.length - this.at) throw new RangeError('more announced than there is');
    return count;
  }

  string(): string {
    const length = this.count();
    const text = Buffer.from(this.bytes.buffer, this.bytes.byteOffset + this.at, length).toString();
    this.at += length;
    return text;
  }

  skipString(): void {
    const length = this.count();
    this.at += length;
  }

  /** What `block` wrote: a view, no copy. */
  block(): Uint8Array {
    const length = this.count();
    const block = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return block;
  }

  #next(): number {
    if (this.at >= this.bytes.length) throw new RangeError('cut short');
    return this.bytes[this.at++]!;
  }
}
