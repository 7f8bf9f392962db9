/**
 * A revision that fails where it is taken first touches nobody else: those who take it first are a tenth of the nodes, no
 * other node begins with it before one of these has it in use or the wait for them is over, and none after one of them
 * rejected it.
 * @module
 */
import type { Held } from '../../gossip/documents/revision.ts';
import type { DocumentWatcher } from '../world/operators.ts';
import type { Process } from '../world/process.ts';
import type { Watcher, World } from '../world/world.ts';
import type { Report } from './invariant.ts';

const RULE = 'first-takers';
const SHARE = 0.1;
/** How long others wait for mute first takers, and how long a rejection may be on its way to them. */
const PATIENCE_MS = 10_000;
const WORD_MS = 2_000;

interface Trial {
  readonly atMs: number;
  readonly first: Set<string>;
  isInUse: boolean;
  rejectedAtMs: number;
  /** How many may be first: a tenth, and one more for each member that came or went since. */
  allowed: number;
  isReported: boolean;
}

export class FirstTakers implements Watcher, DocumentWatcher {
  readonly #world: World;
  readonly #report: Report;
  readonly #trials = new Map<string, Trial>();

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  documentWritten(_writer: Process, held: Held): void {
    this.#trials.set(held.id, {
      atMs: this.#world.nowMs,
      first: new Set(),
      isInUse: false,
      rejectedAtMs: Number.POSITIVE_INFINITY,
      allowed: Math.max(1, Math.ceil(this.#world.running().length * SHARE)),
      isReported: false,
    });
  }

  booted(): void {
    this.#unsettle(1);
  }

  ended(): void {
    this.#unsettle(1);
  }

  /** Each part has a tenth of its own, rounded up. */
  networkChanged(): void {
    this.#unsettle(this.#world.hosts.length);
  }

  documentTried(viewer: Process, held: Held, isFirst: boolean): void {
    const trial = this.#trials.get(held.id);
    if (trial === undefined || held.revision.body === null) return;
    const { nowMs } = this.#world;
    if (isFirst) {
      trial.first.add(viewer.name);
      if (trial.first.size > trial.allowed) {
        this.#tell(trial, `${trial.first.size} nodes took ${held.id} first, ${trial.allowed} may`);
      }
    } else if (nowMs > trial.rejectedAtMs + WORD_MS) {
      this.#tell(trial, `${viewer.name} took ${held.id}, which a first taker rejected long before`);
    } else if (!trial.isInUse && nowMs < trial.atMs + PATIENCE_MS) {
      this.#tell(trial, `${viewer.name} took ${held.id} before anybody else had it in use`);
    }
  }

  documentRejected(_viewer: Process, held: Held, isFirst: boolean): void {
    const trial = this.#trials.get(held.id);
    if (isFirst && trial !== undefined) trial.rejectedAtMs = Math.min(trial.rejectedAtMs, this.#world.nowMs);
  }

  documentUsed(_viewer: Process, _key: string, revision: string): void {
    const trial = this.#trials.get(revision);
    if (trial !== undefined) trial.isInUse = true;
  }

  #unsettle(count: number): void {
    for (const trial of this.#trials.values()) trial.allowed += count;
  }

  #tell(trial: Trial, detail: string): void {
    if (trial.isReported) return;
    trial.isReported = true;
    this.#report(RULE, detail);
  }
}
