/**
 * Connections that workloads of this node open: where does it lead, what does it speak, who takes it.
 *
 * The original destination is a virtual address of a service, an address of an endpoint, or neither; the last is passed
 * through untouched. An explicit listener leads to one service whatever the destination was.
 * @module
 */

import type { Socket } from 'node:net';
import type { Balanced } from '../balancer/balanced.ts';
import type { Drainable } from '../http/exchange.ts';
import type { Route } from '../http/route.ts';
import { Http1ServerConnection } from '../http1/server-connection.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { ListenerSpec } from '../listeners/listener-spec.ts';
import { LocalCalls } from '../local/local-calls.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Protocol } from '../snapshot.ts';
import { plainAddress } from '../sockets.ts';
import { ServerSession } from '../streams/server-session.ts';
import { type Attempt, connectOpaque } from '../tcp/connect.ts';
import { countRefused } from '../tcp/refused.ts';
import { reset } from '../tcp/reset.ts';
import type { Counter } from '../telemetry/counters.ts';
import { bytesDialer, hboneDialer } from '../upstream/byte-dialers.ts';
import { dialContext, type RouteContext } from '../upstream/context.ts';
import { dialTcp } from '../upstream/dial.ts';
import { EndpointRoute, ServiceRoute } from '../upstream/service-route.ts';
import { outboundParties, type Workload } from '../workload.ts';
import type { Destination } from '../world.ts';
import { detect } from './detect.ts';
import { readFirstBytes } from './first-bytes.ts';
import { readServerName } from './hello.ts';
import { StreamAttempts } from './stream-attempts.ts';

export interface OutboundContext extends RouteContext {
  /** HTTP connections that are open, so that draining can reach them. */
  readonly connections: Set<Drainable>;
}

/** Takes a connection accepted on an outbound or explicit listener. */
export function acceptOutbound(socket: Socket, spec: ListenerSpec, context: OutboundContext): void {
  const { world, stats } = context;
  const workload = spec.workload === undefined ? undefined : world.workload(spec.workload);
  if (workload === undefined) {
    refuse(socket, context, 'noDestination');
    return;
  }
  if (spec.target !== undefined) {
    const cluster = world.cluster(spec.target.service, spec.target.port);
    if (cluster === undefined) refuse(socket, context, 'unknownService');
    else enter(socket, { kind: 'cluster', cluster }, workload, context);
    return;
  }
  const original = context.sockets.originalDestination(socket);
  if (original === undefined) {
    refuse(socket, context, 'noDestination');
    return;
  }
  const { address, port } = original;
  if (port === socket.localPort && address === plainAddress(socket.localAddress)) {
    refuse(socket, context, 'loopRefused');
    return;
  }
  const destination = world.resolve(address, port);
  if (destination !== undefined) enter(socket, destination, workload, context);
  else if (world.isVip(address)) refuse(socket, context, 'unknownService');
  else {
    const tcp = { unit: workload.data.unit, address, port, failure: 'connect-failed' } as const;
    const attempt: Attempt = {
      endpoint: { weight: 1, outstanding: 0 },
      dial: (done) => dialTcp(tcp, dialContext(context), done),
    };
    socket.pause();
    const parties = outboundParties(workload, 'passthrough');
    connectOpaque({
      downstream: { socket, transport: socket, leftover: undefined },
      row: stats.connections(parties, 'tcp'),
      parties,
      maxAttempts: 1,
      next: () => attempt,
      context,
    });
  }
}

/** A connection into the mesh, once it is known where to. */
function enter(socket: Socket, destination: Destination, workload: Workload, context: OutboundContext): void {
  const declared = protocolOf(destination);
  if (declared === 'http' || declared === 'http2') {
    readFirstBytes(socket, context.http.idleTimeoutMs, (version, leftover) => {
      if (version === 'http') serveHttp(socket, destination, workload, leftover, context);
      else serveHttp2(socket, destination, workload, leftover, context);
    });
    return;
  }
  // Rules about connections are about all of them: what is sent is not looked into beyond what they ask for.
  const rules = destination.kind === 'cluster' ? context.world.calls(workload, destination.cluster).streams : [];
  if (rules.some(({ serverNames }) => serverNames.length > 0)) {
    const isAnyTaken = rules.some(({ serverNames }) => serverNames.length === 0);
    const limits = { silenceMs: context.tcp.sniffTimeoutMs, helloMs: context.http.requestHeadTimeoutMs, isAnyTaken };
    readServerName(socket, limits, (serverName, leftover) => {
      relay(socket, destination, workload, { leftover, serverName, wasSilent: false }, context);
    });
    return;
  }
  const isServerFirst = destination.kind === 'cluster' && destination.cluster.isServerFirst;
  if (rules.length > 0 || declared === 'tcp' || isServerFirst) {
    socket.pause();
    relay(socket, destination, workload, NOTHING_READ, context);
    return;
  }
  detect(socket, context.tcp.sniffTimeoutMs, ({ protocol, leftover, wasSilent }) => {
    if (wasSilent) context.stats.count('sniffTimeouts');
    if (protocol === 'http') serveHttp(socket, destination, workload, leftover, context);
    else relay(socket, destination, workload, { leftover, wasSilent, serverName: undefined }, context);
  });
}

function serveHttp(
  socket: Socket,
  destination: Destination,
  workload: Workload,
  leftover: Buffer | undefined,
  context: OutboundContext,
): void {
  const route = routeOf(socket, destination, workload, context);
  const connection = new Http1ServerConnection({
    socket,
    transport: socket,
    route,
    context,
    idleTimeoutMs: context.http.idleTimeoutMs,
    endIsAbort: false,
    onGone: (gone) => context.connections.delete(gone),
  });
  context.connections.add(connection);
  if (leftover !== undefined) connection.feed(leftover);
}

function serveHttp2(
  socket: Socket,
  destination: Destination,
  workload: Workload,
  leftover: Buffer,
  context: OutboundContext,
): void {
  const { http, http2, deadlines } = context;
  const { idleTimeoutMs } = http;
  let connection: Http2Connection | undefined;
  const session = new ServerSession({
    connect: (owner) => {
      const options = { socket, transport: socket, isClient: false, http, http2, idleTimeoutMs, deadlines, owner };
      connection = new Http2Connection(options);
      return connection;
    },
    route: routeOf(socket, destination, workload, context),
    context,
    onGone: (gone) => context.connections.delete(gone),
  });
  context.connections.add(session);
  connection?.feed(leftover);
}

function routeOf(socket: Socket, destination: Destination, workload: Workload, context: OutboundContext): Route {
  const requests = context.stats.requests(outboundParties(workload, serviceOf(destination)));
  const caller = { workload, local: localCalls(socket, workload, context) };
  if (destination.kind === 'cluster') return new ServiceRoute(destination.cluster, caller, requests, context);
  const { endpoint, cluster } = destination;
  return new EndpointRoute(endpoint, cluster, caller, requests, context);
}

function localCalls(socket: Socket, workload: Workload, context: OutboundContext): LocalCalls {
  return new LocalCalls(workload, plainAddress(socket.remoteAddress) ?? '', context);
}

/** What a client began with. */
interface Opening {
  readonly leftover: Buffer | undefined;
  readonly wasSilent: boolean;
  /** That it asks for by TLS, where that was looked at. */
  readonly serverName: string | undefined;
}

const NOTHING_READ: Opening = { leftover: undefined, wasSilent: false, serverName: undefined };

function relay(
  socket: Socket,
  destination: Destination,
  workload: Workload,
  { leftover, wasSilent, serverName }: Opening,
  context: OutboundContext,
): void {
  const { stats, world } = context;
  const { cluster } = destination;
  const parties = outboundParties(workload, cluster.service);
  const row = stats.connections(parties, 'tcp');
  const downstream = { socket, transport: socket, leftover };
  const calls = world.calls(workload, cluster);
  if (!calls.openConnection()) {
    countRefused({ row, parties, reason: 'overflow' }, context);
    reset(downstream);
    return;
  }
  if (socket.closed) calls.closeConnection();
  else socket.once('close', () => calls.closeConnection());
  const local = localCalls(socket, workload, context);
  const attempts = new StreamAttempts(destination, calls, serverName, context);
  const next = (tried: readonly Balanced[]): Attempt | ReasonCode => {
    const endpoint = attempts.pick(tried);
    if (typeof endpoint === 'string') return endpoint;
    if (endpoint.local !== undefined) return attempts.observed(local.bytes(endpoint, endpoint.local, downstream));
    if (endpoint.speaksHbone) {
      const { dial } = hboneDialer(endpoint, workload, context);
      return attempts.observed({ endpoint, dial });
    }
    const dialer = bytesDialer(endpoint, workload, context);
    return attempts.observed({ endpoint, dial: (done) => dialer.dial(done) });
  };
  connectOpaque({
    downstream,
    row,
    parties,
    maxAttempts: context.upstream.maxAttempts,
    next,
    context,
    idleTimeoutMs: calls.idleTimeoutMs,
    ...(wasSilent && destination.kind === 'cluster'
      ? {
          onServerFirst: () => {
            cluster.isServerFirst = true;
          },
        }
      : {}),
  });
}

function protocolOf(destination: Destination): Protocol {
  return destination.kind === 'cluster' ? destination.cluster.protocol : destination.endpoint.data.protocol;
}

function serviceOf(destination: Destination): string {
  return destination.cluster.service;
}

function refuse(socket: Socket, context: OutboundContext, counter: Counter): void {
  context.stats.count(counter);
  reset({ socket, transport: socket });
}
