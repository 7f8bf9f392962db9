/** Messages over TCP: each behind its length in two bytes (RFC 1035 §4.2.2). @module */
import { MAX_TCP_BYTES } from './message.ts';

const LENGTH_BYTES = 2;

/** Cuts a byte stream into messages. Holds at most one incomplete message: 64 KiB and the chunk it arrived in. */
export class MessageReader {
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** The messages that this chunk completes, without their length. */
  *read(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < LENGTH_BYTES || this.#bytes < LENGTH_BYTES + this.#expected()) return;
    let rest = this.#joined();
    while (rest.length >= LENGTH_BYTES && rest.length >= LENGTH_BYTES + rest.readUInt16BE(0)) {
      const end = LENGTH_BYTES + rest.readUInt16BE(0);
      yield rest.subarray(LENGTH_BYTES, end);
      rest = rest.subarray(end);
    }
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
  }

  /** What arrived of a message that is not complete, its length included. */
  rest(): Buffer {
    return this.#joined();
  }

  #expected(): number {
    const first = this.#chunks[0]!;
    return first.length >= LENGTH_BYTES ? first.readUInt16BE(0) : this.#joined().readUInt16BE(0);
  }

  #joined(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }
}

/** @param message at most 65,535 bytes */
export function frame(message: Buffer): Buffer {
  if (message.length > MAX_TCP_BYTES) throw new RangeError(`a DNS message of ${message.length} bytes has no frame`);
  const framed = Buffer.allocUnsafe(LENGTH_BYTES + message.length);
  framed.writeUInt16BE(message.length, 0);
  message.copy(framed, LENGTH_BYTES);
  return framed;
}
