/**
 * A process that can stand still. While it does, its kernel goes on: connections are accepted, packets pile up. When it
 * wakes, Node runs the timers that came due before it reads its sockets, and what the process makes of that is the
 * difference between a mesh that forgives a stall and one that does not.
 *
 * Weft's edge (gossip/edge/fair-clock.ts, timers.ts) leaves the stall out of its clock and looks at the sockets before
 * it believes a timer; `edge: 'naive'` is what happens to a program that does neither.
 * @module
 */
import { LayeredMap } from '../../gossip/layered-map.ts';
import type { EventQueue } from './event-queue.ts';
import { Happening } from './event-queue.ts';
import type { Host } from './host.ts';
import type { PageVersion, ShownPage } from './pages.ts';

export type Edge = 'fair' | 'naive';
export type ProcessState = 'running' | 'stalled' | 'ended';

/** As gossip/edge/fair-clock.ts has them. */
const STEP_MS = 250;
const TICK_MS = 100;

export abstract class Process {
  readonly host: Host;
  readonly queue: EventQueue;
  readonly startedAtMs: number;
  state: ProcessState = 'running';
  /** When it began to stand still. */
  stalledAtMs = 0;
  /** How long it stood still the last time. */
  lastStallMs = 0;
  readonly #edge: Edge;
  #lostMs = 0;
  #busyUntilMs = 0;
  /** The latest timer that fired: no rounding may make the clock show less. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  readonly #held: (() => void)[] = [];
  readonly #timers = new Map<string, Map<string, Place>>();
  /** What this node shows of every owner's endpoints. */
  readonly shown: LayeredMap<string, ShownPage>;

  /** @param shown what it shows from the start, its own page aside */
  constructor(host: Host, queue: EventQueue, edge: Edge, shown?: LayeredMap<string, ShownPage>) {
    this.host = host;
    this.queue = queue;
    this.startedAtMs = queue.nowMs;
    this.#edge = edge;
    this.shown = new LayeredMap(shown);
    this.shown.delete(host.name);
  }

  get name(): string {
    return this.host.name;
  }

  /** The clock that the program reads. */
  nowMs(): number {
    return Math.max(this.host.monotonicMs() - this.#lostMs, this.#notBeforeMs);
  }

  abstract start(): void;
  /** Offers these endpoints from now on. */
  abstract publish(page: PageVersion): void;
  /** Says goodbye; the world ends the process a moment later. */
  abstract leave(): void;
  protected abstract fired(kind: string, about: string): void;
  /** The program noticed that it had stood still. */
  protected abstract stalled(forMs: number): void;
  /** The process is gone. `isAbrupt` = so is its host: its peers hear nothing. */
  protected abstract closed(isAbrupt: boolean): void;

  /**
   * Takes the thread for `workMs`, after what it is busy with already.
   *
   * @returns when it can begin
   */
  work(workMs: number): number {
    const fromMs = Math.max(this.queue.nowMs, this.#busyUntilMs);
    this.#busyUntilMs = fromMs + workMs;
    return fromMs;
  }

  /** Runs `input` now, or when the process wakes. */
  whenAwake(input: () => void): void {
    if (this.state === 'stalled') this.#held.push(input);
    else if (this.state === 'running') input();
  }

  protected arm(kind: string, about: string, atMs: number): void {
    let timers = this.#timers.get(kind);
    if (timers === undefined) {
      timers = new Map();
      this.#timers.set(kind, timers);
    }
    let place = timers.get(about);
    if (place === undefined) {
      place = { kind, about, due: undefined };
      timers.set(about, place);
    }
    this.#plan(place, atMs);
  }

  protected disarm(kind: string, about: string): void {
    const place = this.#timers.get(kind)?.get(about);
    if (place !== undefined) place.due = undefined;
  }

  /** For the queue: a timer's instant has come. */
  due(timer: Due): void {
    const { place, dueMs } = timer;
    if (place.due !== timer || this.state !== 'running') return; // `wake` plans those of a stalled process anew
    place.due = undefined;
    this.#notBeforeMs = Math.max(this.#notBeforeMs, dueMs);
    this.fired(place.kind, place.about);
  }

  stall(): void {
    if (this.state !== 'running') return;
    this.state = 'stalled';
    this.stalledAtMs = this.queue.nowMs;
  }

  wake(): void {
    if (this.state !== 'stalled') return;
    this.state = 'running';
    const forMs = this.queue.nowMs - this.stalledAtMs;
    this.lastStallMs = forMs;
    if (this.#edge === 'fair' && forMs > STEP_MS) {
      this.#lostMs += forMs - TICK_MS;
      this.stalled(forMs);
    }
    if (this.#edge === 'naive') this.#rearm();
    // The kernel's buffers are read in the order in which they filled; the timers' turn comes after, or came before.
    for (const input of this.#held.splice(0)) this.whenAwake(input);
    if (this.#edge === 'fair') this.#rearm();
  }

  end(isAbrupt: boolean): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.#held.length = 0;
    this.#timers.clear();
    this.closed(isAbrupt);
  }

  /** Plans every timer for the instant it has now; those overdue fire at once, a naive edge's before anything else. */
  #rearm(): void {
    const all = [...this.#timers.values()].flatMap((timers) => [...timers.values()]);
    const armed = all.map(({ due }) => due).filter((due) => due !== undefined);
    armed.sort((a, b) => a.dueMs - b.dueMs);
    for (const old of armed) {
      if (old.place.due !== old) continue; // one before it moved it
      const due = this.#plan(old.place, old.dueMs);
      if (this.#edge === 'naive' && this.#instantOf(old.dueMs) <= this.queue.nowMs) due.run();
    }
  }

  #plan(place: Place, dueMs: number): Due {
    const due = new Due(this, place, dueMs);
    place.due = due;
    this.queue.plan(this.#instantOf(dueMs), due);
    return due;
  }

  #instantOf(atMs: number): number {
    return this.host.instantOf(atMs + this.#lostMs);
  }
}

/** Where a timer is kept, armed or not: the core arms the same few again and again. */
interface Place {
  readonly kind: string;
  readonly about: string;
  due: Due | undefined;
}

/** One arming of a timer; void once its place holds another. */
class Due extends Happening {
  readonly process: Process;
  readonly place: Place;
  /** On the process's clock. */
  readonly dueMs: number;

  constructor(process: Process, place: Place, dueMs: number) {
    super();
    this.process = process;
    this.place = place;
    this.dueMs = dueMs;
  }

  override run(): void {
    this.process.due(this);
  }
}
