/**
 * Connections for opaque bytes to one endpoint under one identity, made ahead of those who need them, so that a busy pair
 * does not wait for handshakes. A connection says that it begins with one byte, `START`: until then the other agent does
 * not dial its application.
 *
 * A pair is busy that opened two connections within `WINDOW_MS`; an endpoint whose agent is too old to wait has none.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { Deadlines, Timed } from '../deadlines.ts';
import { ALPN } from '../snapshot.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import type { SingleConnections } from './byte-pool.ts';
import type { Dialer, DialResult } from './dial.ts';

/** The first byte of a connection of `weft-tcp/2`, before those of the client. */
export const START = 1;
/** Best first. */
export const TCP_PROTOCOLS = [ALPN.tcpAhead, ALPN.tcp] as const;

const BEGIN = Buffer.from([START]);
const WINDOW_MS = 10_000;
/** For how many connections a second one is kept ready, beyond the first. */
const RATE_EACH = 10;
const PAUSE_MS = 10;

type Dialled = Extract<DialResult, { ok: true }>;

interface Ready {
  readonly sinceMs: number;
  readonly drop: () => void;
}

export interface WarmConnectionsOptions {
  readonly dialer: Dialer;
  /** At most so many are ready or on their way; 0: none. */
  readonly max: number;
  readonly stats: StatsWriter;
  readonly deadlines: Deadlines;
  /** Called when nothing is ready and nobody has come for a while. */
  readonly onEmpty: () => void;
}

export class WarmConnections implements SingleConnections, Timed {
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #options: WarmConnectionsOptions;
  /** Oldest first. */
  readonly #ready = new Map<Dialled, Ready>();
  #dialling = 0;
  #refilling: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Of the present window and the one before it. */
  #opened = 0;
  #openedBefore = 0;
  #windowEndsMs = 0;

  constructor(options: WarmConnectionsOptions) {
    this.#options = options;
    options.deadlines.add(this);
  }

  dial(done: (result: DialResult) => void): void {
    this.#count();
    const [warm] = this.#ready.keys();
    if (warm !== undefined) {
      this.#leave(warm);
      this.#options.stats.count('upstreamWarmed');
      process.nextTick(begin, warm, done);
      this.#refillSoon();
      return;
    }
    this.#options.dialer.dial((result) => this.#begin(result, done));
  }

  /** Uses a connection of one of these protocols that somebody else dialled. */
  adopt(dialled: Dialled, done: (result: DialResult) => void): void {
    this.#count();
    this.#begin(dialled, done);
  }

  /** Ends those that are ready; who asks later is served, without. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#refilling);
    this.#options.deadlines.delete(this);
    for (const warm of [...this.#ready.keys()]) this.#drop(warm);
  }

  onDeadline(): void {
    const nowMs = performance.now();
    this.#turnWindow(nowMs);
    // Long before the other side loses patience.
    for (const [warm, { sinceMs }] of this.#ready) if (nowMs - sinceMs > WINDOW_MS) this.#drop(warm);
    for (const warm of [...this.#ready.keys()].slice(this.#wanted)) this.#drop(warm);
    if (this.#opened + this.#openedBefore > 0) {
      this.#refill();
      return;
    }
    this.close();
    this.#options.onEmpty();
  }

  #begin(result: DialResult, done: (result: DialResult) => void): void {
    begin(result, done);
    if (result.ok && result.protocol === ALPN.tcpAhead) this.#refillSoon();
  }

  get #wanted(): number {
    const opened = this.#opened + this.#openedBefore;
    if (this.#isClosed || opened < 2) return 0;
    return Math.min(this.#options.max, 1 + Math.floor((opened * 1_000) / WINDOW_MS / RATE_EACH));
  }

  #count(): void {
    const nowMs = performance.now();
    if (nowMs >= this.#windowEndsMs) this.#turnWindow(nowMs);
    this.#opened++;
  }

  #turnWindow(nowMs: number): void {
    this.#openedBefore = nowMs < this.#windowEndsMs + WINDOW_MS ? this.#opened : 0;
    this.#opened = 0;
    this.#windowEndsMs = nowMs + WINDOW_MS;
    this.deadlineMs = this.#windowEndsMs;
  }

  /** In a while: a handshake now would be in the way of those who wait. */
  #refillSoon(): void {
    this.#refilling ??= setTimeout(() => {
      this.#refilling = undefined;
      this.#refill();
    }, PAUSE_MS).unref();
  }

  #refill(): void {
    while (this.#ready.size + this.#dialling < this.#wanted) {
      this.#dialling++;
      this.#options.dialer.dial((result) => {
        this.#dialling--;
        if (result.ok) this.#keep(result);
      });
    }
  }

  #keep(warm: Dialled): void {
    const { socket } = warm;
    const drop = (): void => this.#drop(warm);
    this.#ready.set(warm, { sinceMs: performance.now(), drop });
    socket.on('data', drop); // nobody may speak before us
    socket.on('end', drop);
    socket.on('error', drop);
    socket.on('close', drop);
    if (this.#isClosed || warm.protocol !== ALPN.tcpAhead) drop();
  }

  #leave(warm: Dialled): void {
    const { drop } = this.#ready.get(warm)!;
    this.#ready.delete(warm);
    for (const event of ['data', 'end', 'error', 'close']) warm.socket.off(event, drop);
    warm.socket.pause();
  }

  #drop(warm: Dialled): void {
    if (!this.#ready.has(warm)) return;
    this.#leave(warm);
    warm.socket.on('error', ignore);
    warm.socket.destroy();
  }
}

function begin(result: DialResult, done: (result: DialResult) => void): void {
  if (result.ok && result.protocol === ALPN.tcpAhead) result.socket.write(BEGIN);
  done(result);
}

function ignore(): void {}
