/**
 * Connections from other agents: mutual TLS for one endpoint of this unit, then HTTP requests or opaque bytes for the
 * application behind it.
 *
 * The server name says which endpoint, and with it whose certificate is shown; contexts are looked up at each handshake,
 * so a renewed certificate counts from the next connection on. The peer is judged by `certs/` before a byte is used.
 * @module
 */

import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { verifyPeer } from '../../certs/verify.ts';
import type { TunnelConfig } from '../config.ts';
import { ALPN } from '../snapshot.ts';
import { plainAddress } from '../sockets.ts';
import { reset } from '../tcp/reset.ts';
import { countRefusal, TLS_OPTIONS } from '../tls.ts';
import { type InboundContext, relayOpaque, serveHttp, serveHttp2, serveTunnel } from './serve.ts';

export interface TunnelContext extends InboundContext {
  readonly tunnel: TunnelConfig;
  /** Handshakes in progress on all tunnel listeners of the worker. */
  readonly handshakes: { inProgress: number };
}

/** What this agent speaks, best first. */
const PROTOCOLS: readonly string[] = [ALPN.tunnel, ALPN.http2, ALPN.http1, ALPN.tcp];

export class Tunnel {
  readonly #unit: string;
  readonly #context: TunnelContext;
  readonly #log: Logger;
  readonly #server: tls.Server;
  /** TCP sockets in their handshake, by peer address and port: a TLSSocket does not tell what it runs on. */
  readonly #shaking = new Map<string, Socket>();

  constructor(unit: string, context: TunnelContext, log: Logger) {
    this.#unit = unit;
    this.#context = context;
    this.#log = log;
    this.#server = tls.createServer({
      ...TLS_OPTIONS,
      ca: [],
      requestCert: true,
      handshakeTimeout: context.tunnel.handshakeTimeoutMs,
      SNICallback: this.#onServerName,
      ALPNCallback: ({ protocols }) => {
        const chosen = PROTOCOLS.find((protocol) => protocols.includes(protocol));
        if (chosen === undefined) context.stats.count('handshakesUnknownProtocol');
        return chosen;
      },
    });
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
    this.#shaking.set(key, transport);
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

  readonly #onHandshakeFailed = (error: NodeJS.ErrnoException, socket: tls.TLSSocket): void => {
    const isTimeout = error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
    this.#context.stats.count(isTimeout ? 'handshakesTimedOut' : 'handshakesFailed');
    socket.destroy();
  };

  readonly #onSecure = (socket: tls.TLSSocket): void => {
    const key = peerOf(socket);
    const transport = this.#shaking.get(key);
    if (transport === undefined) {
      socket.destroy(); // it closed in the same turn
      return;
    }
    this.#settle(key, transport);
    const { world, stats, memory, sessions, tunnel } = this.#context;
    const named = typeof socket.servername === 'string' ? world.target(this.#unit, socket.servername) : undefined;
    if (named === undefined) {
      // No server name at all, or the workload left during the handshake.
      stats.count('handshakesUnknownName');
      socket.destroy();
      return;
    }
    const { trust, revocations } = world;
    const nowMs = Date.now();
    const verdict = verifyPeer(socket, { trust, revocations, role: 'workload', nowMs, memory });
    if (!verdict.ok) {
      countRefusal(stats, verdict.reason);
      this.#log.warn({ reason: verdict.reason, detail: verdict.detail, peer: socket.remoteAddress }, 'peer refused');
      reset({ socket, transport }); // an orderly end would look to opaque clients as if somebody had answered
      return;
    }
    stats.count('handshakesCompleted');
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
    if (this.#shaking.get(key) !== transport) return;
    this.#shaking.delete(key);
    this.#context.handshakes.inProgress--;
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}

function ignore(): void {}
