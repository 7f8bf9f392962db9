/**
 * Finding the mesh, and finding it again: dials seeds until each belongs to a member that is present here.
 *
 * A configured seed is never given up, only asked less often: two halves of a mesh that never met, or lost each other,
 * meet through it. Addresses remembered from the last run are tried while we know nobody at all.
 * @module
 */
import type { Context } from '../effects.ts';
import { arm } from '../effects.ts';

interface Seed {
  readonly isConfigured: boolean;
  /** Who answered there last. */
  peer: string | undefined;
  failures: number;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;
const CHECK_MS = 5_000;
const REMEMBERED_TRIES = 5;

export class Bootstrap {
  readonly #context: Context;
  readonly #isPresent: (name: string) => boolean;
  readonly #hasLinks: () => boolean;
  readonly #seeds = new Map<string, Seed>();

  constructor(context: Context, isPresent: (name: string) => boolean, hasLinks: () => boolean) {
    this.#context = context;
    this.#isPresent = isPresent;
    this.#hasLinks = hasLinks;
  }

  start(configured: readonly string[], remembered: readonly string[]): void {
    for (const seed of configured) this.#seeds.set(seed, { isConfigured: true, peer: undefined, failures: 0 });
    for (const seed of remembered) {
      if (!this.#seeds.has(seed)) this.#seeds.set(seed, { isConfigured: false, peer: undefined, failures: 0 });
    }
    for (const seed of this.#seeds.keys()) this.#join(seed);
  }

  joined(address: string, peer: string): void {
    const seed = this.#seeds.get(address);
    if (seed === undefined) return;
    seed.peer = peer;
    seed.failures = 0;
    if (seed.isConfigured) arm(this.#context, 'seed', address, CHECK_MS);
    else this.#seeds.delete(address);
  }

  failed(address: string, isSelf: boolean): void {
    const seed = this.#seeds.get(address);
    if (seed === undefined) return;
    seed.failures++;
    if (isSelf || (!seed.isConfigured && seed.failures >= REMEMBERED_TRIES)) {
      this.#seeds.delete(address);
      return;
    }
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(seed.failures, 10));
    arm(this.#context, 'seed', address, delayMs * (0.75 + 0.5 * this.#context.random()));
  }

  fired(address: string): void {
    const seed = this.#seeds.get(address);
    if (seed === undefined) return;
    const isFound = seed.peer !== undefined && this.#isPresent(seed.peer);
    if (isFound) arm(this.#context, 'seed', address, CHECK_MS);
    else if (seed.isConfigured || !this.#hasLinks()) this.#join(address);
    else this.#seeds.delete(address);
  }

  #join(seed: string): void {
    this.#context.out.push({ kind: 'join', seed });
  }
}
