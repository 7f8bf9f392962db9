/**
 * Where joiners knock: TLS 1.3 on a port of its own, one question and one answer a connection.
 *
 * It shows a credential that only an issuer can have, so that a joiner hands its token to nobody else. Whoever has a node
 * certificate, expired or not, may show it to renew it. Everything a stranger can use up is bounded: connections, also of
 * one address and a second, bytes, and time.
 * @module
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { type Issuer, mintDeskCredential } from '../../certs/issuer.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import { peerChain } from '../../certs/verify.ts';
import { encodeFrame } from '../../gossip/libp2p/frames.ts';
import { TokenBucket } from '../../gossip/libp2p/token-bucket.ts';
import { formatSocketAddress, parseSocketAddress } from '../addresses.ts';
import { AgentError, systemCode } from '../errors.ts';
import { JOIN_TLS, readFrame } from './connection.ts';
import type { IssuerDesk } from './desk.ts';
import { MAX_QUESTION_BYTES } from './messages.ts';

export interface JoinListenerOptions {
  /** `address:port`. */
  readonly listen: string;
  readonly issuer: () => Issuer;
  readonly trust: () => TrustBundle;
  readonly desk: Pick<IssuerDesk, 'atTheDoor'>;
  readonly log: Logger;
}

const MAX_CONNECTIONS = 64;
/** For handshake, question and answer together. */
const TIMEOUT_MS = 10_000;
const PER_ADDRESS_PER_SECOND = 2;
const PER_ADDRESS_BURST = 20;
const MAX_RATED = 1_024;
const CREDENTIAL_TTL_MS = 24 * 3_600_000;
const CREDENTIAL_FRESH_MS = 3_600_000;

export class JoinListener implements AsyncDisposable {
  readonly #options: JoinListenerOptions;
  readonly #server: Server;
  readonly #tls: tls.Server;
  readonly #open = new Set<Socket>();
  readonly #rates = new Map<string, TokenBucket>();
  #mintedAtMs = Number.NEGATIVE_INFINITY;
  #mintedUnder: TrustBundle | undefined;
  #mintedBy: Issuer | undefined;
  #turnedAway = 0;

  static async start(options: JoinListenerOptions): Promise<JoinListener> {
    const listener = new JoinListener(options);
    const { address, port } = parseSocketAddress(options.listen)!; // the configuration says so
    try {
      listener.#server.listen({ host: address, port });
      await once(listener.#server, 'listening');
      return listener;
    } catch (cause) {
      const code = systemCode(cause) === 'EADDRINUSE' ? 'WEFT_AGENT_ADDRESS_IN_USE' : 'WEFT_AGENT_ADDRESS_UNUSABLE';
      throw new AgentError(code, `certs.join.listen ${options.listen}`, { cause });
    }
  }

  private constructor(options: JoinListenerOptions) {
    this.#options = options;
    this.#tls = tls.createServer({ ...JOIN_TLS, requestCert: true, handshakeTimeout: TIMEOUT_MS });
    this.#tls.on('secureConnection', (socket) => void this.#serve(socket));
    this.#tls.on('tlsClientError', (_err, socket) => socket.destroy());
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** `address:port` in use. */
  get address(): string {
    const bound = this.#server.address();
    return bound === null || typeof bound === 'string'
      ? ''
      : formatSocketAddress({ address: bound.address, port: bound.port });
  }

  /** Connections that were closed unheard because of a bound. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    if (this.#open.size >= MAX_CONNECTIONS || !this.#rateOf(socket.remoteAddress ?? '').take(performance.now())) {
      this.#turnedAway++;
      socket.resetAndDestroy();
      return;
    }
    this.#open.add(socket);
    const deadline = setTimeout(() => socket.destroy(), TIMEOUT_MS);
    socket.on('error', () => {}); // what strangers do to their connections concerns nobody
    socket.once('close', () => {
      clearTimeout(deadline);
      this.#open.delete(socket);
    });
    try {
      this.#refreshCredential();
      this.#tls.emit('connection', socket);
    } catch (err) {
      this.#options.log.error({ err }, 'the join listener has no credential to show');
      socket.destroy();
    }
  }

  /** By the clock of those who come, so that an idle listener costs nothing. */
  #refreshCredential(): void {
    const nowMs = Date.now();
    const trust = this.#options.trust();
    const issuer = this.#options.issuer();
    const isSame = this.#mintedUnder === trust && this.#mintedBy === issuer;
    if (isSame && nowMs - this.#mintedAtMs < CREDENTIAL_FRESH_MS) return;
    const root = trust.roots.find(
      (one) => issuer.certificate.checkIssued(one) && issuer.certificate.verify(one.publicKey),
    );
    if (root === undefined) throw new AgentError('WEFT_AGENT_ISSUER_UNTRUSTED', issuer.file);
    const { certificatePem, privateKeyPem } = mintDeskCredential(issuer, root, { ttlMs: CREDENTIAL_TTL_MS, nowMs });
    this.#tls.setSecureContext({ ...JOIN_TLS, cert: certificatePem, key: privateKeyPem });
    this.#mintedAtMs = nowMs;
    this.#mintedUnder = trust;
    this.#mintedBy = issuer;
  }

  async #serve(socket: tls.TLSSocket): Promise<void> {
    const { desk, log } = this.#options;
    const from = socket.remoteAddress ?? '';
    socket.on('error', () => {});
    try {
      const question = await readFrame(socket, MAX_QUESTION_BYTES);
      if (question === undefined) return;
      const publicKey = peerChain(socket)[0]?.publicKey.export({ type: 'spki', format: 'der' });
      socket.end(encodeFrame(await desk.atTheDoor(question, { from, publicKey })));
    } catch (err) {
      log.error({ err, from }, 'a question at the join listener could not be answered');
      socket.destroy();
    }
  }

  #rateOf(address: string): TokenBucket {
    let rate = this.#rates.get(address);
    if (rate === undefined) {
      const oldest = this.#rates.keys().next();
      if (this.#rates.size >= MAX_RATED && !oldest.done) this.#rates.delete(oldest.value);
      rate = new TokenBucket(PER_ADDRESS_PER_SECOND, PER_ADDRESS_BURST, performance.now());
      this.#rates.set(address, rate);
    }
    return rate;
  }
}
