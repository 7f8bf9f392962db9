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

export class FrameReader {
  readonly #maxBytes: number;
  /** The beginning of a frame whose rest has not come. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The messages completed by this chunk, or undefined when the peer announces one that is too long. */
  push(chunk: Uint8Array): Uint8Array[] | undefined {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#rest.length > 0) bytes = Buffer.concat([this.#rest, bytes]);
    const messages: Uint8Array[] = [];
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(at);
      if (length > this.#maxBytes) return undefined;
      if (bytes.length - at < HEADER_BYTES + length) break;
      messages.push(bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
      at += HEADER_BYTES + length;
    }
    this.#rest = Buffer.from(bytes.subarray(at)); // a copy: the chunk is the transport's to reuse
    return messages;
  }
}
