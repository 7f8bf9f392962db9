/** The three ways a request can go: to some endpoint of a service, to one endpoint, to an application of this node. @module */

import type { CertificateMemory } from '../../certs/memory.ts';
import { type Balanced, pickOther, pickP2C } from '../balancer/p2c.ts';
import type { Http2Config, TunnelConfig } from '../config.ts';
import type { HttpContext } from '../http/exchange.ts';
import type { RequestGuard, Route } from '../http/route.ts';
import type { StreamPool } from '../http/streams.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { SharedReader } from '../listeners/shared-reader.ts';
import type { ReasonCode } from '../reasons.ts';
import type { MeshSessions } from '../sessions.ts';
import { ALPN } from '../snapshot.ts';
import type { Sockets } from '../sockets.ts';
import { TunnelConnection } from '../tunnel/connection.ts';
import type { Workload, World } from '../world.ts';
import type { Cluster, UpstreamEndpoint } from './cluster.ts';
import { type Dialer, dialMesh, dialTcp, type MeshDestination, type MeshDialContext } from './dial.ts';
import type { LocalTarget } from './local-target.ts';
import { Http1Pool, type PoolOptions } from './pool.ts';
import { SessionPool } from './session-pool.ts';

/** What routes share within a worker. */
export interface RouteContext extends HttpContext {
  readonly world: World;
  readonly sockets: Sockets;
  readonly reader: SharedReader;
  readonly memory: CertificateMemory;
  readonly sessions: MeshSessions;
  readonly random: () => number;
  readonly tunnel: TunnelConfig;
  readonly http2: Http2Config;
}

/** How to reach an endpoint in the name of a local workload. */
export function meshDestination(
  workload: Workload,
  endpoint: UpstreamEndpoint,
  alpn: MeshDestination['alpn'],
  world: World,
): MeshDestination {
  return {
    unit: workload.data.unit,
    endpoint: endpoint.data,
    alpn,
    credentials: () => ({
      secureContext: workload.secureContext,
      trust: world.trust,
      revocations: world.revocations,
    }),
  };
}

/** The endpoint to try next for a connection or request to a service. */
export function pickEndpoint(
  cluster: Cluster,
  tried: readonly Balanced[],
  random: () => number,
): UpstreamEndpoint | undefined {
  return tried.length === 0 ? pickP2C(cluster.ready, random) : pickOther(cluster.ready, tried, random);
}

export class ServiceRoute implements Route {
  readonly row: number;
  readonly authority: string;
  readonly isLocal = false;
  readonly guard = undefined;
  readonly #cluster: Cluster;
  readonly #workload: Workload;
  readonly #context: RouteContext;

  constructor(cluster: Cluster, workload: Workload, row: number, context: RouteContext) {
    this.row = row;
    this.authority = authorityOf(cluster.service, cluster.port);
    this.#cluster = cluster;
    this.#workload = workload;
    this.#context = context;
  }

  pick(tried: readonly Balanced[], isUpgrade: boolean): StreamPool | ReasonCode {
    const endpoint = pickEndpoint(this.#cluster, tried, this.#context.random);
    if (endpoint === undefined) return 'no-endpoint';
    return poolOf(endpoint, this.#workload, this.#context, isUpgrade);
  }
}

export class EndpointRoute implements Route {
  readonly row: number;
  readonly authority: string;
  readonly isLocal = false;
  readonly guard = undefined;
  readonly #endpoint: UpstreamEndpoint;
  readonly #workload: Workload;
  readonly #context: RouteContext;

  constructor(endpoint: UpstreamEndpoint, workload: Workload, row: number, context: RouteContext) {
    const { namespace, service, port } = endpoint.data;
    this.row = row;
    this.authority = authorityOf(`${namespace}/${service}`, port);
    this.#endpoint = endpoint;
    this.#workload = workload;
    this.#context = context;
  }

  pick(tried: readonly Balanced[], isUpgrade: boolean): StreamPool | ReasonCode {
    if (tried.length > 0) return 'no-endpoint';
    return poolOf(this.#endpoint, this.#workload, this.#context, isUpgrade);
  }
}

export class LocalRoute implements Route {
  readonly row: number;
  readonly authority: string;
  readonly isLocal = true;
  readonly guard: RequestGuard;
  readonly #target: LocalTarget;
  readonly #source: string;
  readonly #context: RouteContext;

  /** @param source SPIFFE id of the caller, or its address for plaintext */
  constructor(target: LocalTarget, source: string, guard: RequestGuard, row: number, context: RouteContext) {
    this.row = row;
    this.authority = target.authority;
    this.guard = guard;
    this.#target = target;
    this.#source = source;
    this.#context = context;
  }

  pick(tried: readonly Balanced[]): StreamPool | ReasonCode {
    if (this.#target.isRetired) return 'workload-gone';
    if (tried.length > 0) return 'no-endpoint';
    return this.#target.protocol === 'http2' ? this.#sessions() : this.#connections();
  }

  #connections(): Http1Pool {
    const target = this.#target;
    const known = target.pools.get(this.#source);
    if (known !== undefined) return known;
    const { upstream: config, http, stats, deadlines } = this.#context;
    const idleMs = config.localIdleMs;
    const options = { endpoint: target, dialer: this.#dialer(), config, http, idleMs, stats, deadlines };
    return addPool(target.pools, this.#source, options);
  }

  #sessions(): SessionPool {
    const target = this.#target;
    const known = target.sessions.get(this.#source);
    if (known !== undefined) return known;
    const { upstream: config, http, http2, deadlines } = this.#context;
    const idleTimeoutMs = config.localIdleMs;
    const pool = new SessionPool({
      endpoint: target,
      dialer: this.#dialer(),
      connect:
        ({ socket, transport }) =>
        (owner) =>
          new Http2Connection({ socket, transport, isClient: true, http, http2, idleTimeoutMs, deadlines, owner }),
      config,
      http,
      deadlines,
      onEmpty: (empty) => {
        if (target.sessions.get(this.#source) === empty) target.sessions.delete(this.#source);
      },
    });
    target.sessions.set(this.#source, pool);
    return pool;
  }

  #dialer(): Dialer {
    const { unit, address, port } = this.#target;
    const context = dialContext(this.#context);
    return { dial: (done) => dialTcp({ unit, address, port, failure: 'app-unreachable' }, context, done) };
  }
}

/** Requests share tunnels; what may turn into bytes gets a connection of its own. */
function poolOf(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext, isUpgrade: boolean): StreamPool {
  const { id } = workload.data;
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
    older: (onEmpty) => new Http1Pool({ ...http1Options(endpoint, workload, context), onEmpty }),
    onEmpty: (empty) => {
      if (endpoint.tunnels.get(id) === empty) endpoint.tunnels.delete(id);
    },
  });
  endpoint.tunnels.set(id, pool);
  return pool;
}

type Http1Options = Omit<PoolOptions, 'onEmpty'>;

function http1Options(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Http1Options {
  const { upstream: config, http, stats, deadlines } = context;
  const dialer = meshDialer(endpoint, workload, [ALPN.http1], context);
  return { endpoint, dialer, config, http, idleMs: config.meshIdleMs, stats, deadlines };
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

/** The part of the context that dialling needs. */
export function dialContext(context: RouteContext): MeshDialContext {
  const { sockets, reader, upstream: config, stats, memory, sessions } = context;
  return { sockets, reader, config, stats, memory, sessions };
}

function addPool(pools: Map<string, Http1Pool>, key: string, options: Http1Options): Http1Pool {
  const onEmpty = (empty: Http1Pool): void => {
    if (pools.get(key) === empty) pools.delete(key);
  };
  const pool = new Http1Pool({ ...options, onEmpty });
  pools.set(key, pool);
  return pool;
}

function authorityOf(service: string, port: number): string {
  const [namespace, name] = service.split('/');
  return `${name}.${namespace}.weft:${port}`;
}
