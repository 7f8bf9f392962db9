/**
 * A member's (epoch, incarnation) never goes back in anybody's view, and is never one that the member did not have:
 * nobody but a member itself may begin a life of it.
 *
 * Looks once a virtual second, at a few nodes: reading ten thousand tables would take longer than the run.
 * @module
 */
import type { Process } from '../world/process.ts';
import { WeftProcess } from '../world/weft-process.ts';
import type { World } from '../world/world.ts';
import type { Invariant, Report } from './invariant.ts';

const VIEWERS = 8;

export class RisingLives implements Invariant {
  readonly #world: World;
  readonly #report: Report;
  readonly #seen = new WeakMap<Process, Map<string, number>>();
  readonly #left = new Set<string>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  ended(process: Process, how: string): void {
    if (how === 'left') this.#left.add(process.name);
  }

  second(): void {
    const viewers = this.#world.running();
    const step = Math.max(1, Math.floor(viewers.length / VIEWERS));
    for (let i = 0; i < viewers.length; i += step) this.look(viewers[i]!);
  }

  finish(): void {
    this.second();
  }

  /** Compares one node's table with what it held at the last look. */
  look(viewer: Process): void {
    if (!(viewer instanceof WeftProcess)) return;
    let seen = this.#seen.get(viewer);
    if (seen === undefined) {
      seen = new Map();
      this.#seen.set(viewer, seen);
    }
    for (const { name, epoch, state, isSelf } of viewer.core.members()) {
      const before = seen.get(name) ?? 0;
      if (epoch < before)
        this.#report('rising-lives', `${viewer.name} took ${name} back from epoch ${before} to ${epoch}`);
      seen.set(name, epoch);
      if (isSelf) continue;
      const host = this.#world.hostNamed(name);
      if (host === undefined) {
        if (state !== 'probation') this.#report('rising-lives', `${viewer.name} believes in ${name}, which never was`);
      } else if (epoch > host.highestEpoch) {
        this.#report(
          'rising-lives',
          `${viewer.name} holds ${name} at epoch ${epoch}, above its own ${host.highestEpoch}`,
        );
      } else if (state === 'left' && !this.#left.has(name)) {
        this.#report('rising-lives', `${viewer.name} holds that ${name} left, which it never said`);
      }
    }
  }
}
