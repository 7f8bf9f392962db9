/**
 * DNS over TCP: as over UDP, message by message. A connection gets one connection to the resolver it was meant for, opened
 * with the first message that is not the mesh's to answer.
 * @module
 */
import { once } from 'node:events';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { DnsLimits } from './config.ts';
import { frame, MessageReader } from './framing.ts';
import { MAX_TCP_BYTES, readQuery, writeAnswer } from './message.ts';
import type { DnsSockets } from './sockets.ts';
import type { DnsStats } from './stats.ts';
import { answerMeshName, type DnsLookup, isMeshName } from './zone.ts';

export interface TcpListenerOptions {
  readonly unit: string;
  /** A listening descriptor, or an address to bind. */
  readonly bind: { readonly fd: number } | { readonly address: string; readonly port: number };
  readonly lookup: DnsLookup;
  readonly sockets: DnsSockets;
  readonly limits: DnsLimits;
  readonly stats: DnsStats;
  readonly log: Logger;
}

export class TcpListener implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #open: Set<Session>;
  #closing: Promise<void> | undefined;

  private constructor(server: Server, open: Set<Session>) {
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    this.#server = server;
    this.#open = open;
  }

  static async start(options: TcpListenerOptions): Promise<TcpListener> {
    const open = new Set<Session>();
    const server = createServer({ allowHalfOpen: true }, (client) => {
      if (open.size >= options.limits.maxConnections) {
        options.stats.count('crowded');
        client.on('error', () => {});
        client.resetAndDestroy();
        return;
      }
      const session = new Session(client, options);
      open.add(session);
      client.on('close', () => open.delete(session));
    });
    server.listen('fd' in options.bind ? options.bind : { host: options.bind.address, port: options.bind.port });
    await once(server, 'listening');
    server.on('error', (err) => options.log.error({ err }, 'dns listener failed'));
    return new TcpListener(server, open);
  }

  /** Stops accepting and ends all connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const session of this.#open) session.destroy();
    await closed;
  }
}

/** One client connection and, when needed, its connection to the resolver. Either side's slowness stops the other. */
class Session {
  readonly #client: Socket;
  readonly #options: TcpListenerOptions;
  readonly #queries = new MessageReader();
  readonly #answers = new MessageReader();
  #upstream: Socket | undefined;

  constructor(client: Socket, options: TcpListenerOptions) {
    this.#client = client;
    this.#options = options;
    client.setTimeout(options.limits.idleTimeoutMs, () => this.destroy());
    client.on('data', (chunk: Buffer) => this.#fromClient(chunk));
    client.on('end', () => this.#clientEnded());
    client.on('drain', () => {
      client.resume();
      this.#upstream?.resume();
    });
    client.on('error', () => {}); // 'close' follows
    client.on('close', () => this.destroy());
  }

  destroy(): void {
    this.#client.destroy();
    this.#upstream?.destroy();
  }

  #fromClient(chunk: Buffer): void {
    for (const message of this.#queries.read(chunk)) {
      if (this.#client.destroyed) return;
      const query = readQuery(message);
      if (query === undefined || !isMeshName(query, this.#options.lookup)) {
        this.#passOn(message);
        continue;
      }
      const { answer, outcome } = answerMeshName(query, this.#options.lookup);
      this.#options.stats.count(outcome);
      this.#toClient(frame(writeAnswer(query, answer, MAX_TCP_BYTES)));
    }
  }

  #passOn(message: Buffer): void {
    this.#upstream ??= this.#connect();
    if (!this.#upstream?.writable) return;
    this.#options.stats.count('passed-on');
    if (!this.#upstream.write(frame(message))) this.#client.pause();
  }

  /** undefined: there is nobody to ask, and the client was told by a reset, as the resolver's host would have. */
  #connect(): Socket | undefined {
    const { sockets, unit, limits, stats } = this.#options;
    try {
      const resolver = sockets.originalDestination(this.#client);
      if (resolver === undefined || this.#isHere(resolver)) {
        stats.count('no-destination');
        this.#client.resetAndDestroy();
        return undefined;
      }
      const upstream = sockets.open(unit, isIPv6(resolver.address) ? 6 : 4);
      upstream.setTimeout(limits.answerTimeoutMs, () => upstream.destroy(new Error('the resolver is silent')));
      upstream.on('connect', () => upstream.setTimeout(0)); // from here on the client's idle timeout counts
      upstream.on('data', (chunk: Buffer) => this.#fromUpstream(chunk));
      upstream.on('end', () => this.#upstreamEnded());
      upstream.on('drain', () => this.#client.resume());
      upstream.on('error', (err) => this.#failed(err));
      upstream.connect(resolver.port, resolver.address);
      return upstream;
    } catch (err) {
      this.#failed(err);
      return undefined;
    }
  }

  #isHere({ address, port }: { address: string; port: number }): boolean {
    return port === this.#client.localPort && address === this.#client.localAddress;
  }

  #fromUpstream(chunk: Buffer): void {
    for (const message of this.#answers.read(chunk)) {
      this.#options.stats.count('relayed');
      this.#toClient(frame(message));
    }
  }

  /** A client that does not read its answers may not ask more, nor may the resolver send more. */
  #toClient(framed: Buffer): void {
    if (!this.#client.writable || this.#client.write(framed)) return;
    this.#upstream?.pause();
    this.#client.pause();
  }

  #clientEnded(): void {
    if (this.#upstream === undefined) this.#client.end();
    else this.#upstream.end(this.#queries.rest());
  }

  #upstreamEnded(): void {
    this.#client.end(this.#answers.rest());
    this.#upstream?.end();
  }

  #failed(err: unknown): void {
    this.#options.stats.count('failed');
    this.#options.log.debug({ err }, 'dns connection could not be passed on');
    this.#client.resetAndDestroy();
  }
}
