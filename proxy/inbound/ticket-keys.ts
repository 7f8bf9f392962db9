/**
 * What the TLS session tickets of one server are sealed with. Nothing else remembers a session here, so new keys void all
 * of them, and whoever held one makes a full handshake.
 *
 * OpenSSL takes a ticket for the server name that it was given for. It does not say whose certificate was shown then, so
 * keys are replaced as soon as a name stands for somebody else.
 * @module
 */

import { randomBytes } from 'node:crypto';
import type tls from 'node:tls';

/** Name, HMAC key and AES key, 16 bytes each: what Node takes. */
const KEY_BYTES = 48;

export class TicketKeys {
  /** How often a name has come to stand for somebody else. */
  changes = 0;
  readonly #server: tls.Server;
  readonly #lifeMs: number;
  #untilMs = Number.NEGATIVE_INFINITY;
  /** Identities by server name, of the handshakes since these keys were made. */
  readonly #shown = new Map<string, string>();

  /** @param lifeMs how long keys are used: no session is resumed longer than that after its full handshake */
  constructor(server: tls.Server, lifeMs: number) {
    this.#server = server;
    this.#lifeMs = lifeMs;
  }

  /** To be called before a handshake. @returns `changes`, for `shown` */
  refresh(nowMs: number): number {
    if (nowMs >= this.#untilMs) {
      this.#renew();
      this.#untilMs = nowMs + this.#lifeMs;
    }
    return this.changes;
  }

  /** A full handshake is done. @param changesBefore as of its beginning: whose certificate it saw is not known if they grew */
  shown(name: string, identity: string, changesBefore: number): void {
    const former = this.#shown.get(name);
    if (former !== undefined && former !== identity) this.changes++;
    if (this.changes !== changesBefore) this.#renew();
    this.#shown.set(name, identity);
  }

  /** Whether all tickets for this name were given by this identity. */
  isOf(name: string, identity: string): boolean {
    return this.#shown.get(name) === identity;
  }

  #renew(): void {
    this.#server.setTicketKeys(randomBytes(KEY_BYTES));
    this.#shown.clear();
  }
}
