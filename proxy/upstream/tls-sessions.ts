/**
 * TLS sessions with other agents that may be resumed.
 *
 * One is kept for the certificate that was shown in its full handshake and the endpoint that answered: it is never used by
 * another workload, and a renewed certificate starts anew. With it is kept what the other side showed, since a client is
 * shown nothing when it resumes; what that is worth is judged each time. Only full handshakes leave a session, so their age
 * is bounded here as well as by the keys of the other side.
 * @module
 */

import type { X509Certificate } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type tls from 'node:tls';
import { type Endpoint, endpointServerName } from '../snapshot.ts';

/** Sessions kept, some 6 kB each; the least recently used goes first. */
const CAPACITY = 1_024;

export interface KeptSession {
  readonly session: Buffer;
  readonly leaf: X509Certificate;
  readonly untilMs: number;
}

export class TlsSessions {
  readonly #lifeMs: number;
  readonly #capacity: number;
  readonly #kept = new Map<string, KeptSession>();
  /** Stands for a certificate in the keys of the map. */
  readonly #numbers = new WeakMap<tls.SecureContext, number>();
  #lastNumber = 0;

  /** @param lifeMs 0 keeps none */
  constructor(lifeMs: number, capacity = CAPACITY) {
    this.#lifeMs = lifeMs;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#kept.size;
  }

  find(own: tls.SecureContext, endpoint: Endpoint): KeptSession | undefined {
    const key = this.#keyOf(own, endpoint);
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    if (kept.untilMs <= performance.now()) return undefined;
    this.#kept.set(key, kept); // the most recently used
    return kept;
  }

  /** Of a full handshake whose other side was accepted. */
  keep(socket: tls.TLSSocket, own: tls.SecureContext, endpoint: Endpoint): void {
    const leaf = this.#lifeMs === 0 ? undefined : socket.getPeerX509Certificate();
    if (leaf === undefined) return;
    const untilMs = performance.now() + this.#lifeMs;
    // The ticket comes with the first bytes that are read.
    socket.once('session', (session: Buffer) => this.#put(this.#keyOf(own, endpoint), { session, leaf, untilMs }));
  }

  forget(own: tls.SecureContext, endpoint: Endpoint): void {
    this.#kept.delete(this.#keyOf(own, endpoint));
  }

  #put(key: string, kept: KeptSession): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size <= this.#capacity) return;
    const [oldest] = this.#kept.keys();
    this.#kept.delete(oldest!);
  }

  #keyOf(own: tls.SecureContext, endpoint: Endpoint): string {
    let number = this.#numbers.get(own);
    if (number === undefined) {
      number = ++this.#lastNumber;
      this.#numbers.set(own, number);
    }
    const { identity, port, service, namespace, address, tunnelPort } = endpoint;
    return `${number} ${identity} ${endpointServerName(port, service, namespace)} ${address} ${tunnelPort}`;
  }
}
