/**
 * Frames of the tunnel between agents, `weft/1`: reading them from a byte stream, piece by piece. docs/tunnel.md has the
 * layout. A pure state machine: where the input is cut carries no meaning, and payloads are named in the caller's buffer.
 * @module
 */

import type { Piece } from '../streams/carrier.ts';

/** Length (24 bits), kind and flags (8), stream (32); big-endian. */
export const FRAME_BYTES = 8;

export const KIND = {
  hello: 0,
  /** The head of a request or response, interim ones too, as HTTP/1.1 writes it. */
  head: 1,
  data: 2,
  /** The end of a message, with its trailer lines and the empty line after them, or with nothing. */
  end: 3,
  reset: 4,
  credit: 5,
  ping: 6,
  pong: 7,
  goaway: 8,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** On a head or data: the message ends here. */
export const ENDS = 0x80;
const KIND_BITS = 0x7f;

/** Most payload in one data frame; below a stream's first credit. */
export const MAX_DATA_BYTES = 65_536;
/** Payload of a hello: version, then streams, then first credit. */
export const HELLO_BYTES = 12;
export const VERSION = 1;

/** Why a peer's bytes cannot be read as frames; after it the connection has lost its meaning. */
export type FrameProblem = 'unknown-frame' | 'frame-too-large' | 'bad-frame-length' | 'bad-stream';

/** What a reader finds. Pieces of a payload come in order; a frame without payload comes as one empty last piece. */
export interface FrameSink {
  /** @param ends whether the message ends with this head */
  head(stream: number, piece: Piece, ends: boolean): void;
  /** @param ends whether the message ends with the last piece */
  data(stream: number, piece: Piece, ends: boolean): void;
  end(stream: number, piece: Piece): void;
  reset(stream: number, code: number): void;
  /** May send so many bytes more. */
  credit(stream: number, bytes: number): void;
  hello(settings: Hello): void;
  ping(token: Buffer): void;
  pong(token: Buffer): void;
  goaway(): void;
}

/** What a side of the tunnel tells about itself, once, before anything else. */
export interface Hello {
  readonly version: number;
  /** Streams that may be open at a time. */
  readonly maxStreams: number;
  /** Bytes that may be sent on a stream before any credit was given. */
  readonly firstCredit: number;
}

export interface FrameLimits {
  readonly maxHeadBytes: number;
}

const EMPTY: Buffer = Buffer.alloc(0);

/** Payload sizes of the small kinds, which are gathered before they are told. */
const SIZES: Readonly<Record<number, number>> = {
  [KIND.hello]: HELLO_BYTES,
  [KIND.reset]: 1,
  [KIND.credit]: 4,
  [KIND.ping]: 8,
  [KIND.pong]: 8,
  [KIND.goaway]: 0,
};

export class FrameReader {
  problem: FrameProblem | undefined;
  readonly #sink: FrameSink;
  readonly #limits: FrameLimits;
  /** A header, or the payload of a small frame, that arrives in parts. */
  readonly #gathered = Buffer.alloc(HELLO_BYTES);
  #has = 0;
  #inPayload = false;
  #kind: number = KIND.hello;
  #ends = false;
  #stream = 0;
  #left = 0;
  readonly #piece: { bytes: Buffer; start: number; end: number; isLast: boolean } = {
    bytes: EMPTY,
    start: 0,
    end: 0,
    isLast: false,
  };

  constructor(sink: FrameSink, limits: FrameLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** Reads all of `chunk`. False: `problem` says why, and nothing more may be read. */
  read(chunk: Buffer): boolean {
    let at = 0;
    for (;;) {
      if (!this.#inPayload) {
        if (this.#has === 0 && chunk.length - at >= FRAME_BYTES) {
          this.#begin(chunk, at);
          at += FRAME_BYTES;
        } else {
          at = this.#gather(chunk, at, FRAME_BYTES);
          if (this.#has < FRAME_BYTES) return true;
          this.#has = 0;
          this.#begin(this.#gathered, 0);
        }
        if (this.problem !== undefined) return false;
        this.#inPayload = true;
      }
      if (this.#kind <= KIND.end && this.#kind >= KIND.head) {
        if (at === chunk.length && this.#left > 0) return true;
        at = this.#pass(chunk, at);
      } else {
        at = this.#gather(chunk, at, this.#left);
        if (this.#has < this.#left) return true;
        this.#has = 0;
        this.#inPayload = false;
        this.#tell();
      }
    }
  }

  /** Reads a header and judges it. */
  #begin(bytes: Buffer, at: number): void {
    this.#left = bytes.readUIntBE(at, 3);
    const kind = bytes[at + 3]!;
    this.#kind = kind & KIND_BITS;
    this.#ends = (kind & ENDS) !== 0;
    this.#stream = bytes.readUInt32BE(at + 4);
    this.problem = this.#judge();
  }

  #judge(): FrameProblem | undefined {
    const kind = this.#kind;
    const isOfStream = kind !== KIND.hello && kind < KIND.ping;
    if (isOfStream !== this.#stream > 0) return kind > KIND.goaway ? 'unknown-frame' : 'bad-stream';
    if (kind === KIND.data) return this.#left > MAX_DATA_BYTES ? 'frame-too-large' : undefined;
    if (kind === KIND.head || kind === KIND.end) {
      return this.#left > this.#limits.maxHeadBytes ? 'frame-too-large' : undefined;
    }
    const size = SIZES[kind];
    if (size === undefined) return 'unknown-frame';
    return size === this.#left && !this.#ends ? undefined : 'bad-frame-length';
  }

  /** @returns the position reached in `chunk` */
  #gather(chunk: Buffer, at: number, wanted: number): number {
    const taken = Math.min(wanted - this.#has, chunk.length - at);
    chunk.copy(this.#gathered, this.#has, at, at + taken);
    this.#has += taken;
    return at + taken;
  }

  /** Hands on what is there of a large payload. */
  #pass(chunk: Buffer, at: number): number {
    const piece = this.#piece;
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    piece.bytes = chunk;
    piece.start = at;
    piece.end = end;
    piece.isLast = this.#left === 0;
    this.#inPayload = !piece.isLast;
    if (this.#kind === KIND.data) this.#sink.data(this.#stream, piece, this.#ends);
    else if (this.#kind === KIND.head) this.#sink.head(this.#stream, piece, this.#ends);
    else this.#sink.end(this.#stream, piece);
    piece.bytes = EMPTY;
    return end;
  }

  #tell(): void {
    const bytes = this.#gathered;
    switch (this.#kind) {
      case KIND.reset:
        this.#sink.reset(this.#stream, bytes[0]!);
        return;
      case KIND.credit:
        this.#sink.credit(this.#stream, bytes.readUInt32BE(0));
        return;
      case KIND.hello:
        this.#sink.hello({
          version: bytes.readUInt32BE(0),
          maxStreams: bytes.readUInt32BE(4),
          firstCredit: bytes.readUInt32BE(8),
        });
        return;
      case KIND.ping:
        this.#sink.ping(bytes.subarray(0, 8));
        return;
      case KIND.pong:
        this.#sink.pong(bytes.subarray(0, 8));
        return;
      default:
        this.#sink.goaway();
    }
  }
}
