/**
 * One tunnel: a TLS connection between two agents that carries many streams, each one request and its response.
 *
 * Whatever all streams send within one turn of the event loop leaves at its end as one write, hence one system call and
 * one TLS record; long bodies do not wait for it. The connection is always read, for the credit of each stream bounds what
 * may arrive. Both sides ask after a silent peer while streams are open, so a line that went dead is noticed in seconds, not
 * by TCP in minutes.
 * @module
 */

import type { Socket } from 'node:net';
import type { HttpConfig, TunnelConfig } from '../config.ts';
import type { Deadlines } from '../deadlines.ts';
import { type CarriedStream, type CarrierOwner, type Piece, RESET, type Session } from '../streams/carrier.ts';
import { FIRST_CREDIT, WindowBudget } from '../streams/credit.ts';
import { Line, type LineOwner } from '../streams/line.ts';
import { StreamTable } from '../streams/stream-table.ts';
import { FrameWriter } from './frame-writer.ts';
import { FrameReader, type FrameSink, type Hello, VERSION } from './frames.ts';

export interface TunnelConnectionOptions {
  readonly socket: Socket;
  /** The TCP socket below TLS. */
  readonly transport: Socket;
  /** Streams are opened by who dialled, and by nobody else. */
  readonly isDialler: boolean;
  readonly http: HttpConfig;
  readonly tunnel: TunnelConfig;
  /** Closed after this long without a stream. */
  readonly idleTimeoutMs: number;
  readonly deadlines: Deadlines;
  readonly owner: CarrierOwner;
}

/** Agents add headers on their way; a head may have grown by so much since it was measured. */
const HEAD_SLACK_BYTES = 8_192;
/** Resets of streams in one second, above which a peer is doing it to keep us busy. */
const MAX_RESETS_A_SECOND = 2_000;
/** Then it is left for a new tunnel. */
const MAX_STREAM_ID = 0x7fff_ffff;
const PING = Buffer.from('weft-alv');

export class TunnelConnection implements Session, FrameSink, LineOwner {
  readonly writer: FrameWriter;
  readonly budget = new WindowBudget();
  readonly answersMalformed = true;
  readonly window = Number.POSITIVE_INFINITY;
  /** What the peer allows: nothing until its hello, which comes first, has been read. */
  maxStreams = 0;
  peerCredit = FIRST_CREDIT;
  isGreeted = false;
  readonly #options: TunnelConnectionOptions;
  readonly #line: Line;
  readonly #reader: FrameReader;
  readonly #streams = new StreamTable<CarriedStream>();
  /** The highest stream id opened so far. */
  #lastId = 0;
  /** No stream is opened any more; the connection ends with its last one. */
  #isLeaving = false;
  #resets = 0;

  constructor(options: TunnelConnectionOptions) {
    const { http } = options;
    this.#options = options;
    this.#line = new Line(options, this);
    this.writer = new FrameWriter(this.#line.out);
    this.#reader = new FrameReader(this, { maxHeadBytes: http.maxHeadBytes + HEAD_SLACK_BYTES });
    this.writer.hello({ version: VERSION, maxStreams: options.tunnel.maxStreams, firstCredit: FIRST_CREDIT });
    this.#line.open();
  }

  get socket(): Socket {
    return this.#options.socket;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size;
  }

  get isBlocked(): boolean {
    return this.#line.isBlocked;
  }

  /** Whether another stream may be opened by us. */
  get hasRoom(): boolean {
    if (this.#isLeaving || !this.#line.isUsable) return false;
    return this.#streams.size < this.maxStreams && this.#lastId < MAX_STREAM_ID;
  }

  /** Streams opened so far. */
  get served(): number {
    return this.#lastId;
  }

  /** For who dialled: the id of a stream to come. */
  nextId(): number {
    return ++this.#lastId;
  }

  add(stream: CarriedStream): void {
    this.#streams.set(stream.id, stream);
  }

  /** A stream has ended on our side; what still comes for it is passed over. */
  remove(stream: CarriedStream): void {
    if (!this.#streams.delete(stream.id)) return;
    if (this.#streams.size === 0) {
      this.#line.idle();
      if (this.#isLeaving && this.#options.isDialler) this.#finish();
    }
    this.#options.owner.released();
  }

  /** Whatever has been written leaves at the end of this turn. */
  schedule(): void {
    this.#line.schedule();
  }

  /** Opens and takes no more streams; ends with the last one. */
  drain(): void {
    if (this.#isLeaving || this.#line.isLeft) return;
    this.#isLeaving = true;
    if (!this.#options.isDialler) {
      this.writer.goaway();
      this.schedule();
      // Who dialled may have opened streams before it read this: they are served, and it closes when they are done.
    } else if (this.#streams.size === 0) this.#finish();
  }

  destroy(): void {
    this.#leave('closed');
    this.#line.reset();
  }

  checked(nowMs: number): void {
    this.#resets = 0;
    const { tunnel, idleTimeoutMs } = this.#options;
    const { pingIntervalMs, pingTimeoutMs } = tunnel;
    if (!this.isGreeted && nowMs - this.#line.heardMs > tunnel.handshakeTimeoutMs) {
      this.#refuse();
      return;
    }
    const silence = this.#line.silence(nowMs, this.#streams.size > 0, { idleTimeoutMs, pingIntervalMs, pingTimeoutMs });
    if (silence === 'idle') this.#finish();
    else if (silence === 'dead') {
      this.#leave('no answer to a ping');
      this.#line.reset();
    } else if (silence === 'ask') {
      this.writer.ping(PING);
      this.schedule();
    }
  }

  // What the reader finds.

  head(id: number, piece: Piece, ends: boolean): void {
    const stream = this.#streams.get(id) ?? this.#open(id);
    if (stream !== undefined) this.#line.touch(stream).head(piece, ends);
  }

  data(id: number, piece: Piece, ends: boolean): void {
    const stream = this.#find(id);
    if (stream !== undefined) this.#line.touch(stream).data(piece, ends);
  }

  end(id: number, piece: Piece): void {
    const stream = this.#find(id);
    if (stream !== undefined) this.#line.touch(stream).end(piece);
  }

  reset(id: number, code: number): void {
    if (++this.#resets > MAX_RESETS_A_SECOND) {
      this.#refuse();
      return;
    }
    const stream = this.#find(id);
    if (stream !== undefined) this.#line.touch(stream).reset(code);
  }

  credit(id: number, bytes: number): void {
    const stream = this.#find(id);
    if (stream === undefined || this.#line.touch(stream).credit(bytes)) return;
    this.writer.reset(id, RESET.overrun);
    this.schedule();
    stream.reset(RESET.malformed);
  }

  hello({ maxStreams, firstCredit }: Hello): void {
    if (this.isGreeted || maxStreams === 0 || firstCredit > 0x7fff_ffff) {
      this.#refuse();
      return;
    }
    this.isGreeted = true;
    this.maxStreams = maxStreams;
    this.peerCredit = firstCredit;
    this.#options.owner.released(); // there may be room now
  }

  ping(token: Buffer): void {
    this.writer.pong(token);
    this.schedule();
  }

  pong(): void {
    this.#line.answered();
  }

  goaway(): void {
    if (!this.#options.isDialler) {
      this.#refuse();
      return;
    }
    this.drain();
    this.#options.owner.goaway();
  }

  #open(id: number): CarriedStream | undefined {
    const { isDialler, tunnel, owner } = this.#options;
    if (this.#line.isLeft) return undefined; // what was read after the frame that ended the connection
    if (id <= this.#lastId) return undefined; // it has ended; its last frames are on their way
    if (isDialler || !this.isGreeted || id !== this.#lastId + 1) {
      this.#refuse();
      return undefined;
    }
    this.#lastId = id;
    if (this.#streams.size >= tunnel.maxStreams) {
      this.writer.reset(id, RESET.refused);
      this.schedule();
      return undefined;
    }
    const stream = owner.opened(id);
    if (stream !== undefined) this.#streams.set(id, stream);
    return stream;
  }

  #find(id: number): CarriedStream | undefined {
    if (id > this.#lastId) this.#refuse();
    return this.#streams.get(id);
  }

  // What the line tells.

  read(chunk: Buffer): boolean {
    return this.#reader.read(chunk);
  }

  unreadable(): void {
    this.#refuse();
  }

  drained(): void {
    for (const stream of this.#streams.values()) stream.writable();
  }

  ended(): void {
    this.#leave('it closed the connection');
  }

  /** The peer does not keep to the protocol. */
  #refuse(): void {
    if (this.#line.isLeft) return;
    this.#leave('what came is no weft/1');
    this.#line.reset();
  }

  /** Orderly: nothing is open any more. */
  #finish(): void {
    if (this.#line.isLeft) return;
    this.#line.flush();
    this.#leave('closed');
    this.#options.socket.destroySoon();
  }

  #leave(detail: string): void {
    if (this.#line.isLeft) return;
    this.#line.leave();
    const streams = this.#streams.values();
    this.#streams.clear();
    for (const stream of streams) stream.gone(detail);
    this.#options.owner.gone();
  }
}
