/**
 * Connections of many streams to one endpoint under one identity, on which each connection of the workload is one stream of
 * bytes: tunnels to another agent, or CONNECT into another mesh. Usually there is one; another is dialled when those there are
 * have no room.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { UpstreamConfig } from '../config.ts';
import { FairTimeout } from '../fair-timeout.ts';
import type { ReasonCode } from '../reasons.ts';
import type { CarrierOwner, Piece, Session } from '../streams/carrier.ts';
import { StreamBytes } from '../streams/stream-socket.ts';
import type { Dialer, DialResult } from './dial.ts';

/** A connection that stands. */
type Dialled = Extract<DialResult, { ok: true }>;

/** What the other side says to a stream that asks for bytes. */
export type Answered = 'open' | { readonly reason: ReasonCode; readonly detail: string };

export interface BytePoolOptions<S extends Session> {
  /** Connects to the proxy of the endpoint, and makes sure that it speaks for it. */
  readonly dialer: Dialer;
  /** Makes the session of a connection that was dialled; undefined where the other side takes no streams of bytes. */
  readonly connect: (dialled: Dialled) => ((owner: CarrierOwner) => S) | undefined;
  /** Asks for the application on a new stream. */
  readonly ask: (session: S, stream: number) => void;
  /** @param head of an answer, whole; undefined: another one follows */
  readonly answerOf: (head: string) => Answered | undefined;
  /** Sessions at a time. */
  readonly max: number;
  /** Where each has a connection of its own: where there is no room, and needed where `connect` may find no streams. */
  readonly single?: SingleConnections;
  readonly config: Pick<UpstreamConfig, 'maxPending' | 'pendingTimeoutMs' | 'connectTimeoutMs'>;
  /** Called when nothing is left in it. It may be filled again afterwards. */
  readonly onEmpty: (pool: BytePool<S>) => void;
}

export interface SingleConnections extends Dialer {
  /** Uses what was dialled in the hope of streams. */
  adopt(dialled: Dialled, done: (result: DialResult) => void): void;
}

interface Waiting {
  readonly done: (result: DialResult) => void;
  readonly timer: FairTimeout;
}

/** Another side without streams is not asked for them again so soon. */
const SINGLE_MS = 60_000;

export class BytePool<S extends Session> implements Dialer {
  readonly #options: BytePoolOptions<S>;
  readonly #sessions: S[] = [];
  /** Those that take no more streams but have some open. */
  readonly #leaving = new Set<S>();
  /** Who waits for room, in order. */
  readonly #waiting = new Set<Waiting>();
  #isDialling = false;
  #isClosed = false;
  #singleUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: BytePoolOptions<S>) {
    this.#options = options;
  }

  /**
   * Opens a stream. Where there is no room, and beyond `maxPending` who wait, it is a connection of its own, or none where those
   * are not to be had.
   */
  dial(done: (result: DialResult) => void): void {
    const { config, single } = this.#options;
    const session = this.#sessions.find(({ hasRoom }) => hasRoom);
    if (session !== undefined) this.#open(session, done);
    else if (single !== undefined && this.#isForSingle) single.dial(done);
    else if (this.#waiting.size >= config.maxPending) {
      if (single !== undefined) single.dial(done);
      else process.nextTick(done, { ok: false, reason: 'upstream-overflow', detail: '' });
    } else this.#wait(done);
  }

  /** Lets what is open end. */
  close(): void {
    this.#isClosed = true;
    for (const session of this.#sessions.splice(0)) {
      this.#leaving.add(session);
      session.drain();
    }
    this.#checkEmpty();
  }

  get #isForSingle(): boolean {
    if (performance.now() < this.#singleUntilMs) return true;
    return this.#sessions.length >= this.#options.max && this.#sessions.every(({ isGreeted }) => isGreeted);
  }

  #wait(done: (result: DialResult) => void): void {
    const timer = new FairTimeout(() => {
      this.#waiting.delete(waiting);
      done({ ok: false, reason: 'pending-timeout', detail: '' });
      this.#checkEmpty();
    }, this.#options.config.pendingTimeoutMs);
    const waiting = { done, timer };
    this.#waiting.add(waiting);
    this.#dial();
  }

  #dial(): void {
    const { dialer, max } = this.#options;
    if (this.#isDialling || this.#sessions.length >= max) return;
    if (this.#sessions.some(({ isGreeted }) => !isGreeted)) return; // there will be room in a moment
    this.#isDialling = true;
    dialer.dial((result) => {
      this.#isDialling = false;
      if (result.ok) this.#dialled(result);
      else this.#failAll(result.reason, result.detail);
      this.#checkEmpty();
    });
  }

  #dialled(dialled: Dialled): void {
    const make = this.#options.connect(dialled);
    if (make !== undefined) this.#connected(make);
    else this.#becomeSingle(dialled);
  }

  #connected(make: (owner: CarrierOwner) => S): void {
    const session: S = make({
      opened: () => undefined, // only who dialled opens streams
      goaway: () => this.#retire(session),
      released: () => this.#serve(),
      gone: () => this.#gone(session),
    });
    this.#sessions.push(session); // streams are opened once the other side has said what it allows
    if (this.#isClosed) this.close();
  }

  #becomeSingle(dialled: Dialled): void {
    const { single } = this.#options;
    this.#singleUntilMs = performance.now() + SINGLE_MS;
    const [first, ...others] = this.#waiting;
    for (const waiting of [...this.#waiting]) this.#forget(waiting);
    if (first === undefined) dialled.socket.destroy();
    else single?.adopt(dialled, first.done);
    for (const { done } of others) single?.dial(done);
  }

  #serve(): void {
    for (const waiting of this.#waiting) {
      const session = this.#sessions.find(({ hasRoom }) => hasRoom);
      if (session === undefined) {
        this.#dial();
        return;
      }
      this.#forget(waiting);
      this.#open(session, waiting.done);
    }
  }

  #open(session: S, done: (result: DialResult) => void): void {
    const { ask, answerOf, config } = this.#options;
    const stream = new OpeningStream(session, { answerOf, timeoutMs: config.connectTimeoutMs, done });
    session.add(stream);
    ask(session, stream.id);
    session.schedule();
  }

  #retire(session: S): void {
    const at = this.#sessions.indexOf(session);
    if (at !== -1) this.#sessions.splice(at, 1);
    this.#leaving.add(session);
    if (this.#waiting.size > 0) this.#dial();
  }

  #gone(session: S): void {
    const at = this.#sessions.indexOf(session);
    if (at !== -1) this.#sessions.splice(at, 1);
    this.#leaving.delete(session);
    if (!session.isGreeted) this.#failAll('upstream-closed', 'it closed before it said what it allows');
    else if (this.#waiting.size > 0) this.#dial();
    this.#checkEmpty();
  }

  /** All who wait would dial the same address. */
  #failAll(reason: ReasonCode, detail: string): void {
    for (const waiting of [...this.#waiting]) {
      this.#forget(waiting);
      waiting.done({ ok: false, reason, detail });
    }
  }

  #forget(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    waiting.timer.clear();
  }

  #checkEmpty(): void {
    if (this.#sessions.length + this.#leaving.size + this.#waiting.size > 0 || this.#isDialling) return;
    if (!this.#isClosed && performance.now() < this.#singleUntilMs) return;
    this.#options.onEmpty(this);
  }
}

interface Opening {
  readonly answerOf: (head: string) => Answered | undefined;
  readonly timeoutMs: number;
  readonly done: (result: DialResult) => void;
}

/** A stream until it is answered; then bytes. */
class OpeningStream extends StreamBytes {
  readonly #timer: FairTimeout;
  /** Undefined once it is settled what becomes of it. */
  #opening: Opening | undefined;
  /** Of its answer, so far. */
  #head = '';

  constructor(session: Session, opening: Opening) {
    super(session.nextId(), session);
    this.#opening = opening;
    const { timeoutMs } = opening;
    this.#timer = new FairTimeout(() => {
      this.#fail('connect-timeout', `no answer within ${timeoutMs} ms`);
      this.socket.destroy();
    }, timeoutMs);
  }

  override head(piece: Piece, ends: boolean): void {
    if (this.#opening === undefined) {
      super.head(piece, ends);
      return;
    }
    this.#head += piece.bytes.toString('latin1', piece.start, piece.end);
    if (!piece.isLast) return;
    const answered = this.#opening.answerOf(this.#head);
    this.#head = '';
    if (answered === undefined) return; // an interim response
    if (answered === 'open') {
      super.head(piece, ends);
      const { socket } = this;
      this.#settle({ ok: true, socket, transport: socket, protocol: undefined });
      return;
    }
    this.#fail(answered.reason, answered.detail);
    this.over();
  }

  override reset(code: number): void {
    this.#fail('tunnel-refused', `the stream was reset (${code})`);
    super.reset(code);
  }

  override gone(detail: string): void {
    this.#fail('upstream-closed', detail);
    super.gone(detail);
  }

  #fail(reason: ReasonCode, detail: string): void {
    this.#settle({ ok: false, reason, detail });
  }

  #settle(result: DialResult): void {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#timer.clear();
    opening?.done(result);
  }
}
