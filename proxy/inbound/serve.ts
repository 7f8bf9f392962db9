/** What becomes of an inbound connection once it is known who calls whom: requests or bytes for the application, guarded. @module */

import type { Socket } from 'node:net';
import { Http1ServerConnection } from '../http1/server-connection.ts';
import { Http2Connection } from '../http2/connection.ts';
import { detect } from '../outbound/detect.ts';
import { readFirstBytes } from '../outbound/first-bytes.ts';
import type { OutboundContext } from '../outbound/outbound.ts';
import type { ReasonCode } from '../reasons.ts';
import type { CarrierOwner, Session } from '../streams/carrier.ts';
import { ServerSession } from '../streams/server-session.ts';
import { connectOpaque } from '../tcp/connect.ts';
import { countRefused } from '../tcp/refused.ts';
import { reset } from '../tcp/reset.ts';
import { sharedIds } from '../telemetry/shared-ids.ts';
import { TunnelConnection } from '../tunnel/connection.ts';
import { LocalRoute } from '../upstream/routes.ts';
import { type Call, inboundParties } from './call.ts';
import { dialApp } from './dial-app.ts';
import { Guard } from './guard.ts';
import type { Guarded } from './guarded.ts';

export type InboundContext = OutboundContext;

export interface InboundConnection {
  readonly socket: Socket;
  /** The TCP socket below TLS, the same as `socket` for plaintext. */
  readonly transport: Socket;
  readonly call: Call;
  /** What was read to tell the protocol. */
  readonly leftover: Buffer | undefined;
  /** Who waits to be told whether there is a way to the application; nobody, but for CONNECT. */
  readonly answer?: Answer;
}

export interface Answer {
  accepted(): void;
  refused(reason: ReasonCode, detail: string, policy?: string): void;
}

/** Requests. Who may not call is told so, request by request. */
export function serveHttp(
  { socket, transport, call, leftover }: InboundConnection,
  options: { readonly idleTimeoutMs: number; readonly endIsAbort: boolean },
  context: InboundContext,
): void {
  const requests = context.stats.requests(inboundParties(call));
  const guard = new Guard(call, context);
  const row = requests.connections;
  const guarded: Guarded = { guard, socket, transport, row, drain: () => connection.drain() };
  const connection = new Http1ServerConnection({
    ...options,
    socket,
    transport,
    route: new LocalRoute(call, guard, requests, context),
    context,
    onGone: (gone) => {
      context.connections.delete(gone);
      guarded.drain = undefined; // closed, or bytes from now on
    },
  });
  context.guarded.add(guarded);
  context.connections.add(connection);
  if (leftover !== undefined) connection.feed(leftover);
}

/** Requests on the streams of a tunnel, each judged by itself. */
export function serveTunnel({ socket, transport, call }: InboundConnection, context: InboundContext): void {
  const { http, tunnel, deadlines } = context;
  const { idleTimeoutMs } = tunnel;
  const options = { socket, transport, isDialler: false, http, tunnel, idleTimeoutMs, deadlines };
  serveStreams({ socket, transport, call }, (owner) => new TunnelConnection({ ...options, owner }), context);
}

/** Requests over HTTP/2. */
export function serveHttp2(
  { socket, transport, call, leftover }: InboundConnection,
  idleTimeoutMs: number,
  context: InboundContext,
): void {
  const { http, http2, deadlines } = context;
  const options = { socket, transport, isClient: false, http, http2, idleTimeoutMs, deadlines };
  let connection: Http2Connection | undefined;
  const connect = (owner: CarrierOwner): Http2Connection => {
    connection = new Http2Connection({ ...options, owner });
    return connection;
  };
  serveStreams({ socket, transport, call }, connect, context);
  if (leftover !== undefined) connection?.feed(leftover);
}

/** Those requests on a connection that others use as well; it tells them when it is gone. */
export function requestsOn(
  session: Session,
  connection: Omit<InboundConnection, 'leftover' | 'answer'>,
  context: InboundContext,
): ServerSession {
  return serveStreams(connection, () => session, context);
}

/** The bytes of a caller, in whatever protocol the port speaks. */
export function serveBytes(connection: InboundConnection, context: InboundContext): void {
  const { socket, call, answer } = connection;
  const { idleTimeoutMs } = context.http;
  const serve = (protocol: 'http' | 'http2' | 'opaque', leftover: Buffer | undefined): void => {
    const read = { ...connection, leftover };
    if (protocol === 'http') serveHttp(read, { idleTimeoutMs, endIsAbort: false }, context);
    else if (protocol === 'http2') serveHttp2(read, idleTimeoutMs, context);
    else relayOpaque(read, context);
  };
  const { protocol } = call.target;
  if (protocol === 'tcp') {
    socket.pause();
    serve('opaque', undefined);
    return;
  }
  answer?.accepted();
  if (protocol === 'auto') {
    detect(socket, context.tcp.sniffTimeoutMs, ({ protocol, leftover }) => serve(protocol, leftover));
  } else readFirstBytes(socket, idleTimeoutMs, serve);
}

function serveStreams(
  { socket, transport, call }: Omit<InboundConnection, 'leftover'>,
  connect: (owner: CarrierOwner) => Session,
  context: InboundContext,
): ServerSession {
  const requests = context.stats.requests(inboundParties(call));
  const guard = new Guard(call, context);
  const row = requests.connections;
  const session = new ServerSession({
    connect,
    route: new LocalRoute(call, guard, requests, context),
    context,
    onGone: (gone) => context.connections.delete(gone),
  });
  context.guarded.add({ guard, socket, transport, row, drain: () => session.drain() });
  context.connections.add(session);
  return session;
}

/** Bytes. Who may not call is reset. The socket must be paused. */
export function relayOpaque(
  { socket, transport, call, leftover, answer }: InboundConnection,
  context: InboundContext,
): void {
  const parties = inboundParties(call);
  const row = context.stats.connections(parties, 'tcp');
  const guard = new Guard(call, context);
  const denial = guard.judgeOpaque();
  if (denial !== undefined) {
    countRefused({ row, parties, reason: denial.reason, shared: sharedIds(socket) }, context);
    answer?.refused(denial.reason, denial.detail, denial.policy);
    reset({ socket, transport });
    return;
  }
  context.guarded.add({ guard, socket, transport, row, drain: undefined });
  connectOpaque({
    downstream: { socket, transport, leftover },
    row,
    parties,
    maxAttempts: 1,
    next: () => ({
      endpoint: call.target,
      dial: (done) =>
        dialApp(call, context, (result) => {
          if (result.ok) answer?.accepted();
          done(result);
        }),
    }),
    context,
    ...(answer && { onFailed: (reason, detail) => answer.refused(reason, detail) }),
  });
}
