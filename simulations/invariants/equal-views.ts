/**
 * Once faults have stopped for a while, all views are equal and true: every running node shows the newest page of every
 * running node and of nobody else, holds exactly these alive, knows of every death, and has the digest of the others.
 * @module
 */
import type { Convergence } from '../measure/convergence.ts';
import type { Verdicts } from '../measure/verdicts.ts';
import { WeftProcess } from '../world/weft-process.ts';
import type { World } from '../world/world.ts';
import type { Invariant, Report } from './invariant.ts';

/** Tables read at the end; digests are compared for all. */
const TABLES = 64;

export class EqualViews implements Invariant {
  readonly #world: World;
  readonly #convergence: Convergence;
  readonly #verdicts: Verdicts;
  readonly #report: Report;

  constructor(parts: { world: World; convergence: Convergence; verdicts: Verdicts; report: Report }) {
    this.#world = parts.world;
    this.#convergence = parts.convergence;
    this.#verdicts = parts.verdicts;
    this.#report = parts.report;
  }

  finish(): void {
    for (const name of this.#convergence.disagreeing()) {
      this.#report('equal-views', `${name} still shows something else than what is so`);
    }
    for (const { owner, number, missing } of this.#convergence.unfinished()) {
      this.#report('equal-views', `page ${number} of ${owner} is not known to ${missing.size} nodes`);
    }
    for (const { name, how, missing } of this.#verdicts.unknown()) {
      this.#report('equal-views', `${missing.size} nodes do not know that ${name} is ${how}`);
    }
    this.#compareTables();
  }

  #compareTables(): void {
    const viewers = this.#world.running().filter((process) => process instanceof WeftProcess);
    const running = new Set(viewers.map(({ name }) => name));
    const step = Math.max(1, Math.floor(viewers.length / TABLES));
    for (let i = 0; i < viewers.length; i += step) {
      const held = new Set<string>();
      for (const { name, state } of viewers[i]!.core.members()) {
        if (state === 'dead' || state === 'left') continue;
        held.add(name);
        if (state === 'alive' && running.has(name)) continue;
        this.#report('equal-views', `${viewers[i]!.name} still holds ${name} ${state}`);
      }
      for (const name of running) {
        if (!held.has(name)) this.#report('equal-views', `${viewers[i]!.name} does not hold ${name} alive`);
      }
    }
    const roots = new Map<string, string>();
    for (const { core, name } of viewers) roots.set(Buffer.from(core.root()).toString('hex'), name);
    if (roots.size > 1) this.#report('equal-views', `digests differ: ${[...roots.values()].slice(0, 5).join(', ')}`);
  }
}
