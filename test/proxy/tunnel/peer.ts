/** A peer that speaks frames of the tunnel by hand, whatever an agent would do. @module */
import { once } from 'node:events';
import tls from 'node:tls';
import { afterEach } from 'vitest';
import { ALPN, type Alpn, endpointServerName } from '../../../proxy/snapshot.ts';
import { ENDS, FRAME_BYTES, KIND } from '../../../proxy/tunnel/frames.ts';
import { type Mesh, WEB } from '../mesh.ts';

const opened: tls.TLSSocket[] = [];
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy();
});

/** A peer with a good certificate that speaks frames by hand. */
export class Peer {
  readonly socket: tls.TLSSocket;
  received = Buffer.alloc(0);
  code = '';
  readonly #closed: Promise<void>;

  private constructor(socket: tls.TLSSocket) {
    this.socket = socket;
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.code = error.code ?? error.message;
    });
  }

  static async dial(mesh: Mesh, protocol: Alpn = ALPN.tunnel): Promise<Peer> {
    const { certificateChainPem: cert, privateKeyPem: key } = mesh.mint(WEB);
    const servername = endpointServerName(mesh.appPort, 'cart', 'shop');
    const options = { port: mesh.tunnelPort, host: '127.0.0.1', rejectUnauthorized: false, servername };
    const socket = tls.connect({ ...options, ALPNProtocols: [protocol], cert, key });
    opened.push(socket);
    const peer = new Peer(socket);
    await once(socket, 'secureConnect');
    return peer;
  }

  send(...frames: readonly Buffer[]): this {
    this.socket.write(Buffer.concat(frames));
    return this;
  }

  /** Frames that have arrived whole. */
  frames(): { kind: number; ends: boolean; stream: number; payload: string }[] {
    const found = [];
    let at = 0;
    while (at + FRAME_BYTES <= this.received.length) {
      const length = this.received.readUIntBE(at, 3);
      const kind = this.received[at + 3]!;
      const payload = this.received.toString('latin1', at + FRAME_BYTES, at + FRAME_BYTES + length);
      if (payload.length < length) break;
      found.push({
        kind: kind & ~ENDS,
        ends: (kind & ENDS) !== 0,
        stream: this.received.readUInt32BE(at + 4),
        payload,
      });
      at += FRAME_BYTES + length;
    }
    return found;
  }

  async until(kind: number, stream: number): Promise<string> {
    for (;;) {
      const found = this.frames().find((frame) => frame.kind === kind && frame.stream === stream);
      if (found !== undefined) return found.payload;
      if (this.socket.closed) throw new Error(`closed after ${JSON.stringify(this.frames())}`);
      await Promise.race([once(this.socket, 'data').catch(() => undefined), this.closed()]);
    }
  }

  closed(): Promise<void> {
    return this.#closed;
  }
}

export function frame(kind: number, stream: number, payload: Buffer | string = ''): Buffer {
  const header = Buffer.alloc(FRAME_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = kind;
  header.writeUInt32BE(stream, 4);
  return Buffer.concat([header, Buffer.from(payload)]);
}

export function hello(maxStreams = 512): Buffer {
  const payload = Buffer.alloc(12);
  payload.writeUInt32BE(1, 0);
  payload.writeUInt32BE(maxStreams, 4);
  payload.writeUInt32BE(65_536, 8);
  return frame(KIND.hello, 0, payload);
}
