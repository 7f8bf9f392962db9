/** The accepting side of one tunnel: all streams of one source workload to one endpoint of this node. @module */

import type { HttpContext } from '../http/exchange.ts';
import type { Route } from '../http/route.ts';
import { TunnelConnection, type TunnelConnectionOptions, type TunnelOwner, type TunnelStream } from './connection.ts';
import { TunnelServerStream } from './server-stream.ts';

export interface ServerTunnelOptions
  extends Pick<TunnelConnectionOptions, 'socket' | 'transport' | 'tunnel' | 'idleTimeoutMs'> {
  readonly route: Route;
  readonly context: HttpContext;
  /** Called once, when the connection is closed. */
  readonly onGone: (tunnel: ServerTunnel) => void;
}

export class ServerTunnel implements TunnelOwner {
  readonly #options: ServerTunnelOptions;
  readonly #connection: TunnelConnection;
  readonly #free: TunnelServerStream[] = [];

  constructor(options: ServerTunnelOptions) {
    const { socket, transport, tunnel, idleTimeoutMs, context, route } = options;
    this.#options = options;
    this.#connection = new TunnelConnection({
      socket,
      transport,
      isDialler: false,
      http: context.http,
      tunnel,
      idleTimeoutMs,
      deadlines: context.deadlines,
      owner: this,
    });
    context.stats.opened(route.row);
  }

  /** Asks the other side to open no more streams, and serves what is open. */
  drain(): void {
    this.#connection.drain();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  opened(id: number): TunnelStream {
    const { route, context } = this.#options;
    const stream =
      this.#free.pop() ??
      new TunnelServerStream({
        connection: this.#connection,
        route,
        context,
        onFree: (ended) => this.#free.push(ended),
      });
    stream.open(id);
    return stream;
  }

  goaway(): void {}

  released(): void {}

  gone(): void {
    const { context, route, onGone } = this.#options;
    context.stats.closed(route.row);
    onGone(this);
  }
}
