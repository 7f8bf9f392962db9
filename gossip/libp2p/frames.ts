/**
 * Frames on a stream: four bytes of length, big-endian, then the message. A length above the bound is refused as soon as
 * it is read, so a peer cannot make us collect what we would not accept.
 * @module
 */

const HEADER_BYTES = 4;

export function encodeFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + message.length);
  new DataView(frame.buffer).setUint32(0, message.length);
  frame.set(message, HEADER_BYTES);
  return frame;
}

const NOTHING = Buffer.alloc(0);

export class FrameReader {
  readonly #maxBytes: number;
  /** In the first `#length` bytes the beginning of a frame whose rest has not come. Grows as it comes, and no further. */
  #partial: Buffer = NOTHING;
  #length = 0;
  /** How much of it there must be before it is looked at again. */
  #wanted = HEADER_BYTES;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The messages completed by this chunk, or undefined when the peer announces one that is too long. */
  push(chunk: Uint8Array): Uint8Array[] | undefined {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#length > 0) {
      this.#keep(bytes);
      if (this.#length < this.#wanted) return [];
      bytes = this.#partial.subarray(0, this.#length);
      this.#partial = NOTHING;
      this.#length = 0;
    }
    const messages: Uint8Array[] = [];
    let at = 0;
    this.#wanted = HEADER_BYTES;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length > this.#maxBytes) return undefined;
      if (bytes.length - at < HEADER_BYTES + length) {
        this.#wanted = HEADER_BYTES + length;
        break;
      }
      messages.push(bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
      at += HEADER_BYTES + length;
    }
    if (at < bytes.length) this.#keep(bytes.subarray(at));
    return messages;
  }

  /** Copies: the chunk is the transport's to reuse. */
  #keep(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length > this.#partial.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, Math.min(2 * length, this.#wanted)));
      this.#partial.copy(larger, 0, 0, this.#length);
      this.#partial = larger;
    }
    bytes.copy(this.#partial, this.#length);
    this.#length = length;
  }
}
