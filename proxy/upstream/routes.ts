/** Connections in the name of a workload to an endpoint, and the way of requests that arrive to an application of this node. @module */

import type { Balanced } from '../balancer/balanced.ts';
import { DirectPlan } from '../http/direct-plan.ts';
import type { Plan } from '../http/plan.ts';
import type { Admission, RequestGuard } from '../http/request-guard.ts';
import type { Route } from '../http/route.ts';
import type { StreamPool } from '../http/streams.ts';
import { Http2Connection } from '../http2/connection.ts';
import { connectionKey, forwardedLines } from '../inbound/app-connection.ts';
import type { Call } from '../inbound/call.ts';
import { dialApp } from '../inbound/dial-app.ts';
import type { LocalCalls } from '../local/local-calls.ts';
import type { ReasonCode } from '../reasons.ts';
import { ALPN } from '../snapshot.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import { CallAdmission } from '../traffic/admission.ts';
import { TunnelConnection } from '../tunnel/connection.ts';
import type { Workload } from '../workload.ts';
import { Backoff } from './backoff.ts';
import { hboneDialer, upgradeDialer } from './byte-dialers.ts';
import type { UpstreamEndpoint } from './cluster.ts';
import type { RouteContext } from './context.ts';
import type { Dialer } from './dial.ts';
import { IdleLimit } from './idle-limit.ts';
import { addPool, localPool } from './local-pools.ts';
import { meshDialer } from './mesh-dialer.ts';
import { Http1Pool, type PoolOptions } from './pool.ts';
import { SessionPool } from './session-pool.ts';

/** Who opened a downstream connection. */
export interface Caller {
  readonly workload: Workload;
  /** Its calls to workloads of this node. */
  readonly local: LocalCalls;
}

export class LocalRoute extends DirectPlan implements Route {
  readonly row: number;
  readonly requests: RequestRows;
  readonly authority: string;
  readonly isLocal = true;
  readonly guard: RequestGuard;
  readonly admission: Admission;
  readonly lines: string;
  readonly original = undefined;
  /** Of its connections to the application. */
  readonly key: string;
  readonly #call: Call;
  readonly #context: RouteContext;

  constructor(call: Call, guard: RequestGuard, requests: RequestRows, context: RouteContext) {
    super();
    this.row = requests.connections;
    this.requests = requests;
    this.authority = call.target.authority;
    this.guard = guard;
    this.admission = new CallAdmission(call, context);
    this.lines = forwardedLines(call, context);
    this.key = connectionKey(call.identity, call, context);
    this.#call = call;
    this.#context = context;
  }

  plan(): Plan {
    return this;
  }

  pick(tried: readonly Balanced[]): StreamPool | ReasonCode {
    if (this.#call.target.isRetired) return 'workload-gone';
    if (tried.length > 0) return 'no-endpoint';
    return localPool(this.#call.target, this, this.#context);
  }

  dialer(): Dialer {
    return { dial: (done) => dialApp(this.#call, this.#context, done) };
  }
}

/** To a workload of this node in memory, to others by tunnels; what may turn into bytes by streams of bytes. */
export function poolOf(
  endpoint: UpstreamEndpoint,
  { workload, local }: Caller,
  context: RouteContext,
  isUpgrade: boolean,
): StreamPool {
  if (endpoint.local !== undefined) return local.streams(endpoint, endpoint.local);
  const { id } = workload.data;
  if (endpoint.speaksHbone) return hboneStreams(endpoint, workload, context, isUpgrade);
  if (isUpgrade) {
    const options = {
      ...http1Options(endpoint, workload, context),
      dialer: upgradeDialer(endpoint, workload, context),
    };
    return endpoint.pools.get(id) ?? addPool(endpoint.pools, id, options);
  }
  return endpoint.tunnels.get(id) ?? addTunnels(endpoint, workload, context);
}

function addTunnels(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): SessionPool {
  const { id } = workload.data;
  const { upstream: config, http, tunnel, deadlines } = context;
  const idleTimeoutMs = config.meshIdleMs;
  const pool = new SessionPool({
    endpoint,
    dialer: meshDialer(endpoint, workload, [ALPN.tunnel, ALPN.http1], context),
    connect: ({ socket, transport, protocol }) =>
      protocol === ALPN.tunnel
        ? (owner) =>
            new TunnelConnection({ socket, transport, isDialler: true, http, tunnel, idleTimeoutMs, deadlines, owner })
        : undefined,
    config,
    http,
    deadlines,
    backoff: backoffOf(context),
    older: (onEmpty) => new Http1Pool({ ...http1Options(endpoint, workload, context), onEmpty }),
    onEmpty: (empty) => {
      if (endpoint.tunnels.get(id) === empty) endpoint.tunnels.delete(id);
    },
  });
  endpoint.tunnels.set(id, pool);
  return pool;
}

/** Connections of their own through the ways of another mesh, in the protocol that the application speaks. */
function hboneStreams(
  endpoint: UpstreamEndpoint,
  workload: Workload,
  context: RouteContext,
  isUpgrade: boolean,
): StreamPool {
  const { id } = workload.data;
  const dialer = hboneDialer(endpoint, workload, context);
  if (endpoint.data.protocol !== 'http2' || isUpgrade) {
    const options = { ...http1Options(endpoint, workload, context), dialer };
    return endpoint.pools.get(id) ?? addPool(endpoint.pools, id, options);
  }
  const { upstream: config, http, http2, deadlines } = context;
  const idleTimeoutMs = config.meshIdleMs;
  const known = endpoint.tunnels.get(id);
  if (known !== undefined) return known;
  const pool = new SessionPool({
    endpoint,
    dialer,
    connect:
      ({ socket, transport }) =>
      (owner) =>
        new Http2Connection({ socket, transport, isClient: true, http, http2, idleTimeoutMs, deadlines, owner }),
    config,
    http,
    deadlines,
    backoff: backoffOf(context),
    onEmpty: (empty) => {
      if (endpoint.tunnels.get(id) === empty) endpoint.tunnels.delete(id);
    },
  });
  endpoint.tunnels.set(id, pool);
  return pool;
}

type Http1Options = Omit<PoolOptions, 'onEmpty'>;

function http1Options(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Http1Options {
  const { upstream: config, http, sockets, stats, deadlines } = context;
  const dialer = meshDialer(endpoint, workload, [ALPN.http1], context);
  const backoff = backoffOf(context);
  const idle = new IdleLimit(config.meshIdleMs);
  return { endpoint, dialer, config, http, sockets, idle, stats, deadlines, backoff };
}

function backoffOf({ upstream: { retryMinMs: minMs, retryMaxMs: maxMs }, random }: RouteContext): Backoff {
  return new Backoff({ minMs, maxMs }, random);
}

export function authorityOf(service: string, port: number): string {
  const [namespace, name] = service.split('/');
  return `${name}.${namespace}.weft:${port}`;
}
