/** Connections to an application of this node, kept for each of its callers. @module */

import type { Http2Config } from '../config.ts';
import type { HttpContext } from '../http/exchange.ts';
import type { StreamPool } from '../http/streams.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { Sockets } from '../sockets.ts';
import type { Dialer } from './dial.ts';
import { IdleLimit } from './idle-limit.ts';
import { type AppWatch, type LocalTarget, tellUnreachable } from './local-target.ts';
import { Http1Pool, type PoolOptions } from './pool.ts';
import { SessionPool } from './session-pool.ts';

export interface LocalPoolContext extends HttpContext, AppWatch {
  readonly http2: Http2Config;
  readonly sockets: Sockets;
}

/** A caller of an application, as far as its connections must not be used for another. */
export interface PooledCaller {
  readonly key: string;
  dialer(): Dialer;
}

/** The connections of one caller to one application, in the protocol that it speaks. */
export function localPool(target: LocalTarget, caller: PooledCaller, context: LocalPoolContext): StreamPool {
  if (target.protocol === 'http2') return target.sessions.get(caller.key) ?? addSessions(target, caller, context);
  return target.pools.get(caller.key) ?? addConnections(target, caller, context);
}

function addConnections(target: LocalTarget, caller: PooledCaller, context: LocalPoolContext): Http1Pool {
  const { upstream: config, http, sockets, stats, deadlines } = context;
  target.idle ??= new IdleLimit(config.localIdleMs);
  const { idle } = target;
  // A server that stops says nothing but this; one that ends idle connections in time is found to be there.
  const onIdleClosed = (): void => tellUnreachable(target, context);
  const options = {
    endpoint: target,
    dialer: caller.dialer(),
    config,
    http,
    sockets,
    idle,
    stats,
    deadlines,
    onIdleClosed,
  };
  return addPool(target.pools, caller.key, options);
}

function addSessions(target: LocalTarget, caller: PooledCaller, context: LocalPoolContext): SessionPool {
  const { key } = caller;
  const { upstream: config, http, http2, deadlines } = context;
  const idleTimeoutMs = config.localIdleMs;
  const pool = new SessionPool({
    endpoint: target,
    dialer: caller.dialer(),
    connect:
      ({ socket, transport }) =>
      (owner) =>
        new Http2Connection({ socket, transport, isClient: true, http, http2, idleTimeoutMs, deadlines, owner }),
    config,
    http,
    deadlines,
    onEmpty: (empty) => {
      if (target.sessions.get(key) === empty) target.sessions.delete(key);
    },
  });
  target.sessions.set(key, pool);
  return pool;
}

/** Adds a pool that leaves the map when it is empty. */
export function addPool(pools: Map<string, Http1Pool>, key: string, options: Omit<PoolOptions, 'onEmpty'>): Http1Pool {
  const onEmpty = (empty: Http1Pool): void => {
    if (pools.get(key) === empty) pools.delete(key);
  };
  const pool = new Http1Pool({ ...options, onEmpty });
  pools.set(key, pool);
  return pool;
}
