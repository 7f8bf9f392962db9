/**
 * Connections with many streams to one endpoint under one identity: tunnels to another agent, HTTP/2 to an application.
 * Usually there is one, and a stream of it is to be had at once; another is dialled when those there are have no room. An
 * agent that does not speak `weft/1` is served by a pool of HTTP/1.1 connections instead, until that pool has been empty.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { Balanced } from '../balancer/balanced.ts';
import type { HttpConfig, UpstreamConfig } from '../config.ts';
import type { Deadlines, Timed } from '../deadlines.ts';
import type { StreamPool, UpstreamStream, Waiter } from '../http/streams.ts';
import type { ReasonCode } from '../reasons.ts';
import type { CarrierOwner, Session } from '../streams/carrier.ts';
import { ClientSession, type ClientSessionOwner } from '../streams/client-session.ts';
import type { Backoff } from './backoff.ts';
import type { Dialer, DialResult } from './dial.ts';

/** A connection that stands. */
export type Dialled = Extract<DialResult, { ok: true }>;

export interface SessionPoolOptions {
  readonly endpoint: Balanced;
  readonly dialer: Dialer;
  /** Makes the session of a connection that was dialled; undefined where the other side speaks HTTP/1.1 only. */
  readonly connect: (dialled: Dialled) => ((owner: CarrierOwner) => Session) | undefined;
  readonly config: UpstreamConfig;
  readonly http: HttpConfig;
  readonly deadlines: Deadlines;
  /** Spares an endpoint that cannot be reached; left out where dialling costs next to nothing. */
  readonly backoff?: Backoff;
  /** Where requests go to an agent that speaks HTTP/1.1 only; needed where `connect` may find one. */
  readonly older?: (onEmpty: () => void) => OlderPool;
  /** Called when nothing is left in it: nobody waits, nothing is open. It may be filled again afterwards. */
  readonly onEmpty: (pool: SessionPool) => void;
}

/** A pool for agents without tunnels. */
export interface OlderPool extends StreamPool {
  close(): void;
  destroy(): void;
}

export class SessionPool implements StreamPool, ClientSessionOwner, Timed {
  readonly endpoint: Balanced;
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #options: SessionPoolOptions;
  readonly #sessions: ClientSession[] = [];
  /** Those that take no more streams but have some open. */
  readonly #leaving = new Set<ClientSession>();
  /** Who waits, in order, and since when. */
  readonly #waiting = new Map<Waiter, number>();
  #older: OlderPool | undefined;
  #isDialling = false;
  #isClosed = false;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    this.endpoint = options.endpoint;
  }

  take(): UpstreamStream | undefined {
    if (this.#older !== undefined) return this.#older.take();
    for (const session of this.#sessions) {
      const stream = session.take();
      if (stream !== undefined) return stream;
    }
    return undefined;
  }

  wait(waiter: Waiter): boolean {
    if (this.#older !== undefined) return this.#older.wait(waiter);
    const { config, deadlines, backoff } = this.#options;
    if (this.#waiting.size >= config.maxPending) return false;
    const nowMs = performance.now();
    const refusal = backoff?.refusal(nowMs);
    if (refusal !== undefined && this.#sessions.length === 0) {
      waiter.acquireFailed(refusal.reason, refusal.detail);
      return true;
    }
    deadlines.add(this);
    if (this.#waiting.size === 0) this.#expireBy(nowMs + config.pendingTimeoutMs);
    this.#waiting.set(waiter, nowMs);
    this.#dial();
    return true;
  }

  cancel(waiter: Waiter): void {
    this.#waiting.delete(waiter);
    this.#older?.cancel(waiter);
  }

  dropIdle(): void {
    // A tunnel that was found dead is gone already, and the others are watched by pings.
    this.#older?.dropIdle();
  }

  /** Lets what is open end. */
  close(): void {
    this.#isClosed = true;
    for (const session of this.#sessions.splice(0)) this.#retire(session);
    this.#older?.close();
    this.#checkEmpty();
  }

  /** Closes everything now. */
  destroy(): void {
    this.#isClosed = true;
    for (const session of [...this.#sessions, ...this.#leaving]) session.destroy();
    this.#older?.destroy();
    this.#checkEmpty();
  }

  released(): void {
    this.#options.backoff?.succeeded();
    while (this.#waiting.size > 0) {
      const stream = this.take();
      if (stream === undefined) {
        this.#dial();
        return;
      }
      const [waiter] = this.#waiting.keys();
      this.#waiting.delete(waiter!);
      waiter!.acquired(stream);
    }
  }

  leaving(session: ClientSession): void {
    const at = this.#sessions.indexOf(session);
    if (at !== -1) this.#sessions.splice(at, 1);
    if (session.size > 0) this.#leaving.add(session);
  }

  gone(session: ClientSession): void {
    const at = this.#sessions.indexOf(session);
    if (at !== -1) this.#sessions.splice(at, 1);
    this.#leaving.delete(session);
    // What closes before it has said anything would do so again, thousands of times a second. It is how a refusal looks: TLS
    // 1.3 tells who dialled that all is well before the other side has judged.
    if (!session.isGreeted) this.#failAll('upstream-closed', 'it closed before it said what it allows');
    if (this.#waiting.size > 0) this.#dial();
    this.#checkEmpty();
  }

  onDeadline(): void {
    this.deadlineMs = Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    const { pendingTimeoutMs } = this.#options.config;
    for (const [waiter, sinceMs] of this.#waiting) {
      if (sinceMs + pendingTimeoutMs > nowMs) {
        this.#expireBy(sinceMs + pendingTimeoutMs);
        break;
      }
      this.#waiting.delete(waiter);
      waiter.acquireFailed('pending-timeout', '');
    }
    if (this.#waiting.size > 0) this.#dial();
    this.#checkEmpty();
  }

  #expireBy(instantMs: number): void {
    if (instantMs < this.deadlineMs) this.deadlineMs = instantMs;
  }

  /** All who wait would dial the same address: they are told at once, and try another endpoint. */
  #failAll(reason: ReasonCode, detail: string): void {
    this.#options.backoff?.failed(performance.now(), { reason, detail });
    for (const waiter of [...this.#waiting.keys()]) {
      this.#waiting.delete(waiter);
      waiter.acquireFailed(reason, detail);
    }
  }

  #retire(session: ClientSession): void {
    this.#leaving.add(session);
    session.drain();
  }

  #dial(): void {
    const { dialer, config, backoff } = this.#options;
    if (this.#isDialling || this.#sessions.length >= config.maxTunnels) return;
    if (this.#sessions.some(({ isGreeted }) => !isGreeted)) return; // there will be room in a moment
    if (backoff?.refusal(performance.now()) !== undefined) {
      this.#expireBy(backoff.untilMs);
      return;
    }
    this.#isDialling = true;
    dialer.dial((result) => {
      this.#isDialling = false;
      if (!result.ok) this.#failAll(result.reason, result.detail);
      else this.#connected(result);
      this.#checkEmpty();
    });
  }

  #connected(dialled: Dialled): void {
    const { connect, http } = this.#options;
    const make = connect(dialled);
    if (make === undefined) {
      dialled.socket.destroySoon();
      this.#becomeOlder();
      return;
    }
    const opened = new ClientSession(make, http, this);
    if (this.#isClosed) this.#retire(opened);
    else this.#sessions.push(opened); // streams are handed out once the other side has said what it allows
  }

  /** The agent there is of a release without tunnels. */
  #becomeOlder(): void {
    const older = this.#options.older?.(() => {
      if (this.#older === older) this.#older = undefined; // the next dial asks again
      this.#checkEmpty();
    });
    if (older === undefined) return;
    this.#older = older;
    for (const waiter of [...this.#waiting.keys()]) {
      this.#waiting.delete(waiter);
      const stream = older.take();
      if (stream !== undefined) waiter.acquired(stream);
      else if (!older.wait(waiter)) waiter.acquireFailed('upstream-overflow', '');
    }
  }

  #checkEmpty(): void {
    if (this.#sessions.length + this.#leaving.size + this.#waiting.size > 0) return;
    if (this.#isDialling || this.#older !== undefined) return;
    const forgottenAtMs = this.#options.backoff?.forgottenAtMs ?? Number.NEGATIVE_INFINITY;
    if (!this.#isClosed && performance.now() < forgottenAtMs) {
      this.deadlineMs = forgottenAtMs;
      return;
    }
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#options.deadlines.delete(this);
    this.#options.onEmpty(this);
  }
}
