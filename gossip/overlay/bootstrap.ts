/**
 * Finding the mesh, and finding it again: dials seeds until each belongs to a member that is present here.
 *
 * Nothing is ever given up, only asked less often. A configured seed is dialled for as long as it belongs to nobody present:
 * two halves of a mesh that never met, or lost each other, meet through it. Addresses of peers known earlier, in this life or
 * the last, are dialled while there is no link to anybody: a few at a time, in turn, for as long as that lasts.
 * @module
 */
import type { Context } from '../effects.ts';
import { arm } from '../effects.ts';

interface Seed {
  /** Who answered there last. */
  peer: string | undefined;
  failures: number;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;
const CHECK_MS = 5_000;
/** The timer of remembered peers, beside those of seeds; no seed is spelled so. */
const REMEMBERED = '';
/** Of the remembered peers, after all were dialled once: with 32 of them, each is dialled every 80 s in the end. */
const DIALLED_AT_ONCE = 4;

export class Bootstrap {
  readonly #context: Context;
  readonly #isPresent: (name: string) => boolean;
  readonly #hasLinks: () => boolean;
  readonly #seeds = new Map<string, Seed>();
  /** The next to be dialled first. */
  #remembered: readonly string[] = [];
  /** Rounds in which nobody answered. */
  #rounds = 0;

  constructor(context: Context, isPresent: (name: string) => boolean, hasLinks: () => boolean) {
    this.#context = context;
    this.#isPresent = isPresent;
    this.#hasLinks = hasLinks;
  }

  start(configured: readonly string[], remembered: readonly string[]): void {
    for (const seed of configured) this.#seeds.set(seed, { peer: undefined, failures: 0 });
    this.remember(remembered);
    for (const seed of [...this.#seeds.keys(), ...this.#remembered]) this.#join(seed);
    this.lonely();
  }

  /** Peers known last, to be tried should nobody be left. None is no news: whoever is alone remembers those it knew. */
  remember(peers: readonly string[]): void {
    if (peers.length > 0) this.#remembered = peers.filter((one) => !this.#seeds.has(one));
  }

  /** The last link is gone. */
  lonely(): void {
    this.#rounds = 0;
    arm(this.#context, 'seed', REMEMBERED, this.#delayMs(1));
  }

  joined(address: string, peer: string): void {
    const seed = this.#seeds.get(address);
    if (seed === undefined) return;
    seed.peer = peer;
    seed.failures = 0;
    arm(this.#context, 'seed', address, CHECK_MS);
  }

  failed(address: string, isSelf: boolean): void {
    if (isSelf) {
      this.#seeds.delete(address);
      this.#remembered = this.#remembered.filter((one) => one !== address);
    }
    const seed = this.#seeds.get(address);
    if (seed === undefined) return;
    seed.failures++;
    arm(this.#context, 'seed', address, this.#delayMs(seed.failures));
  }

  fired(address: string): void {
    if (address === REMEMBERED) {
      this.#nextRound();
      return;
    }
    const seed = this.#seeds.get(address);
    if (seed === undefined) return;
    const isFound = seed.peer !== undefined && this.#isPresent(seed.peer);
    if (isFound) arm(this.#context, 'seed', address, CHECK_MS);
    else this.#join(address);
  }

  #nextRound(): void {
    if (this.#hasLinks()) return;
    const next = this.#remembered.slice(0, DIALLED_AT_ONCE);
    this.#remembered = [...this.#remembered.slice(DIALLED_AT_ONCE), ...next];
    for (const address of next) this.#join(address);
    this.#rounds++;
    arm(this.#context, 'seed', REMEMBERED, this.#delayMs(this.#rounds));
  }

  #delayMs(failures: number): number {
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
    return delayMs * (0.75 + 0.5 * this.#context.random());
  }

  #join(seed: string): void {
    this.#context.out.push({ kind: 'join', seed });
  }
}
