/**
 * HTTP/1.1 connections to one endpoint under one identity: the most recently used idle one is taken first, new ones are
 * dialled while there is room, and whoever finds none waits in line, up to a bound and a time. Nobody in line, and no request
 * that must not be sent twice, is given one that the other side has ended as far as the kernel knows.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { Balanced } from '../balancer/balanced.ts';
import type { HttpConfig, UpstreamConfig } from '../config.ts';
import type { Deadlines, Timed } from '../deadlines.ts';
import type { StreamPool, UpstreamStream, Waiter } from '../http/streams.ts';
import { type ClientConnectionOwner, Http1ClientConnection } from '../http1/client-connection.ts';
import type { Sockets } from '../sockets.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import type { Backoff } from './backoff.ts';
import type { Dialer } from './dial.ts';
import type { IdleLimit } from './idle-limit.ts';

export interface PoolOptions {
  readonly endpoint: Balanced;
  readonly dialer: Dialer;
  readonly config: UpstreamConfig;
  readonly http: HttpConfig;
  readonly sockets: Pick<Sockets, 'hasSpoken'>;
  /** How long a connection may be unused; shared by all pools of one server. */
  readonly idle: IdleLimit;
  readonly stats: StatsWriter;
  readonly deadlines: Deadlines;
  /** Spares an endpoint that cannot be reached; left out where dialling costs next to nothing. */
  readonly backoff?: Backoff;
  /** Called when the other side has closed a connection that nobody used. */
  readonly onIdleClosed?: () => void;
  /** Called when nothing is left in it: nobody waits, nothing is open. It may be filled again afterwards. */
  readonly onEmpty: (pool: Http1Pool) => void;
}

export class Http1Pool implements StreamPool, ClientConnectionOwner, Timed {
  readonly endpoint: Balanced;
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly #options: PoolOptions;
  /** Most recently used last. */
  readonly #idle: Http1ClientConnection[] = [];
  readonly #open = new Set<Http1ClientConnection>();
  /** Who waits, in order, and since when. */
  readonly #waiting = new Map<Waiter, number>();
  #dialling = 0;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.endpoint = options.endpoint;
  }

  take(isOnce = false): UpstreamStream | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return undefined;
      if (isOnce ? connection.isAlive(this.#options.sockets) : connection.isUsable) return connection;
      this.#endedIdle(connection);
      connection.close();
    }
  }

  wait(waiter: Waiter): boolean {
    const { config, backoff } = this.#options;
    const nowMs = performance.now();
    const refusal = backoff?.refusal(nowMs);
    if (refusal !== undefined && this.#open.size === 0) {
      waiter.acquireFailed(refusal.reason, refusal.detail);
      return true;
    }
    const isFull = this.#open.size + this.#dialling >= config.maxConnections;
    // Those whose connection is being dialled are not in line behind anybody.
    if (isFull && this.#waiting.size - this.#dialling >= config.maxPending) return false;
    this.#options.deadlines.add(this);
    if (this.#waiting.size === 0) this.#expireBy(nowMs + config.pendingTimeoutMs);
    this.#waiting.set(waiter, nowMs);
    if (!isFull && this.#dialling < this.#waiting.size) this.#dial();
    return true;
  }

  cancel(waiter: Waiter): void {
    this.#waiting.delete(waiter);
  }

  dropIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  /** Closes idle connections now and the others when they are done. */
  close(): void {
    this.#isClosed = true;
    this.dropIdle();
    this.#checkEmpty();
  }

  /** Closes everything now. */
  destroy(): void {
    this.close();
    for (const connection of this.#open) connection.abort();
  }

  released(connection: Http1ClientConnection): void {
    // It may have ended with its last response; then another is dialled as soon as it is gone.
    const isLast = this.#waiting.size > 0 && connection.hasServed && !connection.isAlive(this.#options.sockets);
    if (isLast) {
      connection.close();
      return;
    }
    const next = this.#nextWaiter();
    if (next !== undefined) {
      next.acquired(connection);
      return;
    }
    if (this.#isClosed) {
      connection.close();
      return;
    }
    connection.idleSinceMs = performance.now();
    if (this.#idle.length === 0) this.#expireBy(connection.idleSinceMs + this.#options.idle.ms);
    this.#idle.push(connection);
  }

  gone(connection: Http1ClientConnection, unsolicited: boolean): void {
    if (unsolicited) this.#options.stats.count('upstreamUnsolicited');
    if (!this.#open.delete(connection)) return;
    const at = this.#idle.indexOf(connection);
    if (at !== -1) {
      this.#idle.splice(at, 1);
      this.#endedIdle(connection);
    }
    if (this.#waiting.size > this.#dialling && !this.#isFull()) this.#dial();
    this.#checkEmpty();
  }

  onDeadline(): void {
    const nowMs = performance.now();
    this.deadlineMs = Number.POSITIVE_INFINITY;
    const { idle, config } = this.#options;
    while (this.#idle.length > 0 && this.#idle[0]!.idleSinceMs + idle.ms <= nowMs) this.#idle.shift()!.close();
    if (this.#idle.length > 0) this.#expireBy(this.#idle[0]!.idleSinceMs + idle.ms);
    for (const [waiter, sinceMs] of this.#waiting) {
      if (sinceMs + config.pendingTimeoutMs > nowMs) {
        this.#expireBy(sinceMs + config.pendingTimeoutMs);
        break;
      }
      this.#waiting.delete(waiter);
      waiter.acquireFailed('pending-timeout', '');
    }
    if (this.#waiting.size > this.#dialling && !this.#isFull()) this.#dial();
    this.#checkEmpty();
  }

  #endedIdle({ idleSinceMs }: Http1ClientConnection): void {
    this.#options.idle.sawClosed(performance.now() - idleSinceMs);
    this.#options.onIdleClosed?.();
  }

  #isFull(): boolean {
    return this.#open.size + this.#dialling >= this.#options.config.maxConnections;
  }

  #expireBy(instantMs: number): void {
    if (instantMs < this.deadlineMs) this.deadlineMs = instantMs;
  }

  #nextWaiter(): Waiter | undefined {
    for (const waiter of this.#waiting.keys()) {
      this.#waiting.delete(waiter);
      return waiter;
    }
    return undefined;
  }

  #dial(): void {
    const { backoff } = this.#options;
    if (backoff?.refusal(performance.now()) !== undefined) {
      this.#expireBy(backoff.untilMs);
      return;
    }
    this.#dialling++;
    this.#options.dialer.dial((result) => {
      this.#dialling--;
      if (result.ok) {
        const { socket, transport } = result;
        const connection = new Http1ClientConnection({ socket, transport, http: this.#options.http, owner: this });
        backoff?.succeeded();
        this.#open.add(connection);
        this.released(connection);
      } else {
        backoff?.failed(performance.now(), result);
        // With a pause ahead and nothing that could be given back, nobody need wait for what failed now.
        const isHopeless = backoff !== undefined && this.#open.size + this.#dialling === 0;
        do this.#nextWaiter()?.acquireFailed(result.reason, result.detail);
        while (isHopeless && this.#waiting.size > 0);
      }
      this.#checkEmpty();
    });
  }

  #checkEmpty(): void {
    if (this.#open.size > 0 || this.#dialling > 0 || this.#waiting.size > 0) return;
    const forgottenAtMs = this.#options.backoff?.forgottenAtMs ?? Number.NEGATIVE_INFINITY;
    if (!this.#isClosed && performance.now() < forgottenAtMs) {
      this.#expireBy(forgottenAtMs);
      return;
    }
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#options.deadlines.delete(this);
    this.#options.onEmpty(this);
  }
}
