/** No node sends more than its budget, averaged over ten seconds. @module */
import type { World } from '../world/world.ts';
import type { Invariant, Report } from './invariant.ts';

const WINDOW = 10;

export class ByteBudget implements Invariant {
  readonly #world: World;
  readonly #bytesPerSecond: number;
  readonly #report: Report;
  #before: number[];
  #seconds = 0;

  /** Counts from now on. */
  constructor(world: World, bytesPerSecond: number, report: Report) {
    this.#world = world;
    this.#bytesPerSecond = bytesPerSecond;
    this.#report = report;
    this.#before = [...world.bytesByHost];
  }

  second(): void {
    if (++this.#seconds % WINDOW !== 0) return;
    for (const [index, bytes] of this.#world.bytesByHost.entries()) {
      const perSecond = (bytes - (this.#before[index] ?? 0)) / WINDOW;
      if (perSecond <= this.#bytesPerSecond) continue;
      const name = this.#world.hosts[index]!.name;
      this.#report('byte-budget', `${name} sent ${Math.round(perSecond)} B/s, above ${this.#bytesPerSecond}`);
    }
    this.#before = [...this.#world.bytesByHost];
  }
}
