/** The other end of an HTTP/2 connection of Weft, as client or as application, with every frame in the test's hands. @module */

import { once } from 'node:events';
import net from 'node:net';
import { HpackDecoder } from '../../../proxy/http2/hpack/decoder.ts';
import { HeaderList } from '../../../proxy/http2/hpack/header-list.ts';
import { ACK, type Fields, PREFACE, ping, settings, settingsAck, TOKEN, TYPE } from './frames.ts';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export const GET: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'cart.shop'],
];

export const POST: Fields = [[':method', 'POST'], ...GET.slice(1)];

/** A request for another path than `/`. */
export function request(path: string, method = 'GET', more: Fields = []): Fields {
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'cart.shop'], ...more];
}

export class Peer implements Disposable {
  readonly socket: net.Socket;
  /** Everything received, the frames that were awaited included. */
  readonly received: Frame[] = [];
  /** The connection was ended by Weft in order, not reset. */
  hasEnded = false;
  error: Error | undefined;
  #looked = 0;
  #bytes = Buffer.alloc(0);
  readonly #decoder = new HpackDecoder(4_096);
  readonly #list = new HeaderList({ maxHeadBytes: 65_536, maxFields: 500 });

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('end', () => {
      this.hasEnded = true;
    });
  }

  static async connect(port: number): Promise<Peer> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const peer = new Peer(socket);
    await once(socket, 'connect');
    peer.listen();
    return peer;
  }

  /** A client whose connection is ready: settings are exchanged and acknowledged. */
  static async client(port: number, ...own: (readonly [number, number])[]): Promise<Peer> {
    const peer = await Peer.connect(port);
    peer.send(PREFACE, settings(...own));
    await peer.greeted();
    return peer;
  }

  /** Reads frames from now on. */
  listen(): void {
    this.socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      for (;;) {
        if (this.#bytes.length < 9) return;
        const end = 9 + this.#bytes.readUIntBE(0, 3);
        if (this.#bytes.length < end) return;
        const [type, flags, stream] = [this.#bytes[3]!, this.#bytes[4]!, this.#bytes.readUInt32BE(5)];
        this.received.push({ type, flags, stream, payload: this.#bytes.subarray(9, end) });
        this.#bytes = this.#bytes.subarray(end);
      }
    });
  }

  /** For an application: the client has sent its preface. Reads frames from then on. */
  async accept(): Promise<void> {
    const read = (): Buffer | null => this.socket.read(PREFACE.length) as Buffer | null;
    let preface = read();
    while (preface === null) {
      await once(this.socket, 'readable');
      preface = read();
    }
    if (!preface.equals(PREFACE)) throw new Error(`no preface: ${preface.toString('latin1')}`);
    this.listen();
  }

  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** The settings of Weft have come and been acknowledged, and so have ours. */
  async greeted(): Promise<void> {
    await this.next(({ type, flags }) => type === TYPE.settings && flags === 0);
    this.send(settingsAck);
    await this.next(({ type, flags }) => type === TYPE.settings && flags === ACK);
  }

  /** The next frame that fits; those before it are passed over. Rejects when the connection ends before. */
  async next(fits: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      while (this.#looked < this.received.length) {
        const frame = this.received[this.#looked++]!;
        if (fits(frame)) return frame;
      }
      if (this.socket.closed || this.socket.readableEnded) {
        throw new Error(`the connection ended after ${JSON.stringify(this.received.map(tell))}`);
      }
      await anyOf(this.socket, 'data', 'end', 'close');
    }
  }

  /** Lets go of frames that were looked at, for tests that receive many. */
  forget(): void {
    this.received.splice(0, this.#looked);
    this.#looked = 0;
  }

  of(type: number, stream?: number): Promise<Frame> {
    return this.next((frame) => frame.type === type && (stream === undefined || frame.stream === stream));
  }

  /** The connection answers a ping: it lives, and has read all that was sent before. */
  async alive(token: Buffer = TOKEN): Promise<void> {
    this.send(ping(false, token));
    await this.next(({ type, flags, payload }) => type === TYPE.ping && flags === ACK && payload.equals(token));
  }

  /** Fields of a header block. Every HEADERS received must be read in order, for the table is one. */
  fields({ payload }: Frame): Fields {
    if (!this.#decoder.decode(payload, 0, payload.length, this.#list)) throw new Error('no HPACK');
    const list = this.#list;
    return Array.from({ length: list.count }, (_, i) => [list.name(i), list.value(i)] as const);
  }

  /** Weft has closed its side. */
  async ended(): Promise<void> {
    while (!this.socket.closed && !this.socket.readableEnded) await anyOf(this.socket, 'data', 'end', 'close');
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

function tell({ type, flags, stream, payload }: Frame): string {
  const name = Object.entries(TYPE).find(([, number]) => number === type)?.[0] ?? type;
  return `${name} ${flags} ${stream} ${payload.toString('hex', 0, 20)}`;
}

function anyOf(socket: net.Socket, ...events: string[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) socket.off(event, done);
      resolve();
    };
    for (const event of events) socket.on(event, done);
  });
}
