/** The dialling side of a connection with many streams: hands out streams, and keeps those that ended for the next request. @module */

import type { HttpConfig } from '../config.ts';
import type { CarrierOwner, Session } from './carrier.ts';
import { ClientStream } from './client-stream.ts';

export interface ClientSessionOwner {
  /** There may be room for another stream. */
  released(session: ClientSession): void;
  /** It takes no more streams; those that are open go on. */
  leaving(session: ClientSession): void;
  /** It is closed, and its streams have been told. */
  gone(session: ClientSession): void;
}

export class ClientSession implements CarrierOwner {
  readonly #session: Session;
  readonly #http: HttpConfig;
  readonly #owner: ClientSessionOwner;
  readonly #free: ClientStream[] = [];

  /** @param connect makes the connection of this owner */
  constructor(connect: (owner: CarrierOwner) => Session, http: HttpConfig, owner: ClientSessionOwner) {
    this.#http = http;
    this.#owner = owner;
    this.#session = connect(this);
  }

  /** Whether the other side has said what it allows. */
  get isGreeted(): boolean {
    return this.#session.isGreeted;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#session.size;
  }

  /** A stream for one request, or none where there is no room. */
  take(): ClientStream | undefined {
    if (!this.#session.hasRoom) return undefined;
    const stream =
      this.#free.pop() ??
      new ClientStream({ carrier: this.#session, http: this.#http, onFree: (ended) => this.#free.push(ended) });
    stream.open();
    return stream;
  }

  drain(): void {
    this.#session.drain();
  }

  destroy(): void {
    this.#session.destroy();
  }

  opened(): undefined {
    return undefined; // only who dialled opens streams
  }

  goaway(): void {
    this.#owner.leaving(this);
  }

  released(): void {
    this.#owner.released(this);
  }

  gone(): void {
    this.#owner.gone(this);
  }
}
