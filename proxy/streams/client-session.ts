/** The dialling side of one tunnel: hands out streams, and keeps those that ended for the next request. @module */

import { TunnelClientStream } from './client-stream.ts';
import { TunnelConnection, type TunnelConnectionOptions, type TunnelOwner } from './connection.ts';

export interface ClientTunnelOwner {
  /** There may be room for another stream. */
  released(tunnel: ClientTunnel): void;
  /** It takes no more streams; those that are open go on. */
  leaving(tunnel: ClientTunnel): void;
  /** It is closed, and its streams have been told. */
  gone(tunnel: ClientTunnel): void;
}

export class ClientTunnel implements TunnelOwner {
  readonly #connection: TunnelConnection;
  readonly #options: Omit<TunnelConnectionOptions, 'owner' | 'isDialler'>;
  readonly #owner: ClientTunnelOwner;
  readonly #free: TunnelClientStream[] = [];

  constructor(options: Omit<TunnelConnectionOptions, 'owner' | 'isDialler'>, owner: ClientTunnelOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#connection = new TunnelConnection({ ...options, isDialler: true, owner: this });
  }

  /** Whether the other side has said what it allows. */
  get isGreeted(): boolean {
    return this.#connection.isGreeted;
  }

  get hasRoom(): boolean {
    return this.#connection.hasRoom;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#connection.size;
  }

  /** A stream for one request, or none where there is no room. */
  take(): TunnelClientStream | undefined {
    if (!this.#connection.hasRoom) return undefined;
    const stream =
      this.#free.pop() ??
      new TunnelClientStream({
        connection: this.#connection,
        http: this.#options.http,
        onFree: (ended) => this.#free.push(ended),
      });
    stream.open();
    return stream;
  }

  drain(): void {
    this.#connection.drain();
  }

  destroy(): void {
    this.#connection.destroy();
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
