/** No node routes to endpoints of a member that it holds dead, left, or knows by hearsay only (gossip.md §5.9). @module */
import type { ShownPage } from '../world/pages.ts';
import type { Process } from '../world/process.ts';
import type { Invariant, Report } from './invariant.ts';

const UNROUTABLE = new Set(['dead', 'left', 'probation']);

export class RoutableOwners implements Invariant {
  readonly #report: Report;
  /** Per node, the members it must not route to, and how it holds them. */
  readonly #states = new WeakMap<Process, Map<string, string>>();
  readonly #touched = new Set<string>();

  constructor(report: Report) {
    this.#report = report;
  }

  sighted(viewer: Process, about: string, state: string): void {
    let states = this.#states.get(viewer);
    if (UNROUTABLE.has(state)) {
      if (states === undefined) {
        states = new Map();
        this.#states.set(viewer, states);
      }
      states.set(about, state);
    } else {
      states?.delete(about);
    }
    this.#touched.add(about);
  }

  showed(_viewer: Process, owner: string, _page: ShownPage | undefined): void {
    this.#touched.add(owner);
  }

  settled(viewer: Process): void {
    const states = this.#states.get(viewer);
    for (const owner of this.#touched) {
      const state = states?.get(owner);
      if (state === undefined || !viewer.shown.has(owner)) continue;
      this.#report('routable-owners', `${viewer.name} routes to ${owner}, which it holds ${state}`);
    }
    this.#touched.clear();
  }
}
