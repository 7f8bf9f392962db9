/** Who is logged in: in memory, for eight hours at most, gone with the agent. @module */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Issued } from '../../../certs/revocation.ts';
import type { Grant } from './roles.ts';

export const SESSION_MS = 8 * 3_600_000;
const MAX_SESSIONS = 1_000;

export interface Subject {
  /** An operator's SPIFFE id, or what the identity provider calls the person. */
  readonly name: string;
  readonly grants: readonly Grant[];
  /** Ends the session earlier, such as with the certificate. */
  readonly untilMs: number;
  /** Of the certificate that was shown; null where it was none. */
  readonly issued: Issued | null;
}

export interface Session extends Subject {
  readonly csrf: string;
}

export class Sessions {
  /** By the hash of the cookie, oldest first: what a copy of memory shows opens nothing. */
  readonly #sessions = new Map<string, Session>();
  readonly #nowMs: () => number;
  readonly #isRevoked: (issued: Issued) => boolean;

  /** @param isRevoked whether what somebody logged in with is called back by now */
  constructor(nowMs: () => number, isRevoked: (issued: Issued) => boolean = () => false) {
    this.#nowMs = nowMs;
    this.#isRevoked = isRevoked;
  }

  /** The cookie's value. The oldest session ends where there are too many. */
  open({ name, grants, untilMs, issued }: Subject): string {
    const cookie = randomBytes(32).toString('base64url');
    const ends = Math.min(untilMs, this.#nowMs() + SESSION_MS);
    this.#expire();
    for (const [key] of this.#sessions) {
      if (this.#sessions.size < MAX_SESSIONS) break;
      this.#sessions.delete(key);
    }
    const csrf = randomBytes(24).toString('base64url');
    this.#sessions.set(hash(cookie), { name, grants, issued, untilMs: ends, csrf });
    return cookie;
  }

  find(cookie: string | undefined): Session | undefined {
    if (cookie === undefined) return undefined;
    const key = hash(cookie);
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    const isGood = session.issued === null || !this.#isRevoked(session.issued);
    if (isGood && session.untilMs > this.#nowMs()) return session;
    this.#sessions.delete(key);
    return undefined;
  }

  close(cookie: string | undefined): void {
    if (cookie !== undefined) this.#sessions.delete(hash(cookie));
  }

  get size(): number {
    return this.#sessions.size;
  }

  #expire(): void {
    const nowMs = this.#nowMs();
    for (const [key, { untilMs }] of this.#sessions) if (untilMs <= nowMs) this.#sessions.delete(key);
  }
}

/** The prefix makes browsers insist on Secure, on this host alone, and on the whole of it. */
export function cookieName({ isLoopback }: { readonly isLoopback: boolean }): string {
  return isLoopback ? 'weft-session' : '__Host-weft-session';
}

/** In a time that does not tell how much of it is right. */
export function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(Buffer.from(hash(given)), Buffer.from(hash(wanted)));
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
