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
import { BYTES, OPEN, reasonIn } from '../tunnel/byte-streams.ts';
import { TunnelConnection } from '../tunnel/connection.ts';
import type { Workload } from '../workload.ts';
import type { World } from '../world.ts';
import { Backoff } from './backoff.ts';
import { type Answered, BytePool } from './byte-pool.ts';
import type { UpstreamEndpoint } from './cluster.ts';
import { dialContext, type RouteContext } from './context.ts';
import { type Dialer, dialMesh, type MeshDestination } from './dial.ts';
import { IdleLimit } from './idle-limit.ts';
import { addPool, localPool } from './local-pools.ts';
import { Http1Pool, type PoolOptions } from './pool.ts';
import { SessionPool } from './session-pool.ts';
import { TCP_PROTOCOLS, WarmConnections } from './warm-connections.ts';

/** How to reach an endpoint in the name of a local workload. */
function meshDestination(
  workload: Workload,
  endpoint: UpstreamEndpoint,
  alpn: MeshDestination['alpn'],
  world: World,
): MeshDestination {
  return {
    unit: workload.data.unit,
    endpoint: endpoint.data,
    alpn,
    connectTimeoutMs: () => world.connectTimeoutMs(workload, endpoint),
    credentials: () => ({
      secureContext: workload.secureContext,
      trust: world.trust,
      revocations: world.revocations,
    }),
  };
}

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

/** To a workload of this node in memory, to others by tunnels; what may turn into bytes gets a connection of its own. */
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
    return endpoint.pools.get(id) ?? addPool(endpoint.pools, id, http1Options(endpoint, workload, context));
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

/** Opens connections to the application of an endpoint that speaks HBONE, all on those of this workload to its proxy. */
export function hboneDialer(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Dialer {
  const { id } = workload.data;
  return { dial: (done) => (endpoint.ways.get(id) ?? addHboneWays(endpoint, workload, context)).dial(done) };
}

function addHboneWays(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Dialer {
  const { upstream: config, http, http2, deadlines } = context;
  const idleTimeoutMs = config.meshIdleMs;
  const { address, port } = endpoint.data;
  const authority = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const pool = new BytePool<Http2Connection>({
    dialer: meshDialer(endpoint, workload, [ALPN.http2], context),
    connect:
      ({ socket, transport }) =>
      (owner) =>
        new Http2Connection({ socket, transport, isClient: true, http, http2, idleTimeoutMs, deadlines, owner }),
    ask: ({ writer }, stream) => writer.connect(stream, authority),
    answerOf: connectAnswer,
    max: config.maxTunnels,
    config,
    onEmpty: forgetWays(endpoint, workload),
  });
  endpoint.ways.set(workload.data.id, pool);
  return pool;
}

/** @param head `HTTP/1.1 NNN `, as the connection writes it */
function connectAnswer(head: string): Answered | undefined {
  const status = Number(head.slice(9, 12));
  if (status < 200) return undefined;
  if (status < 300) return 'open';
  const isDenied = status === 401 || status === 403;
  return { reason: isDenied ? 'access-denied' : 'tunnel-refused', detail: `CONNECT was answered ${status}` };
}

function forgetWays(endpoint: UpstreamEndpoint, { data: { id } }: Workload): (empty: Dialer) => void {
  return (empty) => {
    if (endpoint.ways.get(id) === empty) endpoint.ways.delete(id);
  };
}

type Http1Options = Omit<PoolOptions, 'onEmpty'>;

function http1Options(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Http1Options {
  const { upstream: config, http, stats, deadlines } = context;
  const dialer = meshDialer(endpoint, workload, [ALPN.http1], context);
  const backoff = backoffOf(context);
  return { endpoint, dialer, config, http, idle: new IdleLimit(config.meshIdleMs), stats, deadlines, backoff };
}

function backoffOf({ upstream: { retryMinMs: minMs, retryMaxMs: maxMs }, random }: RouteContext): Backoff {
  return new Backoff({ minMs, maxMs }, random);
}

/** Connects for opaque bytes: by a stream of a tunnel, or by a connection of its own where streams are not to be had. */
export function bytesDialer(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Dialer {
  if (context.tcp.maxTunnels === 0) return warmConnections(endpoint, workload, context);
  return endpoint.ways.get(workload.data.id) ?? addTunnelWays(endpoint, workload, context);
}

function addTunnelWays(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Dialer {
  const { upstream: config, http, tcp, tunnel, deadlines } = context;
  const idleTimeoutMs = config.meshIdleMs;
  const opaque = String.fromCharCode(BYTES.opaque);
  const pool = new BytePool<TunnelConnection>({
    dialer: meshDialer(endpoint, workload, [ALPN.tcpStreams, ...TCP_PROTOCOLS], context),
    connect: ({ socket, transport, protocol }) =>
      protocol === ALPN.tcpStreams
        ? (owner) =>
            new TunnelConnection({ socket, transport, isDialler: true, http, tunnel, idleTimeoutMs, deadlines, owner })
        : undefined,
    ask: ({ writer }, stream) => writer.headText(stream, opaque),
    answerOf: (head) => (head === OPEN ? 'open' : { reason: reasonIn(head), detail: 'its agent said so' }),
    max: tcp.maxTunnels,
    single: {
      dial: (done) => warmConnections(endpoint, workload, context).dial(done),
      adopt: (dialled, done) => warmConnections(endpoint, workload, context).adopt(dialled, done),
    },
    config,
    onEmpty: forgetWays(endpoint, workload),
  });
  endpoint.ways.set(workload.data.id, pool);
  return pool;
}

/** Connections of their own, made ahead where they are wanted often. */
function warmConnections(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): WarmConnections {
  const { id } = workload.data;
  const known = endpoint.warm.get(id);
  if (known !== undefined) return known;
  const dialer = meshDialer(endpoint, workload, TCP_PROTOCOLS, context);
  const { stats, deadlines, tcp } = context;
  const onEmpty = (): void => {
    if (endpoint.warm.get(id) === warm) endpoint.warm.delete(id);
  };
  const warm = new WarmConnections({ dialer, max: tcp.maxWarm, stats, deadlines, onEmpty });
  endpoint.warm.set(id, warm);
  return warm;
}

function meshDialer(
  endpoint: UpstreamEndpoint,
  workload: Workload,
  alpn: MeshDestination['alpn'],
  context: RouteContext,
): Dialer {
  const destination = meshDestination(workload, endpoint, alpn, context.world);
  return { dial: (done) => dialMesh(destination, dialContext(context), done) };
}

export function authorityOf(service: string, port: number): string {
  const [namespace, name] = service.split('/');
  return `${name}.${namespace}.weft:${port}`;
}
