/**
 * Tunnels whose streams are bytes (`weft-tcp/3`): each stream is a connection to the application of one endpoint, judged and
 * counted by itself, as those that come alone are.
 * @module
 */

import type { Socket } from 'node:net';
import type { Drainable } from '../http/exchange.ts';
import type { ConnectionBudget } from '../listeners/connection-budget.ts';
import type { ReasonCode } from '../reasons.ts';
import { type CarriedStream, type CarrierOwner, type Piece, RESET } from '../streams/carrier.ts';
import { StreamBytes } from '../streams/stream-socket.ts';
import { BYTES, type Bytes, isBytes, OPEN } from '../tunnel/byte-streams.ts';
import { TunnelConnection } from '../tunnel/connection.ts';
import type { LocalTarget } from '../upstream/local-target.ts';
import type { Call } from './call.ts';
import { type InboundContext, relayOpaque, serveHttp } from './serve.ts';

export interface ByteStreamsContext extends InboundContext {
  /** Streams take their places in it, as accepted connections do. */
  readonly budget: ConnectionBudget;
}

export interface ByteStreamsOptions {
  readonly socket: Socket;
  readonly transport: Socket;
  readonly caller: Omit<Call, 'target'>;
  readonly unit: string;
  /** What the server name of the tunnel stands for now; undefined once that is not whom the handshake showed. */
  readonly target: () => LocalTarget | undefined;
  readonly context: ByteStreamsContext;
}

/** Takes a connection after its handshake. */
export function serveByteStreams(options: ByteStreamsOptions): void {
  options.context.connections.add(new ByteStreams(options));
}

class ByteStreams implements CarrierOwner, Drainable {
  readonly #options: ByteStreamsOptions;
  readonly #connection: TunnelConnection;

  constructor(options: ByteStreamsOptions) {
    const { socket, transport, context } = options;
    const { http, tunnel, deadlines } = context;
    const { idleTimeoutMs } = tunnel;
    const owned = { socket, transport, isDialler: false, http, tunnel, idleTimeoutMs, deadlines };
    this.#options = options;
    this.#connection = new TunnelConnection({ ...owned, owner: this });
  }

  drain(): void {
    this.#connection.drain();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  opened(id: number): CarriedStream | undefined {
    const { unit, context } = this.#options;
    if (context.budget.take(unit)) {
      const stream = new ArrivingBytes(id, this.#connection, (kind) => this.#serve(stream, kind));
      stream.socket.once('close', () => context.budget.release(unit));
      return stream;
    }
    context.stats.count('connectionsRefusedLimit');
    this.#connection.writer.reset(id, RESET.refused);
    this.#connection.schedule();
    return undefined;
  }

  goaway(): void {}

  released(): void {}

  gone(): void {
    this.#options.context.connections.delete(this);
  }

  #serve(stream: ArrivingBytes, kind: Bytes): void {
    const { caller, target: targetNow, context } = this.#options;
    const { socket } = stream;
    const target = targetNow();
    if (target === undefined) {
      this.#refuse(stream, 'workload-gone');
      return;
    }
    const arriving = { socket, transport: socket, call: { ...caller, target }, leftover: undefined };
    if (kind === BYTES.http1) {
      this.#accept(stream);
      serveHttp(arriving, { idleTimeoutMs: context.tunnel.idleTimeoutMs, endIsAbort: true }, context);
      return;
    }
    socket.pause();
    const accepted = (): void => this.#accept(stream);
    const refused = (reason: ReasonCode): void => this.#refuse(stream, reason);
    relayOpaque({ ...arriving, answer: { accepted, refused } }, context);
  }

  #accept({ id, socket }: ArrivingBytes): void {
    if (socket.destroyed) return;
    this.#connection.writer.headText(id, OPEN);
    this.#connection.schedule();
  }

  #refuse(stream: ArrivingBytes, reason: ReasonCode): void {
    if (stream.socket.destroyed) return;
    this.#connection.writer.headText(stream.id, reason);
    this.#connection.writer.end(stream.id, '');
    this.#connection.schedule();
    stream.over();
  }
}

/** A stream that has yet to say what it is. */
class ArrivingBytes extends StreamBytes {
  readonly #begin: (kind: Bytes) => void;
  #hasBegun = false;

  constructor(id: number, connection: TunnelConnection, begin: (kind: Bytes) => void) {
    super(id, connection);
    this.#begin = begin;
  }

  override head({ bytes, start, end, isLast }: Piece, ends: boolean): void {
    const kind = bytes[start];
    if (this.#hasBegun || !isLast || ends || end - start !== 1 || !isBytes(kind)) {
      this.malformed();
      return;
    }
    this.#hasBegun = true;
    this.#begin(kind);
  }
}
