/**
 * How long documents take: from an operator's write until each node holds it, and until each has it in use. Counted are
 * nodes that could hear of it all the time; a newer revision ends the wait for the one before.
 * @module
 */
import type { WriteOutcome } from '../../gossip/documents/outcome.ts';
import type { Held } from '../../gossip/documents/revision.ts';
import { keyText } from '../../gossip/documents/revision.ts';
import type { DocumentWatcher } from '../world/operators.ts';
import type { Process } from '../world/process.ts';
import type { Watcher, World } from '../world/world.ts';

interface Spread {
  readonly key: string;
  readonly writer: Process;
  readonly atMs: number;
  /** Nodes that do not hold it yet, and nodes that do not use it yet. */
  readonly lacking: Set<Process>;
  readonly unused: Set<Process>;
  readonly curve: number[];
}

export class DocumentSpread implements Watcher, DocumentWatcher {
  readonly #world: World;
  readonly #spreads = new Map<string, Spread>();
  /** For every write and every node, the writer aside: milliseconds until it held it. */
  readonly reachMs: number[] = [];
  /** The same until it was in use there; revisions that are held back never are. */
  readonly useMs: number[] = [];
  readonly curves: { readonly document: string; readonly reachedMs: readonly number[] }[] = [];
  writes = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Writes that some node which could have heard of them still lacks. */
  unfinished(): readonly { readonly key: string; readonly lacking: number }[] {
    const open = [...this.#spreads.values()].filter(({ lacking }) => lacking.size > 0);
    return open.map(({ key, lacking }) => ({ key, lacking: lacking.size }));
  }

  documentWritten(writer: Process, held: Held, outcome: WriteOutcome): void {
    if (outcome.kind !== 'written') return;
    this.writes++;
    const key = keyText(held.revision);
    for (const [id, spread] of this.#spreads) {
      if (spread.key === key && this.#reaches(spread.writer, writer)) this.#spreads.delete(id);
    }
    const others = this.#world.running().filter((one) => one !== writer && this.#reaches(writer, one));
    const curve: number[] = [];
    this.curves.push({ document: `${held.revision.name} ${held.revision.number}`, reachedMs: curve });
    const atMs = this.#world.nowMs;
    this.#spreads.set(held.id, { key, writer, atMs, lacking: new Set(others), unused: new Set(others), curve });
  }

  documentHeld(viewer: Process, head: Held): void {
    const spread = this.#spreads.get(head.id);
    if (spread?.lacking.delete(viewer) !== true) return;
    this.reachMs.push(this.#world.nowMs - spread.atMs);
    spread.curve.push(this.#world.nowMs - spread.atMs);
  }

  documentUsed(viewer: Process, _key: string, revision: string): void {
    const spread = this.#spreads.get(revision);
    if (spread?.unused.delete(viewer) === true) this.useMs.push(this.#world.nowMs - spread.atMs);
  }

  ended(process: Process): void {
    this.#exclude((viewer) => viewer === process);
  }

  stalled(process: Process): void {
    this.#exclude((viewer) => viewer === process);
  }

  networkChanged(): void {
    this.#exclude((viewer, writer) => !this.#reaches(writer, viewer));
  }

  #reaches(writer: Process, viewer: Process): boolean {
    if (writer === viewer) return true;
    if (!writer.host.isConnected || !viewer.host.isConnected) return false;
    return this.#world.network.isSameSide(writer.host, viewer.host);
  }

  #exclude(isExcluded: (viewer: Process, writer: Process) => boolean): void {
    for (const { writer, lacking, unused } of this.#spreads.values()) {
      for (const waiting of [lacking, unused]) {
        for (const viewer of waiting) if (isExcluded(viewer, writer)) waiting.delete(viewer);
      }
    }
  }
}
