/**
 * Who was found dead: how long it took every node to know of a real death, and which deaths were not real.
 * @module
 */
import type { Process } from '../world/process.ts';
import type { Ending, Watcher, World } from '../world/world.ts';

interface Death {
  readonly name: string;
  readonly how: Ending;
  readonly atMs: number;
  readonly missing: Set<Process>;
}

export interface FalseDeath {
  readonly name: string;
  readonly viewer: string;
  readonly atMs: number;
}

/**
 * A verdict rests on evidence this old at most: silence, questions, probes, suspicion. What happened to the accused
 * before that does not excuse it.
 */
const EVIDENCE_MS = 5_000;

export class Verdicts implements Watcher {
  readonly #world: World;
  readonly #stallMaxMs: number;
  readonly #deaths = new Map<string, Death>();
  /** Nodes that hold a healthy node dead, by the name of that node. */
  readonly #wrong = new Map<string, Set<Process>>();
  #isMeasuring = false;
  /** For every real end and every node that outlived it: how long that node believed otherwise. */
  readonly detectMs: number[] = [];
  /** For every real end: how long until the last node knew. */
  readonly knownByAllMs: { readonly name: string; readonly how: Ending; readonly ms: number }[] = [];
  readonly falseDeaths: FalseDeath[] = [];

  constructor(world: World, stallMaxMs: number) {
    this.#world = world;
    this.#stallMaxMs = stallMaxMs;
  }

  measure(): void {
    this.#isMeasuring = true;
  }

  /** Real ends that some node does not know of. */
  unknown(): readonly Death[] {
    return [...this.#deaths.values()];
  }

  booted(process: Process): void {
    this.#deaths.delete(process.name); // back before everybody noticed
  }

  ended(process: Process, how: Ending): void {
    this.#exclude((viewer) => viewer === process);
    this.#wrong.delete(process.name);
    if (!this.#isMeasuring) return;
    const missing = new Set<Process>();
    for (const viewer of this.#world.running()) {
      if (viewer !== process && this.#world.network.isSameSide(viewer.host, process.host)) missing.add(viewer);
    }
    if (missing.size > 0) this.#deaths.set(process.name, { name: process.name, how, atMs: this.#world.nowMs, missing });
  }

  stalled(process: Process): void {
    this.#exclude((viewer) => viewer === process);
  }

  networkChanged(): void {
    this.#exclude((viewer, death) => {
      const host = this.#world.hostNamed(death.name)!;
      return !viewer.host.isConnected || !this.#world.network.isSameSide(viewer.host, host);
    });
  }

  sighted(viewer: Process, about: string, state: string): void {
    if (state !== 'dead' && state !== 'left') {
      this.#wrong.get(about)?.delete(viewer);
      return;
    }
    const death = this.#deaths.get(about);
    if (death?.missing.delete(viewer) === true) {
      this.detectMs.push(this.#world.nowMs - death.atMs);
      this.#finishIfDone(death, true);
      return;
    }
    if (state === 'dead' && this.#isHealthy(about, viewer)) this.#wrongly(viewer, about);
  }

  #wrongly(viewer: Process, about: string): void {
    let viewers = this.#wrong.get(about);
    if (viewers === undefined) {
      viewers = new Set();
      this.#wrong.set(about, viewers);
    }
    if (viewers.size === 0) this.falseDeaths.push({ name: about, viewer: viewer.name, atMs: this.#world.nowMs });
    viewers.add(viewer);
  }

  /** Whether the accused did nothing, for as long as a verdict looks back, that would excuse `viewer`. */
  #isHealthy(about: string, viewer: Process): boolean {
    const { nowMs, network } = this.#world;
    const host = this.#world.hostNamed(about);
    const process = host === undefined ? undefined : this.#world.processOn(host);
    if (host === undefined || process === undefined || process.state === 'ended') return false;
    if (!host.isConnected || !viewer.host.isConnected || !network.isSameSide(host, viewer.host)) return false;
    const stalledMs = process.state === 'stalled' ? nowMs - process.stalledAtMs : 0;
    if (stalledMs >= this.#stallMaxMs || process.lastStallMs >= this.#stallMaxMs) return false;
    const sinceMs = Math.max(process.startedAtMs, host.connectedSinceMs, viewer.host.connectedSinceMs);
    return nowMs - sinceMs >= EVIDENCE_MS;
  }

  #exclude(isExcluded: (viewer: Process, death: Death) => boolean): void {
    for (const death of [...this.#deaths.values()]) {
      for (const viewer of death.missing) if (isExcluded(viewer, death)) death.missing.delete(viewer);
      this.#finishIfDone(death, false);
    }
  }

  #finishIfDone(death: Death, isSample: boolean): void {
    if (death.missing.size > 0) return;
    this.#deaths.delete(death.name);
    if (isSample) this.knownByAllMs.push({ name: death.name, how: death.how, ms: this.#world.nowMs - death.atMs });
  }
}
