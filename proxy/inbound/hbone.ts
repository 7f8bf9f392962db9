/**
 * Connections of HTTP/2 from other meshes (and from clients that name an endpoint): each CONNECT is a stream of bytes for a port
 * of this unit, as HBONE has it; each other request goes to the endpoint that the server name stood for.
 *
 * The bytes of a CONNECT are treated as those of a caller in plaintext whose identity is proven: on a port that speaks HTTP they
 * are read by our engine and each request is judged, so that CONNECT is no way around rules about requests.
 * @module
 */

import type { Socket } from 'node:net';
import { answerHead, refusal } from '../http/answer.ts';
import type { Denial } from '../http/request-guard.ts';
import { Http2Connection } from '../http2/connection.ts';
import type { ReasonCode } from '../reasons.ts';
import type { CarriedStream, CarrierOwner, Piece } from '../streams/carrier.ts';
import type { ServerSession } from '../streams/server-session.ts';
import { StreamBytes } from '../streams/stream-socket.ts';
import type { LocalTarget } from '../upstream/local-target.ts';
import type { NamedTarget, Workload } from '../workload.ts';
import type { Call } from './call.ts';
import { hbonePort, parseAuthority } from './hbone-target.ts';
import { type InboundContext, requestsOn, serveBytes } from './serve.ts';

export interface HboneOptions {
  readonly socket: Socket;
  readonly transport: Socket;
  readonly unit: string;
  readonly identity: string;
  /** The caller's. */
  readonly address: string;
  /** Whose certificate was shown. */
  readonly shown: Workload;
  /** What the server name stood for; undefined where there was none. */
  readonly named: NamedTarget | undefined;
  readonly idleTimeoutMs: number;
  readonly context: InboundContext;
}

const CONNECT = Buffer.from('CONNECT ');
const SP = 0x20;

/** Takes a connection after its handshake. */
export function serveHbone(options: HboneOptions): void {
  options.context.connections.add(new HboneSession(options));
}

class HboneSession implements CarrierOwner {
  readonly #options: HboneOptions;
  readonly #connection: Http2Connection;
  /** Requests other than CONNECT, once there is one. */
  #requests: ServerSession | undefined;

  constructor(options: HboneOptions) {
    const { socket, transport, idleTimeoutMs, context } = options;
    const { http, http2, deadlines } = context;
    const owned = { socket, transport, isClient: false, takesConnect: true, http, http2, idleTimeoutMs, deadlines };
    this.#options = options;
    this.#connection = new Http2Connection({ ...owned, owner: this });
  }

  drain(): void {
    this.#connection.drain();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  opened(id: number): CarriedStream {
    return new Arriving(id, this);
  }

  goaway(): void {}

  released(): void {}

  gone(): void {
    this.#options.context.connections.delete(this);
    this.#requests?.gone();
  }

  /** The stream that a head belongs to; undefined where it was refused at once. */
  streamFor(id: number, head: Piece): CarriedStream | undefined {
    if (!isConnect(head)) return this.#request(id);
    const target = this.#targetOf(authorityIn(head));
    if (typeof target === 'string') {
      this.#refuse(id, { reason: target, detail: '', policy: '' });
      return undefined;
    }
    return this.#bytes(id, target);
  }

  #targetOf(text: string): LocalTarget | ReasonCode {
    const { unit, socket, shown, context } = this.#options;
    const authority = parseAuthority(text);
    if (authority === undefined) return 'bad-host';
    return hbonePort(authority, { unit, localAddress: socket.localAddress, shown }, context.world);
  }

  #bytes(id: number, target: LocalTarget): CarriedStream | undefined {
    const { identity, address, context } = this.#options;
    const call: Call = { identity, address, target };
    const stream = new StreamBytes(id, this.#connection);
    const { socket } = stream;
    let isAnswered = false;
    const accepted = (): void => {
      if (isAnswered || socket.destroyed) return;
      isAnswered = true;
      this.#connection.writer.headText(id, 'HTTP/1.1 200 OK\r\n\r\n');
      this.#connection.schedule();
    };
    const refused = (reason: ReasonCode, detail: string, policy = ''): void => {
      if (isAnswered || socket.destroyed) return;
      isAnswered = true;
      this.#refuse(id, { reason, detail, policy });
      stream.over();
    };
    serveBytes({ socket, transport: socket, call, leftover: undefined, answer: { accepted, refused } }, context);
    return stream;
  }

  #request(id: number): CarriedStream | undefined {
    const { socket, transport, identity, address, named, context } = this.#options;
    if (named === undefined) {
      this.#refuse(id, { reason: 'connect-only', detail: '', policy: '' });
      return undefined;
    }
    const call = { identity, address, target: named.target };
    this.#requests ??= requestsOn(this.#connection, { socket, transport, call }, context);
    return this.#requests.opened(id);
  }

  /** Without a body: whoever opens tunnels reads fields. */
  #refuse(id: number, { reason, detail, policy }: Denial): void {
    const { node } = this.#options.context;
    const text = answerHead(refusal({ reason, detail, node, policy }), '');
    this.#connection.writer.headText(id, text.replace(/content-(type|length): [^\r]*\r\n/g, ''));
    this.#connection.writer.end(id, '');
    this.#connection.schedule();
  }

  remove(stream: CarriedStream): void {
    this.#connection.remove(stream);
  }
}

/** A stream whose head has yet to say what it is; from then on all that happens to it happens to that. */
class Arriving implements CarriedStream {
  readonly id: number;
  isTouched = false;
  readonly #session: HboneSession;
  #stream: CarriedStream | undefined;

  constructor(id: number, session: HboneSession) {
    this.id = id;
    this.#session = session;
  }

  head(piece: Piece, ends: boolean): void {
    if (this.#stream === undefined) {
      this.#stream = this.#session.streamFor(this.id, piece);
      if (this.#stream === undefined) {
        this.#session.remove(this);
        return;
      }
    }
    this.#stream.head(piece, ends);
  }

  data(piece: Piece, ends: boolean): void {
    this.#stream?.data(piece, ends);
  }

  end(piece: Piece): void {
    this.#stream?.end(piece);
  }

  reset(code: number): void {
    this.#stream?.reset(code);
    if (this.#stream === undefined) this.#session.remove(this);
  }

  credit(bytes: number): boolean {
    return this.#stream?.credit(bytes) ?? true;
  }

  settle(): void {
    this.#stream?.settle();
  }

  writable(): void {
    this.#stream?.writable();
  }

  gone(detail: string): void {
    this.#stream?.gone(detail);
  }
}

function isConnect({ bytes, start }: Piece): boolean {
  return bytes.compare(CONNECT, 0, CONNECT.length, start, start + CONNECT.length) === 0;
}

function authorityIn({ bytes, start, end }: Piece): string {
  const from = start + CONNECT.length;
  return bytes.toString('latin1', from, Math.min(end, bytes.indexOf(SP, from)));
}
