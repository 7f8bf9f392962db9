/**
 * Nonces for logging in. They carry their expiry and a seal, so that asking for them fills no memory; remembered are only those
 * that somebody logged in with, until they would have expired anyway.
 * @module
 */
import { createHmac, randomBytes } from 'node:crypto';
import { isSame } from '../access/sessions.ts';

export const NONCE_MS = 60_000;
const MAX_USED = 10_000;

export class Nonces {
  readonly #key = randomBytes(32);
  /** To when it expires. */
  readonly #used = new Map<string, number>();

  make(nowMs: number): string {
    const content = `${randomBytes(18).toString('base64url')}.${nowMs + NONCE_MS}`;
    return `${content}.${this.#seal(content)}`;
  }

  /** Whether it is ours and still good; to be asked before a signature is looked at. */
  isFresh(nonce: string, nowMs: number): boolean {
    const [random, expires, seal = '', ...more] = nonce.split('.');
    if (more.length > 0 || !isSame(seal, this.#seal(`${random}.${expires}`))) return false;
    return Number(expires) > nowMs && !this.#used.has(nonce);
  }

  /** @returns false where it was used before, or so many were of late that nobody can be let in */
  use(nonce: string, nowMs: number): boolean {
    for (const [old, expiresMs] of this.#used) if (expiresMs <= nowMs) this.#used.delete(old);
    if (this.#used.has(nonce) || this.#used.size >= MAX_USED) return false;
    this.#used.set(nonce, Number(nonce.split('.')[1]));
    return true;
  }

  #seal(content: string): string {
    return createHmac('sha256', this.#key).update(content).digest('base64url');
  }
}
