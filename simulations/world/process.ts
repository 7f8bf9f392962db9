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
  /** It has said goodbye, and lingers for it to be passed on. */
  isLeaving = false;
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
  /** By subject, then by kind. */
  readonly #timers = new Map<string, Map<string, Timer>>();
  /** The timer that fired last: what is armed next mostly has the same subject. */
  #fired: Timer | undefined;
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
    const siblings = this.#timersOf(about);
    let timer = siblings.get(kind);
    if (timer === undefined || !timer.isPlannedBy(this.#instantOf(atMs))) {
      if (timer !== undefined) timer.dueMs = undefined;
      timer = new Timer(this, siblings, kind, about);
      siblings.set(kind, timer);
    }
    this.#plan(timer, atMs);
  }

  protected disarm(kind: string, about: string): void {
    const timer = this.#timers.get(about)?.get(kind);
    if (timer !== undefined) timer.dueMs = undefined;
  }

  /** For the queue: a timer's instant has come. */
  due(timer: Timer, dueMs: number): void {
    if (this.state !== 'running') return; // `wake` plans those of a stalled process anew
    timer.dueMs = undefined;
    this.#fired = timer;
    this.#notBeforeMs = Math.max(this.#notBeforeMs, dueMs);
    this.fired(timer.kind, timer.about);
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
    this.#fired = undefined;
    this.closed(isAbrupt);
  }

  /** Plans every timer for the instant it has now; those overdue fire at once, a naive edge's before anything else. */
  #rearm(): void {
    const all = [...this.#timers.values()].flatMap((timers) => [...timers.values()]);
    const armed = all.flatMap((timer) => (timer.dueMs === undefined ? [] : [{ timer, dueMs: timer.dueMs }]));
    armed.sort((a, b) => a.dueMs - b.dueMs);
    for (const { timer, dueMs } of armed) {
      if (timer.dueMs !== dueMs) continue; // one before it moved it
      if (this.#edge === 'naive' && this.#instantOf(dueMs) <= this.queue.nowMs) this.due(timer, dueMs);
      else this.#plan(timer, dueMs);
    }
  }

  #timersOf(about: string): Map<string, Timer> {
    if (this.#fired?.about === about) return this.#fired.siblings;
    let timers = this.#timers.get(about);
    if (timers === undefined) {
      timers = new Map();
      this.#timers.set(about, timers);
    }
    return timers;
  }

  #plan(timer: Timer, dueMs: number): void {
    timer.dueMs = dueMs;
    timer.instantMs = this.#instantOf(dueMs);
    timer.planIfNeeded();
  }

  #instantOf(atMs: number): number {
    return this.host.instantOf(atMs + this.#lostMs);
  }
}

/**
 * A timer of the program, armed or not. The core moves the same few to a later instant again and again, mostly long before
 * they are due: it stays in the queue where it is, and finds out when its turn comes.
 */
class Timer extends Happening {
  readonly process: Process;
  /** All timers of the same subject, by kind. */
  readonly siblings: Map<string, Timer>;
  readonly kind: string;
  readonly about: string;
  /** On the process's clock; undefined = disarmed. */
  dueMs: number | undefined = undefined;
  /** When that is. */
  instantMs = 0;
  #isQueued = false;

  constructor(process: Process, siblings: Map<string, Timer>, kind: string, about: string) {
    super();
    this.process = process;
    this.siblings = siblings;
    this.kind = kind;
    this.about = about;
  }

  /** Whether its turn comes no later than `instantMs`, or whenever it is planned for. */
  isPlannedBy(instantMs: number): boolean {
    return !this.#isQueued || this.atMs <= instantMs;
  }

  planIfNeeded(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.process.queue.plan(this.instantMs, this);
  }

  override run(): void {
    this.#isQueued = false;
    if (this.dueMs === undefined) return;
    if (this.instantMs > this.process.queue.nowMs) this.planIfNeeded();
    else this.process.due(this, this.dueMs);
  }
}
