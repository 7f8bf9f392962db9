/**
 * Connections from other agents: mutual TLS for one endpoint of this unit, then HTTP requests or opaque bytes for the
 * application behind it.
 *
 * The server name says which endpoint, and with it whose certificate is shown; contexts are looked up at each handshake,
 * so a renewed certificate counts from the next connection on. The peer is judged by `certs/` before a byte is used.
 *
 * A TLS session is resumed where its peer would be accepted now, which is decided inside the handshake: so a ticket that
 * does not do costs the peer a second try, and never a connection.
 * @module
 */

import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { type Verdict, verifyPeer } from '../../certs/verify.ts';
import type { TunnelConfig } from '../config.ts';
import { ALPN } from '../snapshot.ts';
import { plainAddress } from '../sockets.ts';
import { reset } from '../tcp/reset.ts';
import { countRefusal, TLS_OPTIONS } from '../tls.ts';
import type { NamedTarget } from '../workload.ts';
import { type InboundContext, relayOpaque, serveHttp, serveHttp2, serveTunnel } from './serve.ts';
import { TicketKeys } from './ticket-keys.ts';

export interface TunnelContext extends InboundContext {
  readonly tunnel: TunnelConfig;
  /** Handshakes in progress on all tunnel listeners of the worker. */
  readonly handshakes: { inProgress: number };
}

/** What this agent speaks, best first. */
const PROTOCOLS: readonly string[] = [ALPN.tunnel, ALPN.http2, ALPN.http1, ALPN.tcp];

interface Shaking {
  readonly transport: Socket;
  readonly changesBefore: number;
}

export class Tunnel {
  readonly #unit: string;
  readonly #context: TunnelContext;
  readonly #log: Logger;
  readonly #server: tls.Server;
  /** TCP sockets in their handshake, by peer address and port: a TLSSocket does not tell what it runs on. */
  readonly #shaking = new Map<string, Shaking>();
  readonly #keys: TicketKeys;
  /** Connections that end in their handshake because their session is not resumed. */
  readonly #notResumed = new WeakSet<tls.TLSSocket>();

  constructor(unit: string, context: TunnelContext, log: Logger) {
    this.#unit = unit;
    this.#context = context;
    this.#log = log;
    this.#server = tls.createServer({
      ...TLS_OPTIONS,
      ca: [],
      requestCert: true,
      handshakeTimeout: context.tunnel.handshakeTimeoutMs,
      ...ticketOptions(context.tunnel),
      SNICallback: this.#onServerName,
      ALPNCallback: onProtocols(this.#choose),
    });
    this.#keys = new TicketKeys(this.#server, context.tunnel.resumeMs);
    this.#server.on('secureConnection', this.#onSecure);
    this.#server.on('tlsClientError', this.#onHandshakeFailed);
  }

  /** Takes an accepted TCP connection. */
  accept(transport: Socket): void {
    const { handshakes, tunnel, stats } = this.#context;
    if (handshakes.inProgress >= tunnel.maxHandshakes) {
      stats.count('handshakesRefusedLimit');
      transport.resetAndDestroy();
      return;
    }
    stats.count('handshakesStarted');
    handshakes.inProgress++;
    const key = peerOf(transport);
    this.#shaking.set(key, { transport, changesBefore: this.#keys.refresh(performance.now()) });
    transport.once('close', () => this.#settle(key, transport));
    this.#server.emit('connection', transport);
  }

  readonly #onServerName = (name: string, done: (error: Error | null, context?: tls.SecureContext) => void): void => {
    const named = this.#context.world.target(this.#unit, name);
    if (named !== undefined) {
      done(null, named.workload.secureContext);
      return;
    }
    this.#context.stats.count('handshakesUnknownName');
    done(new Error('no endpoint of this name here'));
  };

  readonly #choose = (socket: tls.TLSSocket, name: string, offered: readonly string[]): string | undefined => {
    if (socket.isSessionReused() && !this.#isResumable(socket, name)) {
      this.#notResumed.add(socket);
      return undefined;
    }
    const chosen = PROTOCOLS.find((protocol) => offered.includes(protocol));
    if (chosen === undefined) this.#context.stats.count('handshakesUnknownProtocol');
    return chosen;
  };

  readonly #onHandshakeFailed = (error: NodeJS.ErrnoException, socket: tls.TLSSocket): void => {
    const isTimeout = error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
    const otherwise = this.#notResumed.has(socket) ? 'ticketsRefused' : 'handshakesFailed';
    this.#context.stats.count(isTimeout ? 'handshakesTimedOut' : otherwise);
    socket.destroy();
  };

  #isResumable(socket: tls.TLSSocket, name: string): boolean {
    const named = this.#context.world.target(this.#unit, name);
    return named !== undefined && this.#hasShown(named) && this.#judge(socket).ok;
  }

  #hasShown({ workload, target }: NamedTarget): boolean {
    return this.#keys.isOf(target.serverName, workload.data.identity);
  }

  #judge(socket: tls.TLSSocket): Verdict {
    const { world, memory } = this.#context;
    const { trust, revocations } = world;
    return verifyPeer(socket, { trust, revocations, role: 'workload', nowMs: Date.now(), memory });
  }

  readonly #onSecure = (socket: tls.TLSSocket): void => {
    const key = peerOf(socket);
    const shaking = this.#shaking.get(key);
    if (shaking === undefined) {
      socket.destroy(); // it closed in the same turn
      return;
    }
    const { transport, changesBefore } = shaking;
    this.#settle(key, transport);
    const { world, stats, sessions, tunnel } = this.#context;
    const named = typeof socket.servername === 'string' ? world.target(this.#unit, socket.servername) : undefined;
    const isResumed = socket.isSessionReused();
    if (named === undefined || (isResumed && !this.#hasShown(named))) {
      // No server name at all, or the workload left or was replaced during the handshake.
      stats.count('handshakesUnknownName');
      socket.destroy();
      return;
    }
    if (!isResumed) this.#keys.shown(named.target.serverName, named.workload.data.identity, changesBefore);
    const verdict = this.#judge(socket);
    if (!verdict.ok) {
      countRefusal(stats, verdict.reason);
      this.#log.warn({ reason: verdict.reason, detail: verdict.detail, peer: socket.remoteAddress }, 'peer refused');
      reset({ socket, transport }); // an orderly end would look to opaque clients as if somebody had answered
      return;
    }
    stats.count('handshakesCompleted');
    if (isResumed) stats.count('handshakesResumed');
    socket.on('error', ignore);
    sessions.add({ socket, transport }, verdict.issued);
    const call = {
      identity: verdict.spiffeId,
      address: plainAddress(socket.remoteAddress) ?? '',
      target: named.target,
    };
    const connection = { socket, transport, call, leftover: undefined };
    if (socket.alpnProtocol === ALPN.tunnel) serveTunnel(connection, this.#context);
    else if (socket.alpnProtocol === ALPN.http1) {
      serveHttp(connection, { idleTimeoutMs: tunnel.idleTimeoutMs, endIsAbort: true }, this.#context);
    } else if (socket.alpnProtocol === ALPN.http2) {
      serveHttp2(connection, tunnel.idleTimeoutMs, this.#context);
    } else if (socket.alpnProtocol === ALPN.tcp) {
      socket.pause();
      relayOpaque(connection, this.#context);
    } else {
      stats.count('handshakesUnknownProtocol');
      socket.destroy();
    }
  };

  #settle(key: string, transport: Socket): void {
    if (this.#shaking.get(key)?.transport !== transport) return;
    this.#shaking.delete(key);
    this.#context.handshakes.inProgress--;
  }
}

/** Tickets live and die with the keys of this server, which no other worker has. */
function ticketOptions({ resumeMs }: TunnelConfig): tls.TlsOptions {
  if (resumeMs === 0) return { secureOptions: constants.SSL_OP_NO_TICKET };
  return { sessionTimeout: Math.ceil(resumeMs / 1_000) };
}

/**
 * The one callback that Node makes inside the handshake of a resumed session too. It is called as a method of the socket,
 * which no documentation says: without one, nothing is agreed on. A test holds Node to it.
 */
function onProtocols(
  choose: (socket: tls.TLSSocket, name: string, offered: readonly string[]) => string | undefined,
): NonNullable<tls.TlsOptions['ALPNCallback']> {
  return function (this: unknown, { servername, protocols }): string | undefined {
    return this instanceof tls.TLSSocket ? choose(this, servername, protocols) : undefined;
  };
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}

function ignore(): void {}
