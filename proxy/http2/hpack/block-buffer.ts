/** A header block as it is encoded, before it is cut into frames. Used again for each block. @module */

import type { ByteSink } from './encoder.ts';

const FIRST_BYTES = 1_024;
/** A buffer that one large block made grow is not kept beyond this. */
const KEPT_BYTES = 16_384;

export class BlockBuffer implements ByteSink {
  bytes = Buffer.allocUnsafe(FIRST_BYTES);
  used = 0;

  clear(): void {
    this.used = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafe(FIRST_BYTES);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.bytes[this.used++] = value;
  }

  text(text: string): void {
    this.#reserve(text.length);
    this.used += this.bytes.write(text, this.used, 'latin1');
  }

  copy(bytes: Buffer, start: number, end: number): void {
    this.#reserve(end - start);
    this.used += bytes.copy(this.bytes, this.used, start, end);
  }

  lower(bytes: Buffer, start: number, end: number): void {
    this.#reserve(end - start);
    const to = this.bytes;
    let used = this.used;
    for (let p = start; p < end; p++) {
      const byte = bytes[p]!;
      to[used++] = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    }
    this.used = used;
  }

  #reserve(size: number): void {
    if (this.used + size <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.used + size, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.used);
    this.bytes = larger;
  }
}
