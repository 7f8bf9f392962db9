/**
 * Ways into another mesh: connections of HTTP/2 to one endpoint under one identity, on which every connection of the workload is
 * one CONNECT. Usually there is one; another is dialled when those there are have no room.
 * @module
 */

import type { UpstreamConfig } from '../config.ts';
import { FairTimeout } from '../fair-timeout.ts';
import { StreamBytes } from '../hbone/stream-socket.ts';
import type { Http2Connection } from '../http2/connection.ts';
import type { ReasonCode } from '../reasons.ts';
import type { CarrierOwner, Piece } from '../streams/carrier.ts';
import type { Dialer, DialResult } from './dial.ts';

export interface HbonePoolOptions {
  /** Connects to the proxy of the endpoint, and makes sure that it speaks for it. */
  readonly dialer: Dialer;
  readonly connect: (dialled: Extract<DialResult, { ok: true }>, owner: CarrierOwner) => Http2Connection;
  /** `address:port` of the application there. */
  readonly authority: string;
  readonly config: UpstreamConfig;
  /** Called when nothing is left in it. It may be filled again afterwards. */
  readonly onEmpty: (pool: HbonePool) => void;
}

interface Waiting {
  readonly done: (result: DialResult) => void;
  readonly timer: FairTimeout;
}

export class HbonePool implements Dialer {
  readonly #options: HbonePoolOptions;
  readonly #connections: Http2Connection[] = [];
  /** Those that take no more streams but have some open. */
  readonly #leaving = new Set<Http2Connection>();
  /** Who waits for room, in order. */
  readonly #waiting = new Set<Waiting>();
  #isDialling = false;
  #isClosed = false;

  constructor(options: HbonePoolOptions) {
    this.#options = options;
  }

  /** Opens a way. Beyond `maxPending` who waits, others are told at once that there are too many. */
  dial(done: (result: DialResult) => void): void {
    const { maxPending, pendingTimeoutMs } = this.#options.config;
    const connection = this.#connections.find(({ hasRoom }) => hasRoom);
    if (connection !== undefined) {
      this.#open(connection, done);
      return;
    }
    if (this.#waiting.size >= maxPending) {
      process.nextTick(done, { ok: false, reason: 'upstream-overflow', detail: '' });
      return;
    }
    const timer = new FairTimeout(() => {
      this.#waiting.delete(waiting);
      done({ ok: false, reason: 'pending-timeout', detail: '' });
      this.#checkEmpty();
    }, pendingTimeoutMs);
    const waiting = { done, timer };
    this.#waiting.add(waiting);
    this.#dial();
  }

  /** Lets what is open end. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections.splice(0)) {
      this.#leaving.add(connection);
      connection.drain();
    }
    this.#checkEmpty();
  }

  #dial(): void {
    const { dialer, config, connect } = this.#options;
    if (this.#isDialling || this.#connections.length >= config.maxTunnels) return;
    if (this.#connections.some(({ isGreeted }) => !isGreeted)) return; // there will be room in a moment
    this.#isDialling = true;
    dialer.dial((result) => {
      this.#isDialling = false;
      if (result.ok) this.#connected((owner) => connect(result, owner));
      else this.#failAll(result.reason, result.detail);
      this.#checkEmpty();
    });
  }

  #connected(make: (owner: CarrierOwner) => Http2Connection): void {
    const connection: Http2Connection = make({
      opened: () => undefined, // only who dialled opens streams
      goaway: () => this.#retire(connection),
      released: () => this.#serve(),
      gone: () => this.#gone(connection),
    });
    this.#connections.push(connection); // streams are opened once the other side has said what it allows
    if (this.#isClosed) this.close();
  }

  #serve(): void {
    for (const waiting of this.#waiting) {
      const connection = this.#connections.find(({ hasRoom }) => hasRoom);
      if (connection === undefined) {
        this.#dial();
        return;
      }
      this.#forget(waiting);
      this.#open(connection, waiting.done);
    }
  }

  #open(connection: Http2Connection, done: (result: DialResult) => void): void {
    const { authority, config } = this.#options;
    const stream = new OpeningStream(connection, config.connectTimeoutMs, done);
    connection.add(stream);
    connection.writer.connect(stream.id, authority);
    connection.schedule();
  }

  #retire(connection: Http2Connection): void {
    const at = this.#connections.indexOf(connection);
    if (at !== -1) this.#connections.splice(at, 1);
    this.#leaving.add(connection);
    if (this.#waiting.size > 0) this.#dial();
  }

  #gone(connection: Http2Connection): void {
    const wasGreeted = connection.isGreeted;
    const at = this.#connections.indexOf(connection);
    if (at !== -1) this.#connections.splice(at, 1);
    this.#leaving.delete(connection);
    if (!wasGreeted) this.#failAll('upstream-closed', 'no settings of HTTP/2');
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
    if (this.#connections.length + this.#leaving.size + this.#waiting.size > 0 || this.#isDialling) return;
    this.#options.onEmpty(this);
  }
}

/** A stream until its CONNECT is answered; then bytes. */
class OpeningStream extends StreamBytes {
  readonly #timer: FairTimeout;
  #done: ((result: DialResult) => void) | undefined;

  constructor(connection: Http2Connection, timeoutMs: number, done: (result: DialResult) => void) {
    super(connection.nextId(), connection);
    this.#done = done;
    this.#timer = new FairTimeout(() => {
      this.#fail('connect-timeout', `${timeoutMs} ms for CONNECT`);
      this.socket.destroy();
    }, timeoutMs);
  }

  override head(piece: Piece, ends: boolean): void {
    const status = statusIn(piece);
    if (status < 200) return; // an interim response
    if (status >= 300) {
      const isDenied = status === 401 || status === 403;
      this.#fail(isDenied ? 'access-denied' : 'tunnel-refused', `CONNECT was answered ${status}`);
      this.over();
      return;
    }
    super.head(piece, ends);
    const { socket } = this;
    this.#settle({ ok: true, socket, transport: socket, protocol: undefined });
  }

  override reset(code: number): void {
    this.#fail('tunnel-refused', 'CONNECT was reset');
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
    const done = this.#done;
    this.#done = undefined;
    this.#timer.clear();
    done?.(result);
  }
}

/** Of `HTTP/1.1 NNN `, as the connection writes it. */
function statusIn({ bytes, start }: Piece): number {
  return Number(bytes.toString('latin1', start + 9, start + 12));
}
