/**
 * What one connection is about to send, gathered within one turn of the event loop and written at its end.
 *
 * A head and a small body leave as one write, hence one system call and one TLS record. Small pieces are copied into an
 * owned buffer, large ones go out uncopied. After `flush`, `isBlocked` tells whether the peer takes less than it is sent;
 * whoever feeds this outbox then pauses its source until the socket drains.
 * @module
 */

import type { Socket } from 'node:net';

/** Pieces up to this size are copied together. Below 16 kB, which is what one TLS record brings when bodies stream. */
const COPY_BYTES = 8_192;
/**
 * Room for a head, or the frames of a turn; few messages outgrow it. Not more than is copied: a socket that is a stream of a
 * tunnel says at once that it passed on what the tunnel's own outbox was given.
 */
const USUAL_BYTES = COPY_BYTES / 2;
const MAX_SPARES = 64;
/** A rest that is smaller is left. */
const SMALLEST = 512;

const EMPTY = Buffer.alloc(0);

/** Of USUAL_BYTES each, nobody's now, for all outboxes of a thread. The one used last, still in the caches, is used next. */
const spares: Buffer[] = [];

export class Outbox {
  readonly #socket: Socket;
  #buffer: Buffer = EMPTY;
  #used = 0;
  #corked = false;
  isBlocked = false;
  /** Payload bytes handed to the socket, ever. */
  bytes = 0;
  /** As many of them as were flushed; the socket holds the rest back. */
  #flushed = 0;
  /** How often what was gathered has been handed over: a position holds until this changes. */
  handovers = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get isDirty(): boolean {
    return this.#used > 0 || this.#corked;
  }

  /** Bytes that `flush` would send. */
  get pending(): number {
    return this.bytes - this.#flushed + this.#used;
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#used;
  }

  byte(value: number): void {
    this.reserve(1);
    this.#buffer[this.#used++] = value;
  }

  /** Writes a number of 32 bits, big-endian. */
  uint32(value: number): void {
    this.reserve(4);
    this.#used = this.#buffer.writeUInt32BE(value, this.#used);
  }

  /** Writes a number of 32 bits over what was gathered at `position`. */
  patch32(position: number, value: number): void {
    this.#buffer.writeUInt32BE(value, position);
  }

  /** Sets bits of the byte gathered at `position`. */
  setBits(position: number, bits: number): void {
    this.#buffer[position]! |= bits;
  }

  /** Makes room for `size` bytes in one piece. A good guess at the start of a message spares growing later. */
  reserve(size: number): void {
    if (this.#used + size <= this.#buffer.length) return;
    if (this.#used > 0) {
      const larger = Buffer.allocUnsafe(Math.max(this.#used + size, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#used);
      spare(this.#buffer);
      this.#buffer = larger;
    } else if (size > USUAL_BYTES) this.#buffer = Buffer.allocUnsafe(size);
    else this.#buffer = spares.pop() ?? Buffer.allocUnsafeSlow(USUAL_BYTES);
  }

  /** Adds a copy of bytes[start, end). */
  copy(bytes: Buffer, start: number, end: number): void {
    if (start >= end) return;
    this.reserve(end - start);
    this.#used += bytes.copy(this.#buffer, this.#used, start, end);
  }

  /** Adds text, one byte a character. */
  text(text: string): void {
    this.reserve(text.length);
    this.#used += this.#buffer.write(text, this.#used, 'latin1');
  }

  /** Adds body bytes; large stretches are not copied and must not change afterwards. */
  data(bytes: Buffer, start: number, end: number): void {
    if (end - start <= COPY_BYTES) {
      this.copy(bytes, start, end);
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
    }
    this.#write();
    this.bytes += end - start;
    this.#socket.write(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
  }

  /** Hands everything to the socket. */
  flush(): void {
    this.#write();
    if (this.#corked) {
      this.#corked = false;
      this.#socket.uncork();
    }
    this.#flushed = this.bytes;
    this.isBlocked = this.#socket.writableNeedDrain;
  }

  /** Forgets what was not flushed. */
  clear(): void {
    this.#used = 0;
    this.#buffer = EMPTY;
  }

  #write(): void {
    if (this.#used === 0) return;
    const buffer = this.#buffer;
    const used = this.#used;
    this.#used = 0;
    this.handovers++;
    this.bytes += used;
    this.#buffer = EMPTY;
    this.#socket.write(used === buffer.length ? buffer : buffer.subarray(0, used));
    // What the kernel took at once is free again. What the socket still holds is not written over, but its rest may serve.
    if (this.#socket.writableLength === 0) spare(buffer);
    else if (buffer.length - used >= SMALLEST) this.#buffer = buffer.subarray(used);
  }
}

function spare(buffer: Buffer): void {
  if (buffer.length === USUAL_BYTES && spares.length < MAX_SPARES) spares.push(buffer);
}
