/** What the report draws: how views, suspicions and traffic went over time, at a few hundred instants. @module */
import type { Process } from '../world/process.ts';
import type { Watcher, World } from '../world/world.ts';
import type { Convergence } from './convergence.ts';

export interface TimelinePoint {
  readonly atMs: number;
  readonly running: number;
  readonly agreeing: number;
  /** Pairs of a node and a member it holds in this state. */
  readonly suspect: number;
  readonly unresponsive: number;
  readonly dead: number;
  /** Per node and second, since the point before, by kind of message. */
  readonly bytes: Readonly<Record<string, number>>;
  /** For each of `viewers`: how much of what is so it shows, 0 to 1; -1 = it does not run; -2 = it stands still. */
  readonly shares: readonly number[];
}

const VIEWERS = 64;

export class Timeline implements Watcher {
  readonly points: TimelinePoint[] = [];
  readonly viewers: readonly string[];
  readonly #world: World;
  readonly #convergence: Convergence;
  readonly #zeroMs: number;
  /** Members in doubt or dead, per node. */
  readonly #states = new Map<Process, Map<string, string>>();
  readonly #counts: Record<string, number> = { suspect: 0, unresponsive: 0, dead: 0 };
  #bytesBefore: ReadonlyMap<string, number>;
  #atBeforeMs: number;

  constructor(world: World, convergence: Convergence) {
    this.#world = world;
    this.#convergence = convergence;
    this.#zeroMs = world.nowMs;
    this.#atBeforeMs = world.nowMs;
    this.#bytesBefore = world.bytesByKind();
    const step = Math.max(1, Math.ceil(world.hosts.length / VIEWERS));
    this.viewers = world.hosts.filter((_, i) => i % step === 0).map(({ name }) => name);
    world.watchers.push(this);
  }

  sighted(viewer: Process, about: string, state: string): void {
    let states = this.#states.get(viewer);
    const before = states?.get(about);
    if (before !== undefined) this.#counts[before]!--;
    if (!(state in this.#counts)) {
      states?.delete(about);
      return;
    }
    if (states === undefined) {
      states = new Map();
      this.#states.set(viewer, states);
    }
    states.set(about, state);
    this.#counts[state]!++;
  }

  ended(process: Process): void {
    for (const state of this.#states.get(process)?.values() ?? []) this.#counts[state]!--;
    this.#states.delete(process);
  }

  /** Adds a point for this instant. */
  look(): void {
    const { nowMs } = this.#world;
    const bytesByKind = this.#world.bytesByKind();
    const seconds = Math.max(0.001, (nowMs - this.#atBeforeMs) / 1_000);
    const running = this.#world.running();
    const bytes: Record<string, number> = {};
    for (const [kind, total] of bytesByKind) {
      const rate = (total - (this.#bytesBefore.get(kind) ?? 0)) / seconds / Math.max(1, running.length);
      if (rate >= 1) bytes[kind] = Math.round(rate);
    }
    this.#bytesBefore = bytesByKind;
    this.#atBeforeMs = nowMs;
    const shares = this.#convergence.shares();
    this.points.push({
      atMs: Math.round(nowMs - this.#zeroMs),
      running: running.length,
      agreeing: running.filter((process) => shares.get(process.name) === 1).length,
      suspect: this.#counts.suspect!,
      unresponsive: this.#counts.unresponsive!,
      dead: this.#counts.dead!,
      bytes,
      shares: this.viewers.map((name) => this.#shareOf(name, shares)),
    });
  }

  #shareOf(name: string, shares: ReadonlyMap<string, number>): number {
    const host = this.#world.hostNamed(name);
    const process = host === undefined ? undefined : this.#world.processOn(host);
    if (process === undefined || process.state === 'ended') return -1;
    return process.state === 'stalled' ? -2 : Math.round((shares.get(name) ?? 0) * 1_000) / 1_000;
  }
}
