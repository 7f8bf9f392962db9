/**
 * Opening connections: to another agent, TCP and then TLS 1.3 with both sides verified, and to an application of this
 * node, plain TCP inside its network namespace.
 * @module
 */

import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { CertificateMemory } from '../../certs/memory.ts';
import type { Revocations } from '../../certs/revocation.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import { refuse, verifyKnown, verifyPeer } from '../../certs/verify.ts';
import type { UpstreamConfig } from '../config.ts';
import { FairTimeout } from '../fair-timeout.ts';
import type { SharedReader } from '../listeners/shared-reader.ts';
import type { ReasonCode } from '../reasons.ts';
import type { MeshSessions } from '../sessions.ts';
import { type Alpn, type Endpoint, endpointServerName } from '../snapshot.ts';
import type { Sockets } from '../sockets.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import { countRefusal, TLS_OPTIONS } from '../tls.ts';
import type { TlsSessions } from './tls-sessions.ts';

/** Silence after which the kernel asks whether the other side still lives. */
const KEEP_ALIVE_MS = 60_000;

/** All ports of a source are taken by connections to the same destination, open ones or such as ended a minute ago. */
const NO_PORT = new Set(['EADDRNOTAVAIL', 'EADDRINUSE']);

export type DialResult =
  | {
      readonly ok: true;
      readonly socket: Socket;
      /** The TCP socket below TLS, the same as `socket` for plaintext. */
      readonly transport: Socket;
      /** What the handshake agreed on; undefined for plaintext. */
      readonly protocol: Alpn | undefined;
    }
  | { readonly ok: false; readonly reason: ReasonCode; readonly detail: string };

export interface Dialer {
  /** Calls back exactly once, never before it returned. */
  dial(done: (result: DialResult) => void): void;
}

export interface DialContext {
  readonly sockets: Sockets;
  /** Reads connections that end here; not used where TLS does. */
  readonly reader: SharedReader;
  readonly config: UpstreamConfig;
  readonly stats: StatsWriter;
}

export interface TcpDestination {
  readonly unit: string;
  readonly address: string;
  readonly port: number;
  /** Told to clients when nobody listens there. */
  readonly failure: ReasonCode;
  /** Whether TLS will run on it. */
  readonly isForTls?: boolean;
  /** The address that the connection is to come from; where that is not to be had, the unit's own. */
  readonly source?: string;
  /** Sent before anything else. */
  readonly preface?: Buffer;
  /** Left out: as configured. */
  readonly connectTimeoutMs?: number | undefined;
}

/** Connects within a unit, with a time limit. */
export function dialTcp(destination: TcpDestination, context: DialContext, done: (result: DialResult) => void): void {
  const { sockets, reader, config, stats } = context;
  const { unit, address, port, failure, isForTls = false, source, preface } = destination;
  const fail = (reason: ReasonCode, detail: string): void => {
    stats.count('upstreamConnectFailures');
    done({ ok: false, reason, detail });
  };
  const dialWithoutSource = (): void => {
    stats.count('clientAddressesLost');
    const { source: _, ...rest } = destination;
    dialTcp(rest, context, done);
  };
  let socket: Socket;
  try {
    const read = isForTls ? undefined : reader.options();
    socket = sockets.open(unit, address.includes(':') ? 6 : 4, { onread: read?.onread, source });
    read?.bind(socket);
  } catch (error) {
    if (source !== undefined) {
      dialWithoutSource();
      return;
    }
    const detail = error instanceof Error ? error.message : String(error);
    process.nextTick(fail, 'out-of-sockets', detail);
    return;
  }
  socket.allowHalfOpen = true;
  const { connectTimeoutMs = config.connectTimeoutMs } = destination;
  const timer = new FairTimeout(() => settle('connect-timeout', `${connectTimeoutMs} ms`), connectTimeoutMs);
  const settle = (reason: ReasonCode | undefined, detail: string): void => {
    timer.clear();
    socket.off('connect', onConnect);
    socket.off('error', onError);
    if (reason === undefined) {
      stats.count('upstreamConnects');
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      if (preface !== undefined) socket.write(preface);
      done({ ok: true, socket, transport: socket, protocol: undefined });
      return;
    }
    socket.on('error', ignore);
    socket.destroy();
    if (source !== undefined && NO_PORT.has(detail)) dialWithoutSource();
    else fail(reason, detail);
  };
  const onConnect = (): void => settle(undefined, '');
  const onError = (error: NodeJS.ErrnoException): void => settle(failure, error.code ?? error.message);
  socket.on('connect', onConnect);
  socket.on('error', onError);
  socket.connect(port, address);
}

export interface MeshDestination {
  readonly unit: string;
  readonly endpoint: Endpoint;
  /** What may be spoken, best first. */
  readonly alpn: readonly Alpn[];
  /** Asked when it is dialled; undefined: as configured. */
  readonly connectTimeoutMs: () => number | undefined;
  /** Read when they are used, so that renewed certificates and roots, and the latest revocations, count. */
  readonly credentials: () => {
    readonly secureContext: tls.SecureContext;
    readonly trust: TrustBundle;
    readonly revocations: Revocations;
  };
}

export interface MeshDialContext extends DialContext {
  readonly memory: CertificateMemory;
  readonly sessions: MeshSessions;
  readonly tlsSessions: TlsSessions;
}

/**
 * Connects to the agent of an endpoint and makes sure that it speaks for that endpoint. Where a TLS session is not resumed
 * because either side would not, it connects once more, without.
 */
export function dialMesh(
  destination: MeshDestination,
  context: MeshDialContext,
  done: (result: DialResult) => void,
  mayResume = true,
): void {
  const { unit, endpoint } = destination;
  const tcp = {
    unit,
    address: endpoint.address,
    port: endpoint.tunnelPort,
    failure: 'connect-failed',
    isForTls: true,
    connectTimeoutMs: destination.connectTimeoutMs(),
  } as const;
  dialTcp(tcp, context, (connected) => {
    if (connected.ok) handshake(connected.socket, destination, context, done, mayResume);
    else done(connected);
  });
}

function handshake(
  transport: Socket,
  destination: MeshDestination,
  context: MeshDialContext,
  done: (result: DialResult) => void,
  mayResume: boolean,
): void {
  const { endpoint, alpn, credentials } = destination;
  const { config, stats, memory, sessions, tlsSessions } = context;
  const { secureContext } = credentials();
  const kept = mayResume ? tlsSessions.find(secureContext, endpoint) : undefined;
  const socket = tls.connect({
    ...TLS_OPTIONS,
    socket: transport,
    secureContext,
    session: kept?.session,
    servername: endpointServerName(endpoint.port, endpoint.service, endpoint.namespace),
    ALPNProtocols: [...alpn],
    checkServerIdentity: () => undefined, // verifyPeer below is the judge
  });
  const agreed = (): Alpn | undefined => alpn.find((protocol) => protocol === socket.alpnProtocol);
  const timer = new FairTimeout(() => settle('handshake-failed', 'timeout'), config.handshakeTimeoutMs);
  const settle = (reason: ReasonCode | undefined, detail: string): void => {
    timer.clear();
    socket.off('secureConnect', onSecure);
    socket.off('error', onError);
    socket.off('close', onClose);
    if (reason === undefined) {
      done({ ok: true, socket, transport, protocol: agreed() });
      return;
    }
    const isRefused = detail !== 'timeout' && (reason === 'handshake-failed' || socket.isSessionReused());
    socket.on('error', ignore);
    socket.destroy();
    if (kept !== undefined && isRefused) {
      tlsSessions.forget(secureContext, endpoint);
      stats.count('upstreamSessionsRefused');
      dialMesh(destination, context, done, false);
      return;
    }
    stats.count('upstreamHandshakeFailures');
    done({ ok: false, reason, detail });
  };
  const onSecure = (): void => {
    const { trust, revocations } = credentials();
    const nowMs = Date.now();
    const options = { trust, revocations, role: 'workload', nowMs, expected: endpoint.identity, memory } as const;
    const resumed = socket.isSessionReused() ? kept : undefined;
    const verdict =
      resumed === undefined
        ? verifyPeer(socket, options)
        : (verifyKnown(resumed.leaf, options) ?? refuse('no-certificate', 'it was forgotten'));
    if (!verdict.ok) {
      if (resumed === undefined) countRefusal(stats, verdict.reason);
      settle('identity-refused', verdict.reason);
    } else if (agreed() === undefined) settle('handshake-failed', 'no common application protocol');
    else {
      sessions.add({ socket, transport }, verdict.issued);
      if (resumed === undefined) tlsSessions.keep(socket, secureContext, endpoint);
      else {
        stats.count('upstreamHandshakesResumed');
        socket.once('error', () => tlsSessions.forget(secureContext, endpoint)); // it may have been refused after all
      }
      settle(undefined, '');
    }
  };
  const onError = (error: NodeJS.ErrnoException): void => settle('handshake-failed', error.code ?? error.message);
  const onClose = (): void => settle('handshake-failed', 'closed');
  socket.on('secureConnect', onSecure);
  socket.on('error', onError);
  socket.on('close', onClose);
}

function ignore(): void {}
