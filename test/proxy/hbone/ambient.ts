/**
 * The proxy of an ambient mesh under the root of the test's mesh, as ztunnel behaves on the wire: SVIDs straight from a CA,
 * no server name, ALPN h2, one CONNECT a connection, served and sent by node:http2.
 * @module
 */

import { once } from 'node:events';
import http2 from 'node:http2';
import type net from 'node:net';
import tls from 'node:tls';
import { toPem } from '../../../certs/trust-bundle.ts';
import { type Forged, forge, HOUR_MS, SHAPE, TRUST_DOMAIN } from '../../certs/trust.ts';
import type { Mesh } from '../mesh.ts';

export const ISTIO = `spiffe://${TRUST_DOMAIN}/ns/istio/sa/web`;

export class Ambient implements AsyncDisposable {
  readonly #mesh: Mesh;
  readonly ca: Forged;
  readonly #sessions: http2.ClientHttp2Session[] = [];
  readonly #servers: http2.Http2SecureServer[] = [];
  readonly #serverSessions = new Set<http2.ServerHttp2Session>();

  /** Its CA is listed on both nodes, for `grant`. */
  constructor(mesh: Mesh, grant: readonly string[] = ['ns/istio/*']) {
    const times = { notBeforeMs: Date.now() - HOUR_MS, notAfterMs: Date.now() + HOUR_MS };
    this.#mesh = mesh;
    this.ca = forge({ ...SHAPE.issuer, ...times, subject: 'istiod', uris: [] }, mesh.root());
    mesh.foreignIssuers = [{ name: 'istio.crt', certificatePem: this.ca.certificate.toString(), grant }];
    mesh.a.proxy.apply(mesh.update({}));
    mesh.b.proxy.apply(mesh.update({}));
  }

  /** An SVID of it, with the chain as istiod hands it out: with the root at its end. */
  credentials(spiffeId = ISTIO): { cert: string; key: string | Buffer } {
    const times = { notBeforeMs: Date.now() - HOUR_MS, notAfterMs: Date.now() + HOUR_MS / 2 };
    const { certificate, privateKey } = forge({ ...SHAPE.svid, ...times, uris: [spiffeId] }, this.ca);
    const cert = toPem([certificate, this.ca.certificate, this.#mesh.root().certificate]);
    return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
  }

  dial(options: tls.ConnectionOptions = {}): tls.TLSSocket {
    const given = { ...this.credentials(), ...options };
    const { tunnelPort: port } = this.#mesh;
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'], ...given });
    socket.on('error', () => undefined);
    return socket;
  }

  /** A connection to the tunnel listener of node b. */
  async connect(options: tls.ConnectionOptions & http2.ClientSessionOptions = {}): Promise<http2.ClientHttp2Session> {
    const socket = this.dial(options);
    await once(socket, 'secureConnect');
    const session = http2.connect('https://ambient', { ...options, createConnection: () => socket });
    session.on('error', () => undefined);
    this.#sessions.push(session);
    return session;
  }

  /** Serves CONNECT as ztunnel does, in front of `onStream`. @returns the port */
  async serve(
    spiffeId: string,
    onStream: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  ): Promise<number> {
    const server = http2.createSecureServer({
      ...this.credentials(spiffeId),
      requestCert: true,
      rejectUnauthorized: false,
    });
    server.on('session', (session) => {
      this.#serverSessions.add(session);
      session.on('error', () => undefined);
      session.on('close', () => this.#serverSessions.delete(session));
    });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      onStream(stream as http2.ServerHttp2Stream, headers);
    });
    this.#servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as net.AddressInfo).port;
  }

  /** Connections that it serves. */
  get served(): number {
    return this.#serverSessions.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of [...this.#sessions, ...this.#serverSessions]) session.destroy();
    for (const server of this.#servers) server.close();
  }
}

/** A CONNECT, and what came of it. */
export class Way {
  readonly stream: http2.ClientHttp2Stream;
  status = 0;
  headers: http2.IncomingHttpHeaders = {};
  received = '';
  bytes = 0;
  hasEnded = false;

  private constructor(stream: http2.ClientHttp2Stream) {
    this.stream = stream;
    stream.on('error', () => undefined);
    stream.on('end', () => {
      this.hasEnded = true;
    });
  }

  static async open(session: http2.ClientHttp2Session, authority: string): Promise<Way> {
    const way = new Way(session.request({ ':method': 'CONNECT', ':authority': authority }, { endStream: false }));
    const [headers] = (await once(way.stream, 'response')) as [http2.IncomingHttpHeaders & { ':status': number }];
    way.status = headers[':status'];
    way.headers = headers;
    return way;
  }

  /** Reads from now on. */
  read(): this {
    this.stream.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (this.bytes < 1_000_000) this.received += chunk.toString('latin1');
    });
    return this;
  }

  closed(): Promise<void> {
    if (this.stream.closed && this.stream.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.stream.once('close', () => resolve()));
  }
}
