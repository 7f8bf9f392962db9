/**
 * Renews the node certificate at about half of its life: from the issuer in this process, from any other over gossip, or,
 * once it has expired, at a join listener. Until somebody does, what is in use stays, and it is said louder and louder.
 *
 * The key stays: whoever holds it may renew, so a new key would not lock out a thief; revoking the node does.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import type { Logger } from 'pino';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import { renewAtMs } from '../../certs/svid.ts';
import { parseChain, verifyChain } from '../../certs/verify.ts';
import { messageOf } from '../errors.ts';
import type { Answer } from '../join/messages.ts';
import type { IdentityHolder } from './holder.ts';
import { isLow, leftMs, type NodeLife, nodeLife } from './life.ts';

/** One way to an issuer. */
export interface Way {
  /** Such as `n2 over gossip`, for messages. */
  readonly name: string;
  ask(identity: NodeIdentity): Promise<Answer>;
}

export interface RenewerOptions {
  readonly holder: IdentityHolder;
  /** Those there are now, best first. */
  readonly ways: (isExpired: boolean) => readonly Way[];
  readonly log: Logger;
  /** From 0 to 1; spreads renewals. */
  readonly random: () => number;
  readonly nowMs?: () => number;
}

export interface RenewalView {
  readonly renewals: number;
  readonly failures: number;
  /** When it is tried next; Unix time. */
  readonly dueAtMs: number;
  /** Why it did not work the last time; empty after success. */
  readonly problem: string;
}

/** Ways tried in one round. */
const MAX_WAYS = 6;
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 300_000;
const SOON_MS = 5_000;
/** setTimeout counts in 31 bits; a longer wait is taken in steps, which also meets a clock that was set. */
const LONGEST_WAIT_MS = 3_600_000;

export class Renewer implements Disposable {
  readonly #options: RenewerOptions;
  readonly #nowMs: () => number;
  #dueAtMs = 0;
  /** The certificate that it is due for. */
  #leaf: X509Certificate | undefined;
  #retries = 0;
  #renewals = 0;
  #failures = 0;
  #problem = '';
  #timer: NodeJS.Timeout | undefined;
  #warnedAtMs = Number.NEGATIVE_INFINITY;
  #isTrying = false;
  #isClosed = false;

  constructor(options: RenewerOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? Date.now;
    options.holder.onChange(() => this.#begin());
    this.#begin();
  }

  view(): RenewalView {
    return { renewals: this.#renewals, failures: this.#failures, dueAtMs: this.#dueAtMs, problem: this.#problem };
  }

  /** An issuer came into reach: no need to wait for the next try. */
  issuersChanged(): void {
    if (this.#retries === 0) return;
    this.#retries = 1;
    this.#dueAtMs = Math.min(this.#dueAtMs, this.#nowMs() + RETRY_MIN_MS * this.#options.random());
    this.#wait();
  }

  /** Tries now, whatever is due. Resolves when it worked, or did not. */
  async renewNow(): Promise<void> {
    this.#dueAtMs = this.#nowMs();
    await this.#look();
  }

  /** Tries at some moment of the next seconds: all nodes are told at once, and issuers are few. */
  renewSoon(): void {
    this.#dueAtMs = Math.min(this.#dueAtMs, this.#nowMs() + SOON_MS * this.#options.random());
    this.#wait();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #begin(): void {
    const { notBeforeMs, expiresAtMs } = this.#life();
    const leaf = this.#options.holder.current.chain[0]!;
    const isSame = this.#leaf?.raw.equals(leaf.raw) === true; // what vouches for it was replaced: it is due no later
    const dueAtMs = renewAtMs({ notBeforeMs, expiresAtMs }, this.#options.random);
    this.#leaf = leaf;
    this.#retries = 0;
    this.#problem = '';
    this.#dueAtMs = isSame ? Math.min(this.#dueAtMs, dueAtMs) : dueAtMs;
    this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const waitMs = Math.min(Math.max(0, this.#dueAtMs - this.#nowMs()), LONGEST_WAIT_MS);
    this.#timer = setTimeout(() => void this.#look(), waitMs).unref();
  }

  async #look(): Promise<void> {
    if (this.#nowMs() < this.#dueAtMs || this.#isTrying) return this.#wait();
    this.#isTrying = true;
    try {
      await this.#try();
    } finally {
      this.#isTrying = false;
      this.#wait();
    }
  }

  async #try(): Promise<void> {
    const { holder, ways, log } = this.#options;
    const identity = holder.current;
    const isExpired = this.#nowMs() >= identity.expiresAtMs;
    const failures: string[] = [];
    for (const way of ways(isExpired).slice(0, MAX_WAYS)) {
      try {
        const chain = this.#check(await way.ask(identity), identity);
        if (this.#isClosed || holder.current !== identity) return; // replaced meanwhile
        holder.install({ chain }); // which begins the next wait
        this.#renewals++;
        log.info({ from: way.name }, 'node certificate renewed');
        return;
      } catch (err) {
        failures.push(`${way.name}: ${messageOf(err)}`);
      }
    }
    this.#failed(failures.length === 0 ? 'no issuer is in reach' : failures.join('; '));
  }

  /** Nobody is believed: what an issuer sent must be ours, and better than what we have. */
  #check(answer: Answer, { trust, spiffeId, chain: [own], expiresAtMs }: NodeIdentity): X509Certificate[] {
    if (answer.kind !== 'issued') throw new Error(answer.kind === 'refused' ? answer.detail : 'no certificate came');
    const chain = parseChain(answer.chain);
    if (!Array.isArray(chain)) throw new Error(chain.detail);
    const verdict = verifyChain(chain, { trust, role: 'node', nowMs: this.#nowMs(), expected: spiffeId });
    if (!verdict.ok) throw new Error(verdict.detail);
    if (!chain[0]!.publicKey.equals(own!.publicKey)) throw new Error('it certified another key');
    if (verdict.expiresAtMs <= expiresAtMs)
      throw new Error('its certificate ends no later than ours; renew the issuer');
    return chain;
  }

  #failed(problem: string): void {
    const { random, log } = this.#options;
    const life = this.#life();
    const nowMs = this.#nowMs();
    const lifeMs = life.expiresAtMs - life.notBeforeMs;
    // Soon at first, then rarer, yet often enough to find an issuer that is back before a short life ends.
    const longestMs = clamp(lifeMs / 12, RETRY_MIN_MS, RETRY_MAX_MS);
    const waitMs = Math.min(longestMs, clamp(lifeMs / 1_000, RETRY_MIN_MS, 30_000) * 2 ** Math.min(this.#retries, 20));
    this.#failures++;
    this.#retries++;
    this.#problem = problem;
    this.#dueAtMs = nowMs + waitMs * (0.5 + random() / 2);
    const isTimeToWarn = isLow(life, nowMs) && nowMs - this.#warnedAtMs >= Math.min(lifeMs / 12, 3_600_000);
    if (!isTimeToWarn) {
      log.info({ problem }, 'the node certificate could not be renewed yet');
      return;
    }
    this.#warnedAtMs = nowMs;
    const expiresAt = new Date(life.expiresAtMs).toISOString();
    const hasEnded = leftMs(life, nowMs) <= 0;
    log[hasEnded ? 'error' : 'warn'](
      { expiresAt, problem },
      hasEnded
        ? 'the node certificate has expired and could not be renewed; weft check says what to do'
        : 'less than a third of the life of the node certificate is left and it could not be renewed',
    );
  }

  #life(): NodeLife {
    return nodeLife(this.#options.holder.current);
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
