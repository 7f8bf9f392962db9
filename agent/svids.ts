/**
 * The SVIDs of this node's workloads: minted when first needed, renewed at about half of their life.
 *
 * Minting asks nobody. When it fails (the node certificate expired), the old SVID stays in use and minting is tried again.
 */
import type { Logger } from 'pino';
import type { NodeIdentity } from '../certs/node-bundle.ts';
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
  #renewals = 0;
  #failures = 0;

  constructor(options: SvidKeeperOptions) {
    this.#options = options;
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
  }

  #mint(spiffeId: string): Svid {
    const { node, ttlMs } = this.#options;
    return mintSvid(node, spiffeId, { ttlMs, nowMs: Date.now() });
  }

  #schedule(svid: Svid): NodeJS.Timeout {
    return this.#at(svid.spiffeId, renewAtMs(svid, this.#options.random));
  }

  #at(spiffeId: string, dueMs: number): NodeJS.Timeout {
    const waitMs = Math.min(Math.max(0, dueMs - Date.now()), LONGEST_WAIT_MS);
    const timer = setTimeout(() => {
      const held = this.#held.get(spiffeId);
      if (held !== undefined) held.timer = Date.now() < dueMs ? this.#at(spiffeId, dueMs) : this.#renew(held);
    }, waitMs);
    return timer.unref();
  }

  #renew(held: Held): NodeJS.Timeout {
    const { log, renewed } = this.#options;
    const { spiffeId, expiresAtMs } = held.svid;
    try {
      held.svid = this.#mint(spiffeId);
      this.#renewals++;
      renewed(held.svid);
      return this.#schedule(held.svid);
    } catch (err) {
      this.#failures++;
      log.error({ err, spiffeId, expiresAtMs }, 'SVID could not be renewed; the old one stays in use');
      return this.#at(spiffeId, Date.now() + RETRY_MS);
    }
  }
}
