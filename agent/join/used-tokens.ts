/**
 * What an issuer remembers of tokens that were used, on disk before anybody profits from it.
 *
 * Several uses of one token are possible only where issuers could not hear each other. All are kept; the earliest stands,
 * on every issuer alike, and who joined by the others gets no certificate any more.
 * @module
 */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { z } from 'zod';
import { CLOCK_SKEW_MS } from '../../certs/verify.ts';
import { systemCode } from '../errors.ts';
import { writeFileAtomic } from '../files.ts';
import type { TokenUse } from './messages.ts';

/** Longer than a mesh stays cut in two: uses are compared when it heals. */
const KEPT_MS = 30 * 86_400_000;
export const MAX_KEPT = 4_096;

const stored = z.object({
  version: z.literal(1),
  /** Tokens made before this are refused: what was known of them is lost. */
  notBeforeMs: z.int().min(0),
  uses: z.array(
    z.object({
      token: z.string().regex(/^[0-9a-f]{32}$/),
      key: z.string().regex(/^[0-9a-f]{64}$/),
      node: z.string().max(253),
      atMs: z.int(),
      madeAtMs: z.int(),
      expiresAtMs: z.int(),
    }),
  ),
});

export type Claim = 'claimed' | 'used' | 'full' | 'forgotten';

/** Two nodes joined with one token. */
export interface Conflict {
  readonly kept: TokenUse;
  readonly refused: TokenUse;
}

export class UsedTokens {
  readonly #file: string;
  readonly #uses = new Map<string, TokenUse[]>();
  #notBeforeMs = 0;
  #count = 0;
  /** Writes follow each other; the last one has it all. */
  #writing: Promise<void> = Promise.resolve();
  /** Why the file could not be read; it was set aside. */
  readonly damage: unknown;

  constructor(file: string, nowMs: number) {
    this.#file = file;
    try {
      const { notBeforeMs, uses } = existsSync(file)
        ? stored.parse(JSON.parse(readFileSync(file, 'utf8')))
        : { notBeforeMs: 0, uses: [] };
      this.#notBeforeMs = notBeforeMs;
      for (const use of uses) this.#put(use);
    } catch (err) {
      if (systemCode(err) !== undefined) throw err;
      this.damage = err;
      renameSync(file, `${file}.damaged`);
      this.#notBeforeMs = nowMs;
    }
  }

  get size(): number {
    return this.#count;
  }

  /** All uses, the latest first. */
  all(): readonly TokenUse[] {
    return [...this.#uses.values()].flat().sort((a, b) => b.atMs - a.atMs);
  }

  /** Whether this joiner may use the token; it is on disk when this resolves. The same joiner may ask again. */
  async claim(use: TokenUse, nowMs: number): Promise<Claim> {
    if (use.madeAtMs < this.#notBeforeMs) return 'forgotten';
    const before = this.#uses.get(use.token)?.[0];
    if (before !== undefined && before.key !== use.key) return 'used';
    if (before === undefined) this.#makeRoom(1, nowMs);
    if (before === undefined && this.#count >= MAX_KEPT) return 'full';
    if (before === undefined) this.#put(use);
    await this.#save(); // also when asked again: the first time it may have failed
    return 'claimed';
  }

  /** Takes in what another issuer knows. @returns pairs of which only now both are known */
  async merge(uses: readonly TokenUse[], nowMs: number): Promise<readonly Conflict[]> {
    const isKnown = ({ token, key }: TokenUse): boolean =>
      this.#uses.get(token)?.some((use) => use.key === key) ?? false;
    const news = uses.filter((use) => use.atMs >= nowMs - KEPT_MS && !isKnown(use));
    if (news.length === 0) return [];
    this.#makeRoom(news.length, nowMs);
    const conflicts: Conflict[] = [];
    for (const use of news.slice(0, MAX_KEPT - this.#count)) {
      const [kept, ...others] = this.#put(use);
      conflicts.push(...others.map((refused) => ({ kept: kept!, refused })));
    }
    await this.#save();
    return conflicts;
  }

  /** Joined with a token that somebody else had used before. */
  isRefused(key: string): boolean {
    return this.conflicts().some(({ refused }) => refused.key === key);
  }

  conflicts(): readonly Conflict[] {
    const several = [...this.#uses.values()].filter((uses) => uses.length > 1);
    return several.flatMap(([kept, ...others]) => others.map((refused) => ({ kept: kept!, refused })));
  }

  /** The key of the latest that joined under this name, if any is remembered. */
  keyOf(node: string): string | undefined {
    return this.all().find((use) => use.node === node)?.key;
  }

  /** Resolves when what is known is on disk; rejects when it cannot be. */
  flush(): Promise<void> {
    return this.#writing;
  }

  /** The earliest first, on every issuer in the same order. */
  #put(use: TokenUse): readonly TokenUse[] {
    const known = [...(this.#uses.get(use.token) ?? []), use];
    known.sort((a, b) => a.atMs - b.atMs || (a.key < b.key ? -1 : 1));
    this.#uses.set(use.token, known);
    this.#count++;
    return known;
  }

  /** Forgets what is old; if that is not enough, the oldest of tokens that nobody can use any more. */
  #makeRoom(wanted: number, nowMs: number): void {
    for (const [token, uses] of this.#uses) {
      if (uses.every(({ atMs, expiresAtMs }) => Math.max(atMs + KEPT_MS, expiresAtMs) < nowMs)) this.#forget(token);
    }
    const excess = this.#count + wanted - MAX_KEPT;
    if (excess <= 0) return;
    const isSpare = ({ token, expiresAtMs }: TokenUse): boolean =>
      expiresAtMs + CLOCK_SKEW_MS < nowMs && this.#uses.get(token)?.length === 1;
    for (const { token } of this.all().filter(isSpare).slice(-excess)) this.#forget(token);
  }

  #forget(token: string): void {
    this.#count -= this.#uses.get(token)?.length ?? 0;
    this.#uses.delete(token);
  }

  #save(): Promise<void> {
    const write = (): Promise<void> => {
      const content = { version: 1, notBeforeMs: this.#notBeforeMs, uses: [...this.#uses.values()].flat() };
      return writeFileAtomic(this.#file, `${JSON.stringify(content)}\n`);
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}
