/**
 * The SVIDs of this node's workloads: minted when first needed, renewed at about half of their life, and when the node's
 * own certificate was renewed, because theirs may not outlive it; and at once when they are revoked.
 *
 * Minting asks nobody. When it fails (the node certificate expired), the old SVID stays in use and minting is tried again.
 * Renewals are spread over turns of the event loop, one a turn, so that a thousand of them do not stall it.
 */
import type { Logger } from 'pino';
import type { NodeIdentity } from '../certs/node-bundle.ts';
import { afterRevocationMs, Revocations } from '../certs/revocation.ts';
import { mintSvid, renewAtMs, type Svid } from '../certs/svid.ts';

export interface SvidKeeperOptions {
  readonly node: NodeIdentity;
  readonly ttlMs: number;
  readonly log: Logger;
  /** From 0 to 1; spreads renewals. */
  readonly random: () => number;
  /** Called with each renewed SVID, not with the first. */
  readonly renewed: (svid: Svid) => void;
}

const RETRY_MS = 60_000;
/** setTimeout counts in 31 bits; a longer wait is taken in steps. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

interface Held {
  svid: Svid;
  holders: number;
  timer: NodeJS.Timeout;
}

export class SvidKeeper implements Disposable {
  readonly #options: SvidKeeperOptions;
  readonly #held = new Map<string, Held>();
  /** Whose turn has not come. */
  readonly #due = new Set<string>();
  #node: NodeIdentity;
  #revocations = new Revocations();
  /** One was renewed in this turn of the event loop. */
  #hasTurned = false;
  #renewals = 0;
  #failures = 0;

  constructor(options: SvidKeeperOptions) {
    this.#options = options;
    this.#node = options.node;
  }

  /**
   * The SVID of an identity, kept fresh until `release` has been called as often as this.
   *
   * @throws CertsError when the identity is outside the node's grant, or the node certificate expired
   */
  hold(spiffeId: string): Svid {
    const known = this.#held.get(spiffeId);
    if (known !== undefined) {
      known.holders++;
      return known.svid;
    }
    const svid = this.#mint(spiffeId);
    this.#held.set(spiffeId, { svid, holders: 1, timer: this.#schedule(svid) });
    return svid;
  }

  release(spiffeId: string): void {
    const held = this.#held.get(spiffeId);
    if (held === undefined || --held.holders > 0) return;
    clearTimeout(held.timer);
    this.#held.delete(spiffeId);
    this.#due.delete(spiffeId);
  }

  /** All SVIDs are minted anew under this certificate, those first that end first. */
  identityChanged(node: NodeIdentity): void {
    const isSame = node.chain.every((one, i) => this.#node.chain[i]?.raw.equals(one.raw));
    this.#node = node;
    if (isSame) return; // only the roots it trusts are others
    const byExpiry = [...this.#held.values()].sort((a, b) => a.svid.expiresAtMs - b.svid.expiresAtMs);
    for (const { svid } of byExpiry) this.#due.add(svid.spiffeId);
    this.#next();
  }

  /** Resolves when all that are due at this moment had their turn. */
  async settled(): Promise<void> {
    while (this.#due.size > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /** From here on these hold: SVIDs that they cover are minted anew, as of after the revocation. */
  revoked(revocations: Revocations): void {
    this.#revocations = revocations;
    for (const { svid } of this.#held.values()) {
      const issuedAtMs = Math.floor(svid.notBeforeMs / 1_000) * 1_000; // as certificates tell time
      if (revocations.covers({ spiffeId: svid.spiffeId, issuedAtMs })) this.#due.add(svid.spiffeId);
    }
    this.#next();
  }

  /** All SVIDs in use, for metrics and `weft check`. */
  svids(): readonly Svid[] {
    return [...this.#held.values()].map((held) => held.svid);
  }

  get renewals(): number {
    return this.#renewals;
  }

  get failures(): number {
    return this.#failures;
  }

  [Symbol.dispose](): void {
    for (const held of this.#held.values()) clearTimeout(held.timer);
    this.#held.clear();
    this.#due.clear();
  }

  #mint(spiffeId: string): Svid {
    const beforeMs = this.#revocations.beforeMs(spiffeId);
    const nowMs = Math.max(Date.now(), beforeMs === undefined ? 0 : afterRevocationMs(beforeMs));
    return mintSvid(this.#node, spiffeId, { ttlMs: this.#options.ttlMs, nowMs });
  }

  #schedule(svid: Svid): NodeJS.Timeout {
    return this.#at(svid.spiffeId, renewAtMs(svid, this.#options.random));
  }

  #at(spiffeId: string, dueMs: number): NodeJS.Timeout {
    const waitMs = Math.min(Math.max(0, dueMs - Date.now()), LONGEST_WAIT_MS);
    const timer = setTimeout(() => {
      const held = this.#held.get(spiffeId);
      if (held === undefined) return;
      if (Date.now() < dueMs) {
        held.timer = this.#at(spiffeId, dueMs);
        return;
      }
      this.#due.add(spiffeId);
      this.#next();
    }, waitMs);
    return timer.unref();
  }

  /** One a turn: whoever is due later in the same turn waits for the next. */
  #next(): void {
    if (this.#hasTurned) return;
    const due = this.#due.values().next();
    if (due.done) return;
    this.#due.delete(due.value);
    this.#hasTurned = true;
    setImmediate(() => {
      this.#hasTurned = false;
      this.#next();
    });
    const held = this.#held.get(due.value);
    if (held !== undefined) this.#renew(held);
  }

  #renew(held: Held): void {
    const { log, renewed } = this.#options;
    const { spiffeId, expiresAtMs } = held.svid;
    clearTimeout(held.timer);
    try {
      held.svid = this.#mint(spiffeId);
      this.#renewals++;
      held.timer = this.#schedule(held.svid);
    } catch (err) {
      this.#failures++;
      held.timer = this.#at(spiffeId, Date.now() + RETRY_MS);
      log.error({ err, spiffeId, expiresAtMs }, 'SVID could not be renewed; the old one stays in use');
      return;
    }
    renewed(held.svid);
  }
}
