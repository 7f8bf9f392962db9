/**
 * Connections from other agents: mutual TLS for one endpoint of this unit, then HTTP requests or opaque bytes for the
 * application behind it.
 *
 * The server name says which endpoint, and with it whose certificate is shown; peers from other meshes send none, speak HTTP/2
 * and name their destination stream by stream (hbone.ts). Contexts are looked up at each handshake, so a renewed certificate
 * counts from the next connection on. The peer is judged by `certs/` before a byte is used.
 *
 * A TLS session is resumed where its peer would be accepted now, which is decided inside the handshake: so a ticket that
 * does not do costs the peer a second try, and never a connection.
 * @module
 */

import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { type Verdict, verifyPeer } from '../../certs/verify.ts';
import type { TunnelConfig } from '../config.ts';
import { ALPN } from '../snapshot.ts';
import { plainAddress } from '../sockets.ts';
import { reset } from '../tcp/reset.ts';
import { countRefusal, TLS_OPTIONS } from '../tls.ts';
import type { LocalTarget } from '../upstream/local-target.ts';
import type { NamedTarget, Workload } from '../workload.ts';
import { awaitStart } from './awaited.ts';
import { type ByteStreamsContext, serveByteStreams } from './byte-streams.ts';
import { serveHbone } from './hbone.ts';
import { shownWorkload } from './hbone-target.ts';
import { relayOpaque, serveHttp, serveTunnel } from './serve.ts';
import { TicketKeys } from './ticket-keys.ts';

export interface TunnelContext extends ByteStreamsContext {
  readonly tunnel: TunnelConfig;
  /** Handshakes in progress on all tunnel listeners of the worker. */
  readonly handshakes: { inProgress: number };
}

/** What this agent speaks, best first. */
const PROTOCOLS: readonly string[] = [ALPN.tunnel, ALPN.http2, ALPN.tcpStreams, ALPN.http1, ALPN.tcpAhead, ALPN.tcp];

/** Stands for all server names that are none of ours, where tickets are told apart by them. */
const NAMELESS = '';

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
  /** Whose certificate was shown to a peer that named no endpoint. */
  readonly #shown = new WeakMap<tls.TLSSocket, Workload>();

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
    if (!isNameOfOurs(name)) {
      done(null); // as without a name
      return;
    }
    const named = this.#context.world.target(this.#unit, name);
    if (named !== undefined) {
      done(null, named.workload.secureContext);
      return;
    }
    this.#context.stats.count('handshakesUnknownName');
    done(new Error('no endpoint of this name here'));
  };

  /** Comes before the server name is answered, which overrules the certificate that is set here. */
  readonly #choose = (socket: tls.TLSSocket, { servername, protocols }: Offered): string | undefined => {
    const { stats, world } = this.#context;
    const chosen = PROTOCOLS.find((protocol) => protocols.includes(protocol));
    if (chosen === undefined) {
      stats.count('handshakesUnknownProtocol');
      return undefined;
    }
    const isNamed = isNameOfOurs(servername);
    const workload = isNamed ? world.target(this.#unit, servername)?.workload : this.#showNameless(socket, chosen);
    if (workload === undefined && !isNamed && chosen === ALPN.http2) return undefined;
    if (socket.isSessionReused() && !this.#isResumable(socket, isNamed ? servername : NAMELESS, workload)) {
      this.#notResumed.add(socket);
      return undefined;
    }
    return chosen;
  };

  /** A peer that names no endpoint is shown the one that can be meant. */
  #showNameless(socket: tls.TLSSocket, protocol: string): Workload | undefined {
    if (protocol !== ALPN.http2) return undefined;
    const shown = shownWorkload(this.#unit, socket.localAddress, this.#context.world);
    if (shown === undefined) {
      this.#context.stats.count('handshakesUnknownName');
      return undefined;
    }
    this.#shown.set(socket, shown);
    socket.setKeyCert(shown.secureContext);
    return shown;
  }

  readonly #onHandshakeFailed = (error: NodeJS.ErrnoException, socket: tls.TLSSocket): void => {
    const isTimeout = error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
    const otherwise = this.#notResumed.has(socket) ? 'ticketsRefused' : 'handshakesFailed';
    this.#context.stats.count(isTimeout ? 'handshakesTimedOut' : otherwise);
    socket.destroy();
  };

  /** A ticket does not say whose certificate was shown when it was given: the keys are those of one identity for a name. */
  #isResumable(socket: tls.TLSSocket, name: string, workload: Workload | undefined): boolean {
    return workload !== undefined && this.#keys.isOf(name, workload.data.identity) && this.#judge(socket).ok;
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
    const { world, stats, sessions, tunnel, connections } = this.#context;
    const named = typeof socket.servername === 'string' ? world.target(this.#unit, socket.servername) : undefined;
    const shown = named?.workload ?? this.#shown.get(socket);
    const name = named?.target.serverName ?? NAMELESS;
    const isResumed = socket.isSessionReused();
    if (shown === undefined || (isResumed && !this.#keys.isOf(name, shown.data.identity))) {
      // No server name where one is needed, or the workload left or was replaced during the handshake.
      stats.count('handshakesUnknownName');
      socket.destroy();
      return;
    }
    if (!isResumed) this.#keys.shown(name, shown.data.identity, changesBefore);
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
    const caller = { identity: verdict.spiffeId, address: plainAddress(socket.remoteAddress) ?? '' };
    if (socket.alpnProtocol === ALPN.http2) {
      const { idleTimeoutMs } = tunnel;
      const context = this.#context;
      serveHbone({ ...caller, socket, transport, unit: this.#unit, shown, named, idleTimeoutMs, context });
      return;
    }
    if (named === undefined) {
      stats.count('handshakesUnknownName');
      socket.destroy();
      return;
    }
    const call = { ...caller, target: named.target };
    const connection = { socket, transport, call, leftover: undefined };
    if (socket.alpnProtocol === ALPN.tunnel) serveTunnel(connection, this.#context);
    else if (socket.alpnProtocol === ALPN.http1) {
      serveHttp(connection, { idleTimeoutMs: tunnel.idleTimeoutMs, endIsAbort: true }, this.#context);
    } else if (socket.alpnProtocol === ALPN.tcp) {
      socket.pause();
      relayOpaque(connection, this.#context);
    } else if (socket.alpnProtocol === ALPN.tcpStreams) {
      const target = this.#standing(named, shown);
      serveByteStreams({ socket, transport, caller, unit: this.#unit, target, context: this.#context });
    } else if (socket.alpnProtocol === ALPN.tcpAhead) {
      const targetNow = this.#standing(named, shown);
      const begin = (leftover: Buffer | undefined): void => {
        const target = targetNow();
        if (target === undefined) reset({ socket, transport });
        else relayOpaque({ ...connection, call: { ...caller, target }, leftover }, this.#context);
      };
      connections.add(awaitStart(socket, begin, (gone) => connections.delete(gone)));
    } else {
      stats.count('handshakesUnknownProtocol');
      socket.destroy();
    }
  };

  /** What a server name stands for when it is asked; undefined once that is not whom the handshake showed. */
  #standing({ target: { serverName } }: NamedTarget, shown: Workload): () => LocalTarget | undefined {
    const { identity } = shown.data;
    return () => {
      const now = this.#context.world.target(this.#unit, serverName);
      return now?.workload.data.identity === identity ? now.target : undefined;
    };
  }

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

interface Offered {
  /** false where the peer sent none, whatever the types of Node say. */
  readonly servername: string | false;
  readonly protocols: readonly string[];
}

/**
 * The one callback that Node makes inside the handshake of a resumed session too. It is called as a method of the socket,
 * which no documentation says: without one, nothing is agreed on. A test holds Node to it.
 */
function onProtocols(
  choose: (socket: tls.TLSSocket, offered: Offered) => string | undefined,
): NonNullable<tls.TlsOptions['ALPNCallback']> {
  return function (this: unknown, offered): string | undefined {
    return this instanceof tls.TLSSocket ? choose(this, offered) : undefined;
  };
}

/** Other meshes send no server name, or one that means nothing here. */
function isNameOfOurs(name: string | false): name is string {
  return name !== false && name.endsWith('.weft');
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}

function ignore(): void {}
