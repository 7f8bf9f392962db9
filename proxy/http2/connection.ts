/**
 * One HTTP/2 connection (RFC 9113), as client or as server, that carries streams.
 *
 * Like the tunnel between agents it writes once a turn and is always read: windows bound what may arrive. docs/adr/0015 lists
 * what a hostile peer may try and where it is stopped.
 * @module
 */

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Http2Config, HttpConfig } from '../config.ts';
import type { Deadlines } from '../deadlines.ts';
import { type CarriedStream, type CarrierOwner, RESET, type Session } from '../streams/carrier.ts';
import { FIRST_CREDIT, WindowBudget } from '../streams/credit.ts';
import { CHECK_MS, Line, type LineOwner } from '../streams/line.ts';
import { StreamTable } from '../streams/stream-table.ts';
import { Costs } from './costs.ts';
import {
  ERROR,
  type ErrorCode,
  FrameReader,
  type FrameSink,
  MAX_FRAME_BYTES,
  MAX_WINDOW,
  PREFACE,
  SETTING,
} from './frames.ts';
import { LateStreams } from './late-streams.ts';
import { linger } from './linger.ts';
import { Messages, type Told } from './messages.ts';
import { PrefaceReader } from './preface.ts';
import { Http2Writer } from './writer.ts';

export interface Http2ConnectionOptions {
  readonly socket: Socket;
  /** The TCP socket below TLS, the same as `socket` for plaintext. */
  readonly transport: Socket;
  readonly isClient: boolean;
  readonly http: HttpConfig;
  readonly http2: Http2Config;
  /** Closed after this long without a stream. */
  readonly idleTimeoutMs: number;
  readonly deadlines: Deadlines;
  readonly owner: CarrierOwner;
  /** As server: whether streams may be opened by CONNECT; otherwise it is malformed. */
  readonly takesConnect?: boolean;
}

/** Window of a connection on our side: streams are bounded by their own. */
const CONNECTION_WINDOW = 16 * 1_048_576;
/** RFC 9113 §6.9.2: what every window begins with. */
const DEFAULT_WINDOW = 65_535;
const PING = Buffer.from('weft-alv');
/** Asks whether the peer has read our first GOAWAY. */
const DRAIN_PING = Buffer.from('weft-bye');

/** What is known of a stream beyond the stream itself. */
interface Open extends Told {
  /** The peer has ended its side. */
  hasEnded: boolean;
  /** We have reset it. */
  isReset: boolean;
}

export class Http2Connection implements Session, FrameSink, LineOwner {
  readonly writer: Http2Writer;
  readonly budget = new WindowBudget();
  /** RFC 9113 §8.1.1. */
  readonly answersMalformed = false;
  peerCredit = DEFAULT_WINDOW;
  window = DEFAULT_WINDOW;
  /** Whether the peer's first settings have come. */
  isGreeted = false;
  readonly #options: Http2ConnectionOptions;
  readonly #line: Line;
  readonly #reader: FrameReader;
  readonly #messages: Messages;
  readonly #preface = new PrefaceReader();
  readonly #streams = new StreamTable<Open>();
  readonly #late = new LateStreams();
  readonly #costs = new Costs();
  /** What the peer allows us to open at a time. */
  #maxStreams = 100;
  #lastId = 0;
  #ownId = -1;
  /** No stream is opened any more. */
  #isLeaving = false;
  /** The connection ends with its last stream. */
  #endsWithLast = false;
  /** The last stream we said we would serve; what we say afterwards is not more (RFC 9113 §6.8). */
  #servedId = MAX_WINDOW;
  /** As server: when the peer was told that we are about to leave. */
  #drainingMs = Number.POSITIVE_INFINITY;
  readonly #sinceMs = performance.now();
  /** The header block that was being read when we looked last, and since when; 0: none. */
  #block = 0;
  #blockSinceMs = 0;
  /** What a SETTINGS frame says of windows, until it is read whole. */
  #initialWindow = DEFAULT_WINDOW;
  /** Body bytes received and not yet given back to the window of the connection. */
  #received = 0;

  constructor(options: Http2ConnectionOptions) {
    const { http, http2, isClient } = options;
    this.#options = options;
    this.#line = new Line(options, this);
    const { out } = this.#line;
    this.writer = new Http2Writer(out, {
      dataSent: (bytes, frames) => {
        this.window -= bytes;
        this.#costs.earn(frames);
      },
      wasReset: (id) => {
        const open = this.#streams.get(id);
        if (open !== undefined) open.isReset = true;
      },
    });
    this.#reader = new FrameReader(this, { maxBlockBytes: http.maxHeadBytes, maxContinuations: MAX_CONTINUATIONS });
    this.#messages = new Messages(isClient, http, options.takesConnect);
    if (isClient) out.copy(PREFACE, 0, PREFACE.length);
    this.writer.settings([
      ...(isClient ? [[SETTING.enablePush, 0] as const] : [[SETTING.maxConcurrentStreams, http2.maxStreams] as const]),
      [SETTING.initialWindowSize, FIRST_CREDIT],
      [SETTING.maxHeaderListSize, http.maxHeadBytes],
    ]);
    this.writer.credit(0, CONNECTION_WINDOW - DEFAULT_WINDOW);
    this.#line.open();
  }

  get socket(): Socket {
    return this.#options.socket;
  }

  get size(): number {
    return this.#streams.size;
  }

  get isBlocked(): boolean {
    return this.#line.isBlocked;
  }

  get hasRoom(): boolean {
    if (!this.isGreeted || this.#isLeaving || !this.#line.isUsable) return false;
    return this.#streams.size < this.#maxStreams && this.#ownId < MAX_WINDOW - 2;
  }

  get served(): number {
    return this.#options.isClient ? (this.#ownId + 1) / 2 : (this.#lastId + 1) / 2;
  }

  /** Takes bytes that were read before this connection was made. */
  feed(chunk: Buffer): void {
    this.#line.read(chunk);
  }

  nextId(): number {
    this.#ownId += 2;
    return this.#ownId;
  }

  add(stream: CarriedStream): void {
    this.#streams.set(stream.id, { stream, hasHead: false, hasEnded: false, isReset: false });
  }

  remove(stream: CarriedStream): void {
    const open = this.#streams.get(stream.id);
    if (open === undefined) return;
    this.#streams.delete(stream.id);
    if (!open.hasEnded) this.#endEarly(open);
    if (this.#streams.size === 0) {
      this.#line.idle();
      if (this.#endsWithLast) this.#finish();
    }
    this.#options.owner.released();
  }

  schedule(): void {
    this.#line.schedule();
  }

  /**
   * Opens no more streams and ends with the last one. A client learns in two steps (RFC 9113 §6.8): what it sent before it
   * read the first GOAWAY is served, and the second names the last stream that is.
   */
  drain(): void {
    if (this.#isLeaving || this.#line.isLeft || this.#drainingMs !== Number.POSITIVE_INFINITY) return;
    if (this.#options.isClient || !this.isGreeted) this.#lastCall();
    else {
      this.#drainingMs = performance.now();
      this.writer.goaway(MAX_WINDOW, ERROR.none);
      this.writer.ping(DRAIN_PING, false);
      this.schedule();
    }
  }

  destroy(): void {
    this.#leave('closed');
    this.#line.reset();
  }

  checked(nowMs: number): void {
    if (!this.isBlocked) this.#costs.renew();
    const { http, http2 } = this.#options;
    if (!this.isGreeted && nowMs - this.#sinceMs > http2.settingsTimeoutMs) this.#refuse(ERROR.settingsTimeout);
    else if (this.#blockAgeMs(nowMs) > http.requestHeadTimeoutMs) this.#refuse(ERROR.enhanceYourCalm);
    else if (nowMs - this.#drainingMs >= CHECK_MS) this.#lastCall();
    else this.#checkSilence(nowMs);
  }

  #checkSilence(nowMs: number): void {
    const { http2, idleTimeoutMs } = this.#options;
    const { pingIntervalMs, pingTimeoutMs } = http2;
    const silence = this.#line.silence(nowMs, this.#streams.size > 0, { idleTimeoutMs, pingIntervalMs, pingTimeoutMs });
    if (silence === 'idle') this.drain();
    else if (silence === 'dead') {
      this.#leave('no answer to a ping');
      this.#line.reset();
    } else if (silence === 'ask') {
      this.writer.ping(PING, false);
      this.schedule();
    }
  }

  // What the reader finds.

  headers(id: number, block: Buffer, start: number, end: number, endsStream: boolean): void {
    if (this.#line.isLeft) return;
    if (!this.#messages.decode(block, start, end)) {
      this.#refuse(ERROR.compression);
      return;
    }
    const open = this.#streams.get(id) ?? this.#open(id, endsStream);
    if (open === undefined) return;
    if (open.hasEnded) {
      this.#streamError(open, ERROR.streamClosed);
      return;
    }
    open.hasEnded = endsStream;
    this.#line.touch(open.stream);
    const error = this.#messages.tell(open, endsStream);
    if (error !== ERROR.none) this.#streamError(open, error);
  }

  data(id: number, bytes: Buffer, start: number, end: number, flow: number, endsStream: boolean): void {
    if (this.#line.isLeft) return;
    this.#received += flow;
    if (this.#received >= CONNECTION_WINDOW / 2) {
      this.writer.credit(0, this.#received);
      this.schedule();
      this.#received = 0;
    }
    if (end === start && !endsStream) this.#pay();
    const open = this.#streams.get(id);
    if (open === undefined) {
      this.#passOver(id, endsStream);
      return;
    }
    if (open.hasEnded || !open.hasHead) {
      this.#streamError(open, open.hasEnded ? ERROR.streamClosed : ERROR.protocol);
      return;
    }
    open.hasEnded = endsStream;
    const padding = flow - (end - start);
    if (padding > 0 && !endsStream) {
      this.writer.credit(id, padding);
      this.schedule();
    }
    this.#line.touch(open.stream).data(this.#messages.piece(bytes, start, end), endsStream);
  }

  rstStream(id: number, code: number): void {
    if (this.#line.isLeft) return;
    this.#pay();
    if (this.#isIdle(id)) {
      this.#refuse(ERROR.protocol);
      return;
    }
    this.#late.delete(id);
    const open = this.#streams.get(id);
    if (open === undefined) return;
    open.hasEnded = true;
    this.#line.touch(open.stream).reset(code === ERROR.refusedStream ? RESET.refused : RESET.cancelled);
  }

  setting(id: number, value: number): void {
    if (id === SETTING.maxConcurrentStreams) this.#maxStreams = value;
    else if (id === SETTING.initialWindowSize) {
      if (value > MAX_WINDOW) this.#refuse(ERROR.flowControl);
      else this.#initialWindow = value;
    } else if (id === SETTING.maxFrameSize) {
      if (value < MAX_FRAME_BYTES || value > 0xff_ffff) this.#refuse(ERROR.protocol);
      else this.writer.maxFrameBytes = Math.min(value, 65_536);
    } else if (id === SETTING.enablePush && (value > 1 || (this.#options.isClient && value === 1))) {
      this.#refuse(ERROR.protocol);
    }
    // The size of its table does not matter: ours is empty, and the first block we write says so.
  }

  settingsEnd(): void {
    if (this.#line.isLeft) return;
    this.#pay();
    // Before any data that only these settings allow: the peer holds to them once it has read this.
    this.writer.settingsAck();
    // Once a frame, not once a setting: a frame has room for 2,730 of them, and each would look at all streams.
    this.#resize(this.#initialWindow);
    const isFirst = !this.isGreeted;
    this.isGreeted = true;
    this.schedule();
    if (isFirst || this.hasRoom) this.#options.owner.released();
  }

  settingsAck(): void {}

  ping(token: Buffer, isAck: boolean): void {
    if (this.#line.isLeft) return;
    if (isAck) {
      if (this.#drainingMs !== Number.POSITIVE_INFINITY && token.equals(DRAIN_PING)) this.#lastCall();
      return;
    }
    this.#pay();
    this.writer.ping(token, true);
    this.schedule();
  }

  goaway(lastStream: number, _code: number): void {
    if (this.#line.isLeft) return;
    this.#pay();
    this.#endsWithLast = true;
    if (this.#options.isClient) {
      this.#isLeaving = true;
      for (const { stream } of this.#streams.values()) {
        if (stream.id > lastStream) this.#line.touch(stream).reset(RESET.refused); // it was not and will not be looked at (§6.8)
      }
      this.#options.owner.goaway();
    }
    if (this.#streams.size === 0) this.#finish();
  }

  windowUpdate(id: number, increment: number): void {
    if (this.#line.isLeft) return;
    if (this.#costs.payUpdate()) {
      this.#refuse(ERROR.enhanceYourCalm);
      return;
    }
    if (id === 0) {
      const wasOpen = this.window > 0;
      this.window += increment;
      if (this.window > MAX_WINDOW) this.#refuse(ERROR.flowControl);
      else if (!wasOpen) for (const { stream } of this.#streams.values()) stream.credit(0);
      return;
    }
    const open = this.#streams.get(id);
    if (open !== undefined) {
      if (!this.#line.touch(open.stream).credit(increment)) this.#streamError(open, ERROR.flowControl);
    } else if (this.#isIdle(id)) this.#refuse(ERROR.protocol);
  }

  streamError(id: number, code: ErrorCode): void {
    const open = this.#streams.get(id);
    if (open !== undefined) this.#streamError(open, code);
    else if (this.#isIdle(id)) this.#refuse(code);
  }

  #open(id: number, endsStream: boolean): Open | undefined {
    const { isClient, http2, owner } = this.#options;
    if (id % 2 === 0 || (isClient && this.#isIdle(id))) {
      this.#refuse(ERROR.protocol); // a server opens nothing: we allow no push
      return undefined;
    }
    if (isClient || id <= this.#lastId) {
      this.#passOver(id, endsStream);
      return undefined;
    }
    this.#lastId = id;
    if (this.#streams.size >= http2.maxStreams) {
      this.#pay();
      this.writer.reset(id, RESET.refused);
      this.schedule();
    }
    const isServed = !this.#isLeaving && this.#streams.size < http2.maxStreams;
    const stream = isServed ? owner.opened(id) : undefined;
    if (stream === undefined) {
      // Refused just now, or opened after our GOAWAY, which says that it is not served.
      if (!endsStream) this.#late.add(id);
      return undefined;
    }
    this.#costs.earnUpdate();
    const open = { stream, hasHead: false, hasEnded: false, isReset: false };
    this.#streams.set(id, open);
    return open;
  }

  /** HEADERS or DATA of a stream that is not open: on its way when we ended it, or from a peer that has lost count. */
  #passOver(id: number, endsStream: boolean): void {
    if (this.#isIdle(id)) this.#refuse(ERROR.protocol);
    else if (!this.#late.has(id)) this.#refuse(ERROR.streamClosed);
    else if (endsStream) this.#late.delete(id);
  }

  /** Our side is done with a stream and the peer is not. */
  #endEarly({ stream: { id }, isReset }: Open): void {
    this.#late.add(id);
    if (isReset || this.#line.isLeft) return;
    // RFC 9113 §8.1: a server that has answered in full asks for the rest not to be sent.
    this.writer.rstStream(id, ERROR.none);
    this.schedule();
  }

  /** RFC 9113 §5.1: whether nobody has opened this stream yet. */
  #isIdle(id: number): boolean {
    if (this.#options.isClient) return id % 2 === 0 || id > this.#ownId;
    return id % 2 === 0 || id > this.#lastId;
  }

  /** RFC 9113 §6.9.2: what changes is the window of every stream, which may become negative. */
  #resize(value: number): void {
    const change = value - this.peerCredit;
    if (change === 0) return;
    this.peerCredit = value;
    const isFine = this.#streams.values().every(({ stream }) => stream.credit(change));
    if (!isFine) this.#refuse(ERROR.flowControl);
  }

  #streamError(open: Open, code: ErrorCode): void {
    this.#pay();
    if (this.#line.isLeft) return;
    this.writer.rstStream(open.stream.id, code);
    this.schedule();
    this.#line.touch(open.stream).reset(RESET.malformed);
  }

  /** How long the header block that is being read has been on its way, as far as we looked. */
  #blockAgeMs(nowMs: number): number {
    const block = this.#reader.openBlock;
    if (block === this.#block) return block === 0 ? 0 : nowMs - this.#blockSinceMs;
    this.#block = block;
    this.#blockSinceMs = nowMs;
    return 0;
  }

  /** The peer did something that costs us and not it. */
  #pay(): void {
    if (this.#costs.pay()) this.#refuse(ERROR.enhanceYourCalm);
  }

  // What the line tells.

  read(chunk: Buffer): boolean {
    const from = this.#options.isClient ? 0 : this.#preface.read(chunk);
    if (from !== -1) return from === chunk.length || this.#reader.read(from === 0 ? chunk : chunk.subarray(from));
    this.#refuse(ERROR.protocol);
    return true;
  }

  unreadable(): void {
    this.#refuse(this.#reader.error);
  }

  drained(): void {
    for (const { stream } of this.#streams.values()) stream.writable();
  }

  ended(): void {
    this.#leave('it closed the connection');
  }

  /** The peer does not keep to the protocol: it is told, and the connection closed (RFC 9113 §5.4.1). */
  #refuse(code: ErrorCode): void {
    if (this.#line.isLeft) return;
    this.writer.goaway(Math.min(this.#lastId, this.#servedId), code);
    this.#finish();
  }

  /** No stream is opened from now on. */
  #lastCall(): void {
    this.#isLeaving = true;
    this.#endsWithLast = true;
    this.#drainingMs = Number.POSITIVE_INFINITY;
    this.#servedId = this.#lastId;
    this.writer.goaway(this.#lastId, ERROR.none);
    this.schedule();
    if (this.#streams.size === 0) this.#finish();
  }

  #finish(): void {
    if (this.#line.isLeft) return;
    this.#line.flush();
    this.#leave('closed');
    linger(this.#options.socket, this.#options.http);
  }

  #leave(detail: string): void {
    if (this.#line.isLeft) return;
    this.#line.leave();
    const streams = this.#streams.values();
    this.#streams.clear();
    for (const { stream } of streams) stream.gone(detail);
    this.#options.owner.gone();
  }
}

/** 32 kB of block in frames of 16 kB are three; a few more do no harm. */
const MAX_CONTINUATIONS = 16;
