/**
 * DNS over UDP: names of the mesh are answered, every other datagram goes on byte for byte to the resolver it was meant
 * for, and what that says comes back byte for byte.
 *
 * Each datagram passed on has a socket of its own, so that its source port is as unpredictable as the kernel makes it
 * and only its resolver can answer it.
 * @module
 */

import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { afterTwoTurns } from '../fair-timeout.ts';
import type { DnsLimits } from './config.ts';
import { readQuery, udpLimit, writeAnswer, writeFailure } from './message.ts';
import type { DnsSockets, ResolverAddress } from './sockets.ts';
import type { DnsStats } from './stats.ts';
import { answerMeshName, type DnsLookup, isMeshName } from './zone.ts';

export interface UdpListenerOptions {
  readonly unit: string;
  /** A bound descriptor, or an address to bind. */
  readonly bind: { readonly fd: number } | { readonly address: string; readonly port: number };
  readonly lookup: DnsLookup;
  readonly sockets: DnsSockets;
  readonly limits: DnsLimits;
  readonly stats: DnsStats;
  readonly log: Logger;
}

/** RFC 863. Nothing is ever sent there. */
const DISCARD_PORT = 9;

/** A datagram that was here when the socket was closed. */
interface Left {
  readonly message: Buffer;
  readonly client: RemoteInfo;
}

interface Pending {
  readonly upstream: Socket;
  readonly client: RemoteInfo;
  readonly query: Buffer;
  readonly expiresAtMs: number;
}

export class UdpListener implements AsyncDisposable {
  readonly #options: UdpListenerOptions;
  readonly #family: 4 | 6;
  readonly #socket: Socket;
  readonly #local: ResolverAddress;
  /** Oldest first: they are added in order of time, and all wait equally long. */
  readonly #pending = new Set<Pending>();
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: UdpListenerOptions, socket: Socket) {
    const { address, port, family } = socket.address();
    this.#options = options;
    this.#socket = socket;
    this.#local = { address, port };
    this.#family = family === 'IPv6' ? 6 : 4;
    socket.on('message', (message, client) => this.#received(message, client));
    socket.on('error', (err) => options.log.error({ err }, 'dns socket failed'));
  }

  static async start(options: UdpListenerOptions, family: 4 | 6): Promise<UdpListener> {
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', lookup: literalOf(family) });
    try {
      const listening = once(socket, 'listening'); // with a descriptor, bind() emits it before it returns
      socket.bind({ ...options.bind, exclusive: true });
      await listening;
    } catch (err) {
      socket.close();
      throw err;
    }
    return new UdpListener(options, socket);
  }

  get port(): number {
    return this.#local.port;
  }

  /**
   * Stops answering, once what the kernel had given this socket is answered: where another process listens on the same port,
   * nothing of it is lost. Queries that wait for a resolver are dropped; their clients ask again.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    for (const pending of this.#pending) pending.upstream.close();
    this.#pending.clear();
    const left = await this.#setAside();
    const closed = once(this.#socket, 'close');
    for (const { message, client } of left) this.#answer(message, client); // in this turn, as the socket takes new ones again
    this.#socket.close();
    await closed;
  }

  /** What came and was not read. A socket with a peer is given nothing else by the kernel, and keeps what it has. */
  async #setAside(): Promise<Left[]> {
    const left: Left[] = [];
    this.#socket.removeAllListeners('message');
    this.#socket.on('message', (message, client) => left.push({ message, client }));
    const connected = once(this.#socket, 'connect');
    try {
      this.#socket.connect(DISCARD_PORT, this.#family === 4 ? '127.0.0.1' : '::1');
      await connected;
      await new Promise<void>(afterTwoTurns);
      this.#socket.disconnect();
      return left;
    } catch (err) {
      this.#options.log.debug({ err }, 'dns socket is closed with what it holds');
      return [];
    }
  }

  #received(message: Buffer, client: RemoteInfo): void {
    if (!this.#answer(message, client)) this.#passOn(message, client);
  }

  /** @returns whether it asks for a name of the mesh */
  #answer(message: Buffer, client: RemoteInfo): boolean {
    const query = readQuery(message);
    if (query === undefined || !isMeshName(query, this.#options.lookup)) return false;
    const { answer, outcome } = answerMeshName(query, this.#options.lookup);
    this.#options.stats.count(outcome);
    this.#reply(writeAnswer(query, answer, udpLimit(query)), client);
    return true;
  }

  #passOn(message: Buffer, client: RemoteInfo): void {
    const { unit, sockets, limits, stats } = this.#options;
    try {
      const resolver = this.#resolverOf(client);
      if (resolver === undefined) {
        stats.count('no-destination');
        return;
      }
      if (this.#pending.size >= limits.maxPending) this.#giveUpOldest();
      const family = isIPv6(resolver.address) ? 6 : 4;
      this.#ask(newSocket(family, sockets.openUdp(unit, family)), { message, client, resolver });
      stats.count('passed-on');
    } catch (err) {
      this.#failed(err, message, client);
    }
  }

  /** Where the client sent its datagram. A datagram sent to this very socket was meant for nobody else. */
  #resolverOf(client: RemoteInfo): ResolverAddress | undefined {
    const flow = {
      family: this.#family,
      local: this.#local,
      client: { address: withoutZone(client.address), port: client.port },
    };
    const resolver = this.#options.sockets.originalUdpDestination(this.#options.unit, flow);
    const isHere = resolver?.port === this.#local.port && resolver.address === this.#local.address;
    return isHere ? undefined : resolver;
  }

  #ask(upstream: Socket, asked: { message: Buffer; client: RemoteInfo; resolver: ResolverAddress }): void {
    const { message, client, resolver } = asked;
    const expiresAtMs = performance.now() + this.#options.limits.answerTimeoutMs;
    const pending: Pending = { upstream, client, query: message, expiresAtMs };
    this.#pending.add(pending);
    upstream.on('message', (answer) => this.#answered(pending, answer));
    upstream.on('error', (err) => this.#gaveError(pending, err));
    upstream.connect(resolver.port, resolver.address, () => {
      if (this.#pending.has(pending)) upstream.send(message, (err) => err && this.#gaveError(pending, err));
    });
    this.#timer ??= setTimeout(() => this.#expire(), this.#options.limits.answerTimeoutMs);
  }

  /** Passes back whatever the resolver says; the wait ends with a message of the query's id, so that no guess ends it. */
  #answered(pending: Pending, answer: Buffer): void {
    if (!this.#pending.has(pending)) return;
    this.#reply(answer, pending.client);
    const isTheAnswer = answer.length >= 2 && answer[0] === pending.query[0] && answer[1] === pending.query[1];
    if (!isTheAnswer) return;
    this.#options.stats.count('relayed');
    this.#forget(pending);
  }

  #gaveError(pending: Pending, err: Error): void {
    if (!this.#pending.has(pending)) return;
    this.#forget(pending);
    this.#failed(err, pending.query, pending.client);
  }

  #failed(err: unknown, query: Buffer, client: RemoteInfo): void {
    this.#options.stats.count('failed');
    this.#options.log.debug({ err }, 'dns query could not be passed on');
    const failure = writeFailure(query);
    if (failure !== undefined) this.#reply(failure, client);
  }

  #giveUpOldest(): void {
    const oldest = this.#pending.values().next().value;
    if (oldest === undefined) return;
    this.#options.stats.count('crowded');
    this.#forget(oldest);
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const pending of this.#pending) {
      if (pending.expiresAtMs > nowMs) {
        this.#timer = setTimeout(() => this.#expire(), pending.expiresAtMs - nowMs);
        return;
      }
      this.#options.stats.count('timed-out');
      this.#forget(pending);
    }
  }

  #forget(pending: Pending): void {
    this.#pending.delete(pending);
    pending.upstream.close();
  }

  #reply(message: Buffer, { address, port }: RemoteInfo): void {
    this.#socket.send(message, port, address, (err) => {
      if (err) this.#options.log.debug({ err }, 'dns answer could not be sent');
    });
  }
}

/** A socket around an open descriptor. */
function newSocket(family: 4 | 6, fd: number): Socket {
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', lookup: literalOf(family) });
  return socket.bind({ fd, exclusive: true });
}

/** Addresses here are literals; by itself Node would look them up as names, and send a turn later. */
function literalOf(family: 4 | 6): NonNullable<SocketOptions['lookup']> {
  return (literal, _options, done) => done(null, literal, family);
}

/** `fe80::1%eth0` without what follows the percent sign. */
function withoutZone(address: string): string {
  const end = address.indexOf('%');
  return end < 0 ? address : address.slice(0, end);
}
