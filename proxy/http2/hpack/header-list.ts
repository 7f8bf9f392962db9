/**
 * Header fields as HPACK carries them: bytes of names and values, and where each begins. Filled anew for each block, so
 * that a connection has one for reading whatever it reads.
 * @module
 */

/** Numbers kept a field: name start and end, value start and end. */
export const LIST_STRIDE = 4;

export class HeaderList {
  readonly bytes: Buffer;
  readonly fields: Int32Array;
  count = 0;
  /** First byte that is free. */
  used = 0;
  /** Whether a field had no room: then there are none, and `bytes` serves to read over the rest of the block. */
  isOverfull = false;

  constructor(limits: { readonly maxHeadBytes: number; readonly maxFields: number }) {
    this.bytes = Buffer.allocUnsafe(limits.maxHeadBytes);
    this.fields = new Int32Array(limits.maxFields * LIST_STRIDE);
  }

  clear(): void {
    this.count = 0;
    this.used = 0;
    this.isOverfull = false;
  }

  /** Takes bytes[used, nameEnd) as a name and bytes[nameEnd, valueEnd) as its value: they have been written there. */
  commit(nameEnd: number, valueEnd: number): void {
    const at = this.count * LIST_STRIDE;
    if (at >= this.fields.length) this.overflow();
    if (this.isOverfull) return;
    this.fields[at] = this.used;
    this.fields[at + 1] = nameEnd;
    this.fields[at + 2] = nameEnd;
    this.fields[at + 3] = valueEnd;
    this.used = valueEnd;
    this.count++;
  }

  overflow(): void {
    this.clear();
    this.isOverfull = true;
  }

  name(field: number): string {
    return this.bytes.toString('latin1', this.fields[field * LIST_STRIDE], this.fields[field * LIST_STRIDE + 1]);
  }

  value(field: number): string {
    return this.bytes.toString('latin1', this.fields[field * LIST_STRIDE + 2], this.fields[field * LIST_STRIDE + 3]);
  }
}
