/**
 * How long a connection may last: until the certificate that admitted it has expired, and not a moment past its revocation.
 *
 * A connection outlives its handshake by weeks, so what the handshake proved is looked at again. A node that renews its
 * certificate need not reconnect: its record carries the new chain, and one for the same key prolongs the connection. A
 * new key does not, because nobody on this connection has proved to hold it.
 * @module
 */
import { CLOCK_SKEW_MS } from '../../certs/verify.ts';
import type { NodeCredential } from '../edge/node-signer.ts';

export type Ending = 'expired' | 'revoked';

export interface TenureOptions<C> {
  /** The newest certificate that this node has shown since, if any. */
  readonly newest: (name: string) => NodeCredential | undefined;
  readonly isRevoked: (credential: NodeCredential) => boolean;
  readonly ended: (connection: C, credential: NodeCredential, why: Ending) => void;
  readonly wallMs?: () => number;
}

/** The wall clock may be set while we wait for it, so it is looked at this often all the same. */
const LOOK_MS = 60_000;

export class Tenure<C> {
  readonly #options: TenureOptions<C>;
  readonly #wallMs: () => number;
  readonly #held = new Map<C, NodeCredential>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TenureOptions<C>) {
    this.#options = options;
    this.#wallMs = options.wallMs ?? Date.now;
  }

  /** @param credential what the connection was admitted with */
  begin(connection: C, credential: NodeCredential): void {
    this.#held.set(connection, credential);
    this.#wait();
  }

  end(connection: C): void {
    this.#held.delete(connection);
    if (this.#held.size === 0) clearTimeout(this.#timer);
  }

  /** Ends what must end now. Call it when revocations changed; time it watches by itself. */
  check(): void {
    for (const [connection, admitted] of [...this.#held]) {
      const credential = this.#prolonged(admitted);
      this.#held.set(connection, credential);
      const why = this.#ending(credential);
      if (why === undefined) continue;
      this.#held.delete(connection);
      this.#options.ended(connection, credential, why);
    }
    this.#wait();
  }

  stop(): void {
    this.#held.clear();
    clearTimeout(this.#timer);
  }

  #prolonged(held: NodeCredential): NodeCredential {
    const newest = this.#options.newest(held.name);
    if (newest === undefined || newest.expiresAtMs <= held.expiresAtMs) return held;
    return newest.publicKey.equals(held.publicKey) ? newest : held;
  }

  #ending(credential: NodeCredential): Ending | undefined {
    if (this.#options.isRevoked(credential)) return 'revoked';
    return this.#wallMs() > credential.expiresAtMs + CLOCK_SKEW_MS ? 'expired' : undefined;
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (this.#held.size === 0) return;
    let waitMs = LOOK_MS;
    for (const { expiresAtMs } of this.#held.values()) {
      waitMs = Math.min(waitMs, expiresAtMs + CLOCK_SKEW_MS - this.#wallMs() + 1);
    }
    this.#timer = setTimeout(() => this.check(), Math.max(0, waitMs));
  }
}
