/**
 * One tunnel: a TLS connection between two agents that carries many streams, each one request and its response.
 *
 * Whatever all streams send within one turn of the event loop leaves at its end as one write, hence one system call and
 * one TLS record. The connection is always read, for the credit of each stream bounds what may arrive. Both sides ask
 * after a silent peer while streams are open, so a line that went dead is noticed in seconds, not by TCP in minutes.
 * @module
 */

import type { Socket } from 'node:net';
import type { HttpConfig, TunnelConfig } from '../config.ts';
import type { Deadlines, Timed } from '../deadlines.ts';
import { Outbox } from '../http1/outbox.ts';
import { type CarriedStream, type CarrierOwner, type Piece, RESET, type Session } from '../streams/carrier.ts';
import { FIRST_CREDIT, WindowBudget } from '../streams/credit.ts';
import { reset } from '../tcp/reset.ts';
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

const CHECK_MS = 1_000;
/** Agents add headers on their way; a head may have grown by so much since it was measured. */
const HEAD_SLACK_BYTES = 8_192;
/** Resets of streams in one second, above which a peer is doing it to keep us busy. */
const MAX_RESETS_A_SECOND = 2_000;
/** Then it is left for a new tunnel. */
const MAX_STREAM_ID = 0x7fff_ffff;
const PING = Buffer.from('weft-alv');

export class TunnelConnection implements Session, FrameSink, Timed {
  readonly writer: FrameWriter;
  readonly budget = new WindowBudget();
  readonly answersMalformed = true;
  readonly window = Number.POSITIVE_INFINITY;
  deadlineMs: number;
  /** What the peer allows: nothing until its hello, which comes first, has been read. */
  maxStreams = 0;
  peerCredit = FIRST_CREDIT;
  isGreeted = false;
  readonly #options: TunnelConnectionOptions;
  readonly #out: Outbox;
  readonly #reader: FrameReader;
  readonly #streams = new Map<number, CarriedStream>();
  readonly #touched: CarriedStream[] = [];
  /** The highest stream id opened so far. */
  #lastId = 0;
  #isScheduled = false;
  #isGone = false;
  /** No stream is opened any more; the connection ends with its last one. */
  #isLeaving = false;
  #idleSinceMs = performance.now();
  #heardMs = performance.now();
  #pingedMs = Number.POSITIVE_INFINITY;
  #resets = 0;

  constructor(options: TunnelConnectionOptions) {
    const { socket, http, deadlines } = options;
    this.#options = options;
    this.#out = new Outbox(socket);
    this.writer = new FrameWriter(this.#out);
    this.#reader = new FrameReader(this, { maxHeadBytes: http.maxHeadBytes + HEAD_SLACK_BYTES });
    this.deadlineMs = performance.now() + CHECK_MS;
    deadlines.add(this);
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
    this.writer.hello({ version: VERSION, maxStreams: options.tunnel.maxStreams, firstCredit: FIRST_CREDIT });
    this.schedule();
    socket.resume();
  }

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size;
  }

  get isBlocked(): boolean {
    return this.#out.isBlocked;
  }

  /** Whether another stream may be opened by us. */
  get hasRoom(): boolean {
    if (this.#isLeaving || this.#isGone || this.#options.socket.destroyed) return false;
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
      this.#idleSinceMs = performance.now();
      if (this.#isLeaving && this.#options.isDialler) this.#finish();
    }
    this.#options.owner.released();
  }

  /** Whatever has been written leaves at the end of this turn. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flush);
  }

  /** Opens and takes no more streams; ends with the last one. */
  drain(): void {
    if (this.#isLeaving || this.#isGone) return;
    this.#isLeaving = true;
    if (!this.#options.isDialler) {
      this.writer.goaway();
      this.schedule();
      // Who dialled may have opened streams before it read this: they are served, and it closes when they are done.
    } else if (this.#streams.size === 0) this.#finish();
  }

  destroy(): void {
    this.#leave('closed');
    reset(this.#options);
  }

  onDeadline(): void {
    const nowMs = performance.now();
    this.#resets = 0;
    this.deadlineMs = nowMs + CHECK_MS;
    const { tunnel, idleTimeoutMs } = this.#options;
    if (!this.isGreeted && nowMs - this.#heardMs > tunnel.handshakeTimeoutMs) this.#refuse();
    else if (this.#streams.size === 0) {
      if (nowMs - this.#idleSinceMs >= idleTimeoutMs) this.#finish();
    } else if (nowMs - this.#pingedMs >= tunnel.pingTimeoutMs) {
      this.#leave('no answer to a ping');
      reset(this.#options);
    } else if (nowMs - this.#heardMs >= tunnel.pingIntervalMs && this.#pingedMs === Number.POSITIVE_INFINITY) {
      this.#pingedMs = nowMs;
      this.writer.ping(PING);
      this.schedule();
    }
  }

  // What the reader finds.

  head(id: number, piece: Piece, ends: boolean): void {
    const stream = this.#streams.get(id) ?? this.#open(id);
    if (stream !== undefined) this.#touch(stream).head(piece, ends);
  }

  data(id: number, piece: Piece, ends: boolean): void {
    const stream = this.#find(id);
    if (stream !== undefined) this.#touch(stream).data(piece, ends);
  }

  end(id: number, piece: Piece): void {
    const stream = this.#find(id);
    if (stream !== undefined) this.#touch(stream).end(piece);
  }

  reset(id: number, code: number): void {
    if (++this.#resets > MAX_RESETS_A_SECOND) {
      this.#refuse();
      return;
    }
    const stream = this.#find(id);
    if (stream !== undefined) this.#touch(stream).reset(code);
  }

  credit(id: number, bytes: number): void {
    const stream = this.#find(id);
    if (stream === undefined || this.#touch(stream).credit(bytes)) return;
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
    this.#pingedMs = Number.POSITIVE_INFINITY;
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
    if (this.#isGone) return undefined; // what was read after the frame that ended the connection
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

  #touch(stream: CarriedStream): CarriedStream {
    if (!stream.isTouched) {
      stream.isTouched = true;
      this.#touched.push(stream);
    }
    return stream;
  }

  // What the socket tells.

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isGone) return;
    this.#heardMs = performance.now();
    this.#pingedMs = Number.POSITIVE_INFINITY;
    const isReadable = this.#reader.read(chunk);
    for (const stream of this.#touched.splice(0)) {
      stream.isTouched = false;
      stream.settle();
    }
    if (!isReadable) this.#refuse();
  };

  readonly #flush = (): void => {
    this.#isScheduled = false;
    if (this.#isGone || !this.#out.isDirty) return;
    this.#out.flush();
  };

  readonly #onDrain = (): void => {
    this.#out.isBlocked = false;
    for (const stream of [...this.#streams.values()]) stream.writable();
  };

  readonly #onEnd = (): void => {
    this.#leave('it closed the connection');
    this.#options.socket.end();
  };

  readonly #onClose = (): void => this.#leave('it closed the connection');

  /** The peer does not keep to the protocol. */
  #refuse(): void {
    if (this.#isGone) return;
    this.#leave('what came is no weft/1');
    reset(this.#options);
  }

  /** Orderly: nothing is open any more. */
  #finish(): void {
    if (this.#isGone) return;
    if (this.#out.isDirty) this.#out.flush();
    this.#leave('closed');
    this.#options.socket.destroySoon();
  }

  #leave(detail: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const { deadlines, owner } = this.#options;
    deadlines.delete(this);
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.gone(detail);
    owner.gone();
  }
}

/** What an error means is told by the 'close' that follows it. */
function ignore(): void {}
