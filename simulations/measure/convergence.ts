/**
 * How long news takes until every node routes by it, and whether all views are the same: measured from what nodes show,
 * against what the world knows to be so.
 * @module
 */
import type { PageVersion, ShownPage } from '../world/pages.ts';
import type { Process } from '../world/process.ts';
import type { Ending, Watcher, World } from '../world/world.ts';

/** A page that everybody who can hear of it should show, or a newer one. */
interface Spread {
  readonly owner: string;
  readonly number: number;
  readonly atMs: number;
  readonly missing: Set<Process>;
}

interface Viewer {
  readonly process: Process;
  /** Owners that are present and shown with their newest page. */
  matched: number;
  /** Owners that are gone and still shown. */
  extra: number;
}

/** What was to upset the views has had its effect by then. */
const SOON_MS = 10;
/** More changes than this under way are not followed; they are counted instead. */
const MAX_SPREADS = 2_000;

export class Convergence implements Watcher {
  readonly #world: World;
  /** The newest page of every owner that is there. */
  readonly #truth = new Map<string, number>();
  readonly #viewers = new Map<Process, Viewer>();
  readonly #spreads = new Map<string, Spread[]>();
  #spreadCount = 0;
  #dissenter: Viewer | undefined;
  #isMeasuring = false;
  /** Since when all views have been wanted to agree. */
  #wantedSinceMs: number | undefined;
  #contactSinceMs: number | undefined;
  #isAwaitingContact = false;
  /** Time from a change to the last node that shows it. */
  readonly changesMs: number[] = [];
  /** Time until all views agreed, for each time that was wanted. */
  readonly agreementsMs: number[] = [];
  /** The same from the first link between those who had been apart. */
  readonly afterContactMs: number[] = [];
  /** For the report: when each of the first nodes came to show a change, from the change on. */
  readonly curves: { readonly owner: string; readonly atMs: number; readonly reachedMs: number[] }[] = [];
  readonly #curveOf = new Map<Spread, number[]>();

  constructor(world: World) {
    this.#world = world;
  }

  /** From here on changes are followed. */
  measure(): void {
    this.#isMeasuring = true;
  }

  /** All views should agree from now on; how long that takes is a sample. */
  wantAgreement(): void {
    this.#wantedSinceMs ??= this.#world.nowMs;
    this.#world.queue.later(SOON_MS, () => this.#look());
  }

  /** The parts of a partition may meet again: time also counts from their first contact. */
  awaitContact(): void {
    this.#isAwaitingContact = true;
    this.#contactSinceMs = undefined;
  }

  /** Nobody expects agreement any more: a new fault came before it. */
  dropWanted(): void {
    this.#wantedSinceMs = undefined;
    this.#isAwaitingContact = false;
    this.#contactSinceMs = undefined;
  }

  get isAgreementWanted(): boolean {
    return this.#wantedSinceMs !== undefined;
  }

  /** Changes not yet shown by everybody, oldest first. */
  unfinished(): readonly Spread[] {
    return [...this.#spreads.values()].flat();
  }

  isAgreed(): boolean {
    // Whoever disagreed at the last look most likely still does; to ask all after every change would take longer than all else.
    if (this.#dissenter !== undefined && !this.#agrees(this.#dissenter)) return false;
    this.#dissenter = this.#viewers.values().find((viewer) => !this.#agrees(viewer));
    return this.#dissenter === undefined;
  }

  /** Nodes that run and whose view is not what is so. */
  disagreeing(): string[] {
    return [...this.#viewers.values()].filter((viewer) => !this.#agrees(viewer)).map(({ process }) => process.name);
  }

  /** How much of what is so each running node shows, from 0 to 1; surplus counts against it. */
  shares(): Map<string, number> {
    const shares = new Map<string, number>();
    for (const { process, matched, extra } of this.#viewers.values()) {
      shares.set(process.name, matched / Math.max(1, this.#truth.size + extra));
    }
    return shares;
  }

  agreeingCount(): number {
    let count = 0;
    for (const viewer of this.#viewers.values()) if (this.#agrees(viewer)) count++;
    return count;
  }

  booted(process: Process): void {
    this.#viewers.set(process, { process, matched: process.shown.size, extra: 0 }); // a formed mesh shows what is so
  }

  known(owner: string, page: PageVersion): void {
    this.#truth.set(owner, page.number);
  }

  published(process: Process, page: PageVersion): void {
    const owner = process.name;
    this.#setTruth(owner, page.number);
    if (!this.#isMeasuring || this.#spreadCount >= MAX_SPREADS) return;
    const missing = new Set<Process>();
    for (const viewer of this.#viewers.keys()) {
      if (viewer.state === 'running' && viewer.host.isConnected && process.host.isConnected) {
        if (this.#world.network.isSameSide(viewer.host, process.host)) missing.add(viewer);
      }
    }
    if (missing.size === 0) return;
    const spread = { owner, number: page.number, atMs: this.#world.nowMs, missing };
    this.#spreads.set(owner, [...(this.#spreads.get(owner) ?? []), spread]);
    this.#spreadCount++;
    if (this.curves.length >= 24) return;
    const reachedMs: number[] = [];
    this.curves.push({ owner, atMs: spread.atMs, reachedMs });
    this.#curveOf.set(spread, reachedMs);
  }

  showed(viewer: Process, owner: string, page: ShownPage | undefined, before: ShownPage | undefined): void {
    const state = this.#viewers.get(viewer);
    if (state === undefined) return;
    const truth = this.#truth.get(owner);
    this.#count(state, truth, before, -1);
    this.#count(state, truth, page, 1);
    const spreads = this.#spreads.get(owner);
    if (spreads !== undefined && page?.number !== undefined) this.#reached(viewer, spreads, page.number);
    if (this.#wantedSinceMs !== undefined) this.#look();
  }

  ended(process: Process, _how: Ending): void {
    this.#viewers.delete(process);
    this.#dissenter = undefined;
    this.#setTruth(process.name, undefined);
    this.#drop(process.name);
    this.#exclude((viewer) => viewer === process);
  }

  stalled(process: Process): void {
    this.#drop(process.name);
    this.#exclude((viewer) => viewer === process);
  }

  networkChanged(): void {
    const { network } = this.#world;
    for (const spreads of this.#spreads.values()) {
      for (const spread of [...spreads]) {
        const owner = this.#world.hostNamed(spread.owner)!;
        for (const viewer of spread.missing) {
          const isReachable = owner.isConnected && viewer.host.isConnected && network.isSameSide(owner, viewer.host);
          if (!isReachable) spread.missing.delete(viewer);
        }
        this.#finishIfDone(spread, false);
      }
    }
  }

  linked(opener: Process, accepter: Process): void {
    if (!this.#isAwaitingContact || opener.host.side !== accepter.host.side) return;
    this.#isAwaitingContact = false;
    this.#contactSinceMs = this.#world.nowMs;
  }

  #agrees({ process, matched, extra }: Viewer): boolean {
    return process.state !== 'running' || (matched === this.#truth.size && extra === 0);
  }

  #look(): void {
    if (this.#wantedSinceMs === undefined || !this.isAgreed()) return;
    this.agreementsMs.push(this.#world.nowMs - this.#wantedSinceMs);
    if (this.#contactSinceMs !== undefined) this.afterContactMs.push(this.#world.nowMs - this.#contactSinceMs);
    this.dropWanted();
  }

  #setTruth(owner: string, number: number | undefined): void {
    const before = this.#truth.get(owner);
    if (before === number) return;
    if (number === undefined) this.#truth.delete(owner);
    else this.#truth.set(owner, number);
    for (const state of this.#viewers.values()) {
      const page = state.process.shown.get(owner);
      this.#count(state, before, page, -1);
      this.#count(state, number, page, 1);
    }
  }

  #count(viewer: Viewer, truth: number | undefined, page: ShownPage | undefined, by: 1 | -1): void {
    if (page === undefined) return;
    if (truth === undefined) viewer.extra += by;
    else if (page.number === truth) viewer.matched += by;
  }

  #reached(viewer: Process, spreads: readonly Spread[], number: number): void {
    for (const spread of [...spreads]) {
      if (number < spread.number || !spread.missing.delete(viewer)) continue;
      this.#curveOf.get(spread)?.push(this.#world.nowMs - spread.atMs);
      this.#finishIfDone(spread, true);
    }
  }

  #finishIfDone(spread: Spread, isSample: boolean): void {
    if (spread.missing.size > 0) return;
    if (isSample) this.changesMs.push(this.#world.nowMs - spread.atMs);
    this.#remove(spread);
  }

  /** The owner of these is gone: nobody needs to show its last page any more. */
  #drop(owner: string): void {
    for (const spread of this.#spreads.get(owner) ?? []) this.#remove(spread);
  }

  #exclude(isExcluded: (viewer: Process) => boolean): void {
    for (const spreads of [...this.#spreads.values()]) {
      for (const spread of spreads) {
        for (const viewer of spread.missing) if (isExcluded(viewer)) spread.missing.delete(viewer);
        this.#finishIfDone(spread, false);
      }
    }
  }

  #remove(spread: Spread): void {
    const rest = (this.#spreads.get(spread.owner) ?? []).filter((one) => one !== spread);
    this.#spreadCount--;
    this.#curveOf.delete(spread);
    if (rest.length === 0) this.#spreads.delete(spread.owner);
    else this.#spreads.set(spread.owner, rest);
  }
}
