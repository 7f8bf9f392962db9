/**
 * Connections for bytes in the name of a workload: streams of a tunnel to the agent of an endpoint, streams of CONNECT into another
 * mesh, and connections of their own to agents that have no streams.
 * @module
 */

import { Http2Connection } from '../http2/connection.ts';
import { ALPN, type Alpn } from '../snapshot.ts';
import { BYTES, type Bytes, OPEN, reasonIn } from '../tunnel/byte-streams.ts';
import { TunnelConnection } from '../tunnel/connection.ts';
import type { Workload } from '../workload.ts';
import { type Answered, BytePool, type SingleConnections } from './byte-pool.ts';
import type { UpstreamEndpoint } from './cluster.ts';
import type { RouteContext } from './context.ts';
import type { Dialer } from './dial.ts';
import { meshDialer } from './mesh-dialer.ts';
import { TCP_PROTOCOLS, WarmConnections } from './warm-connections.ts';

/** Connects for opaque bytes. */
export function bytesDialer(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Dialer {
  const warm = (): WarmConnections => warmConnections(endpoint, workload, context);
  if (context.tcp.maxTunnels === 0) return warm();
  const single: SingleConnections = {
    dial: (done) => warm().dial(done),
    adopt: (dialled, done) => warm().adopt(dialled, done),
  };
  return tunnelDialer(endpoint, workload, context, { kind: BYTES.opaque, alpn: TCP_PROTOCOLS, single });
}

/** Connects for requests of HTTP/1.1 that may turn into bytes. */
export function upgradeDialer(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Dialer {
  const own = meshDialer(endpoint, workload, [ALPN.http1], context);
  if (context.tcp.maxTunnels === 0) return own;
  const single: SingleConnections = { dial: (done) => own.dial(done), adopt: (dialled, done) => done(dialled) };
  return tunnelDialer(endpoint, workload, context, { kind: BYTES.http1, alpn: [ALPN.http1], single });
}

/** Connects to the application of an endpoint that speaks HBONE. */
export function hboneDialer(endpoint: UpstreamEndpoint, workload: Workload, context: RouteContext): Dialer {
  const { upstream: config, http, http2, deadlines } = context;
  const idleTimeoutMs = config.meshIdleMs;
  const { address, port } = endpoint.data;
  const authority = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  return pooled(endpoint, `${workload.data.id} hbone`, (onEmpty) => {
    return new BytePool<Http2Connection>({
      dialer: meshDialer(endpoint, workload, [ALPN.http2], context),
      connect:
        ({ socket, transport }) =>
        (owner) =>
          new Http2Connection({ socket, transport, isClient: true, http, http2, idleTimeoutMs, deadlines, owner }),
      ask: ({ writer }, stream) => writer.connect(stream, authority),
      answerOf: connectAnswer,
      max: config.maxTunnels,
      config,
      onEmpty,
    });
  });
}

/** @param head `HTTP/1.1 NNN `, as the connection writes it */
function connectAnswer(head: string): Answered | undefined {
  const status = Number(head.slice(9, 12));
  if (status < 200) return undefined;
  if (status < 300) return 'open';
  const isDenied = status === 401 || status === 403;
  return { reason: isDenied ? 'access-denied' : 'tunnel-refused', detail: `CONNECT was answered ${status}` };
}

interface TunnelledBytes {
  readonly kind: Bytes;
  /** For agents without streams, best first. */
  readonly alpn: readonly Alpn[];
  readonly single: SingleConnections;
}

function tunnelDialer(
  endpoint: UpstreamEndpoint,
  workload: Workload,
  context: RouteContext,
  { kind, alpn, single }: TunnelledBytes,
): Dialer {
  const { upstream: config, http, tcp, tunnel, deadlines } = context;
  const options = { isDialler: true, http, tunnel, idleTimeoutMs: config.meshIdleMs, deadlines };
  const head = String.fromCharCode(kind);
  return pooled(endpoint, `${workload.data.id} ${kind}`, (onEmpty) => {
    return new BytePool<TunnelConnection>({
      dialer: meshDialer(endpoint, workload, [ALPN.tcpStreams, ...alpn], context),
      connect: ({ socket, transport, protocol }) => {
        if (protocol !== ALPN.tcpStreams) return undefined;
        return (owner) => new TunnelConnection({ ...options, socket, transport, owner });
      },
      ask: ({ writer }, stream) => writer.headText(stream, head),
      answerOf: (text) => (text === OPEN ? 'open' : { reason: reasonIn(text), detail: 'its agent said so' }),
      max: tcp.maxTunnels,
      single,
      config,
      onEmpty,
    });
  });
}

type Ways = Dialer & { close(): void };

/** Dials by the pool that the endpoint has for `key` when it is dialled; an empty one leaves it. */
function pooled(endpoint: UpstreamEndpoint, key: string, make: (onEmpty: (empty: Ways) => void) => Ways): Dialer {
  const add = (): Ways => {
    const pool = make((empty) => {
      if (endpoint.ways.get(key) === empty) endpoint.ways.delete(key);
    });
    endpoint.ways.set(key, pool);
    return pool;
  };
  return { dial: (done) => (endpoint.ways.get(key) ?? add()).dial(done) };
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
