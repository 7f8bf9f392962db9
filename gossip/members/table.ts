/**
 * The member table: the newest standing of every node we ever heard of, and the state that follows from it here.
 *
 * The same standing can mean different states on different nodes: `suspect` and `unresponsive` are local doubts, and
 * `probation` is a member we only know by hearsay. A dead or departed member stays as a tombstone, so that old news of
 * it finds something newer.
 * @module
 */
import { LayeredMap } from '../layered-map.ts';
import type { Standing } from './standing.ts';

export type TableState = 'probation' | 'alive' | 'suspect' | 'unresponsive' | 'dead' | 'left';

/** Replaced as a whole on every change, never written to. */
export interface TableEntry {
  readonly name: string;
  readonly state: TableState;
  readonly standing: Standing;
  /** When it came into this state, on our clock. */
  readonly sinceMs: number;
}

/** Whether a member in this state takes part: it has a place on the rings and we keep a link to it if we watch it. */
export function isPresent(state: TableState): boolean {
  return state !== 'dead' && state !== 'left';
}

/** Whether traffic may go to its endpoints. */
export function isRoutable(state: TableState): boolean {
  return isPresent(state) && state !== 'probation';
}

/** Everybody but ourselves. */
export class MemberTable {
  readonly #entries: LayeredMap<string, TableEntry>;
  readonly #counts: Record<TableState, number> = {
    probation: 0,
    alive: 0,
    suspect: 0,
    unresponsive: 0,
    dead: 0,
    left: 0,
  };
  /** Names of the dead and departed. */
  readonly #absent: Set<string>;

  /** @param known what to begin with; it must not change any more */
  constructor(known?: MemberTable) {
    this.#entries = new LayeredMap(known === undefined ? undefined : known.#entries);
    if (known !== undefined) Object.assign(this.#counts, known.#counts);
    this.#absent = new Set(known === undefined ? [] : known.#absent);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): TableEntry | undefined {
    return this.#entries.get(name);
  }

  entries(): IterableIterator<TableEntry> {
    return this.#entries.values();
  }

  /** The dead and the departed. */
  *tombstones(): IterableIterator<TableEntry> {
    for (const name of this.#absent) yield this.#entries.get(name)!;
  }

  count(state: TableState): number {
    return this.#counts[state];
  }

  set(entry: TableEntry): void {
    const before = this.#entries.get(entry.name);
    if (before !== undefined) this.#counts[before.state]--;
    this.#counts[entry.state]++;
    this.#entries.set(entry.name, entry);
    if (isPresent(entry.state)) this.#absent.delete(entry.name);
    else this.#absent.add(entry.name);
  }

  delete(name: string): void {
    const before = this.#entries.get(name);
    if (before === undefined) return;
    this.#counts[before.state]--;
    this.#entries.delete(name);
    this.#absent.delete(name);
  }

  /** The longest-standing tombstone, or undefined when all members are present. */
  oldestTombstone(): TableEntry | undefined {
    let oldest: TableEntry | undefined;
    for (const entry of this.tombstones()) {
      if (oldest === undefined || entry.sinceMs < oldest.sinceMs) oldest = entry;
    }
    return oldest;
  }
}
