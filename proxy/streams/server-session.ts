/** The accepting side of a connection with many streams: each becomes an exchange of its own. @module */

import type { HttpContext } from '../http/exchange.ts';
import type { Route } from '../http/route.ts';
import type { CarriedStream, CarrierOwner, Session } from './carrier.ts';
import { ServerStream } from './server-stream.ts';

export interface ServerSessionOptions {
  /** Makes the connection of this owner. */
  readonly connect: (owner: CarrierOwner) => Session;
  readonly route: Route;
  readonly context: HttpContext;
  /** Called once, when the connection is closed. */
  readonly onGone: (session: ServerSession) => void;
}

export class ServerSession implements CarrierOwner {
  readonly #options: ServerSessionOptions;
  readonly #session: Session;
  readonly #free: ServerStream[] = [];

  constructor(options: ServerSessionOptions) {
    this.#options = options;
    this.#session = options.connect(this);
    options.context.stats.opened(options.route.row);
  }

  /** Asks the other side to open no more streams, and serves what is open. */
  drain(): void {
    this.#session.drain();
  }

  destroy(): void {
    this.#session.destroy();
  }

  opened(id: number): CarriedStream {
    const { route, context } = this.#options;
    const stream =
      this.#free.pop() ??
      new ServerStream({ carrier: this.#session, route, context, onFree: (ended) => this.#free.push(ended) });
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
