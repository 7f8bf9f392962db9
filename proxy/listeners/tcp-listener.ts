/**
 * A listening TCP socket of the data plane: one that was inherited, or an address to bind. Counts what it accepts, refuses
 * what is over the limit, and knows its open sockets.
 * @module
 */

import net from 'node:net';
import { ProxyError } from '../errors.ts';
import type { Sockets } from '../sockets.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import type { ConnectionBudget } from './connection-budget.ts';
import type { ListenerSpec } from './listener-spec.ts';
import type { SharedReader } from './shared-reader.ts';

export interface TcpListenerOptions {
  readonly spec: ListenerSpec;
  /** Shared by all listeners of a worker. */
  readonly budget: ConnectionBudget;
  readonly stats: StatsWriter;
  readonly sockets: Pick<Sockets, 'acceptNext'>;
  /** Reads accepted connections; not given where TLS does. */
  readonly reader?: SharedReader;
  readonly onConnection: (socket: net.Socket) => void;
}

/** Connections the kernel completes before they are accepted; a burst beyond it is refused. */
const BACKLOG = 4_096;
const KEEP_ALIVE_MS = 60_000;
/**
 * Connections accepted in one turn of the event loop. With one, which is what libuv does, those that come wait behind all that
 * is under way: where a turn takes 0.3 s, ten a second are more than two workers take, and handshakes time out unseen.
 */
const MAX_ACCEPTS = 32;

export class TcpListener {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(server: net.Server) {
    this.#server = server;
  }

  /** @throws ProxyError when it cannot listen there */
  static async start(options: TcpListenerOptions): Promise<TcpListener> {
    const { spec, reader } = options;
    const server = net.createServer({
      allowHalfOpen: true,
      noDelay: true,
      pauseOnConnect: reader !== undefined,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    const listener = new TcpListener(server);
    server.on('connection', (accepted) => {
      listener.#take(reader === undefined ? accepted : reader.adopt(accepted), options);
      for (let count = 1; count < MAX_ACCEPTS; count++) {
        const next = listener.#acceptNext(options);
        if (next === undefined) return;
        listener.#take(next, options);
      }
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('listening', resolve);
    server.once('error', reject);
    if (spec.fd !== undefined) server.listen({ fd: spec.fd, backlog: BACKLOG });
    else {
      const { address: host = '127.0.0.1', port = 0, reusePort = false } = spec;
      server.listen({ host, port, reusePort, exclusive: true, backlog: BACKLOG });
    }
    try {
      await promise;
    } catch (cause) {
      const where =
        spec.fd === undefined ? `${spec.address ?? '127.0.0.1'}:${spec.port ?? 0}` : `descriptor ${spec.fd}`;
      throw new ProxyError('WEFT_PROXY_LISTEN_FAILED', `listener ${spec.id} on ${where}`, { cause });
    }
    server.off('error', reject);
    server.on('error', ignore); // an accept that failed, for want of descriptors; the next may work
    return listener;
  }

  /** As Node does it with the options of the server above. */
  #acceptNext({ sockets, reader }: TcpListenerOptions): net.Socket | undefined {
    const read = reader?.options();
    const socket = sockets.acceptNext(this.#server, { onread: read?.onread });
    if (socket === undefined) return undefined;
    read?.bind(socket);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return socket;
  }

  #take(socket: net.Socket, { spec, budget, stats, onConnection }: TcpListenerOptions): void {
    stats.count('connectionsAccepted');
    if (!budget.take(spec.unit)) {
      stats.count('connectionsRefusedLimit');
      socket.resetAndDestroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on('error', ignore); // whoever owns the socket learns of it from its 'close'
    socket.on('close', () => {
      budget.release(spec.unit);
      this.#sockets.delete(socket);
    });
    onConnection(socket);
  }

  /** The port it is bound to, as far as the kernel tells. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Accepts no more; open connections stay. */
  stop(): void {
    this.#server.close();
  }

  /** Closes what is open. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function ignore(): void {}
