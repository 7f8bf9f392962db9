/**
 * How many requests a service port may have open at its destination, learned from how long they take: as many as it can serve
 * at once and a short queue. What is over is refused at once, the least important first, and of equals those of callers that
 * have more than their share.
 *
 * The limit follows Gradient2 of Netflix's concurrency-limits (github.com/Netflix/concurrency-limits): it shrinks as answers
 * take longer than they do without a queue, and grows by its square root. Differs in how it knows that time: an average of
 * the past would take an overload for the normal case after a while. So every now and then fewer requests are let in for a
 * moment, as in Envoy's gradient controller, but no fewer than throughput and latency say are needed (Little's law).
 *
 * All workers of the node learn and count together, in one slot for the port and one for each of its callers.
 * @module
 */

import type { Concurrency } from '../traffic/rules.ts';
import { ceilingOf, type Priority } from './priority.ts';
import type { SharedSlot } from './shared-slot.ts';
import type { SharedTable } from './shared-table.ts';

/** Cells of a port. Limits are in 256ths, latencies in microseconds, sums of them in ten. */
const LEARNED = 0;
/** The limit that holds: the learned one, or less while the latency without a queue is looked for. */
const CURRENT = 1;
const BASE = 2;
const MODE = 3;
const WINDOW_START = 4;
const WINDOW = 5;
const SAMPLES = 6;
const LATENCY = 7;
const PEAK = 8;
/** Callers seen in this window, and in the last. */
const CALLERS = 9;
const CALLERS_BEFORE = 10;

/** Cell of a caller: the window it was last seen in. */
const SEEN = 0;

const MODES = { learn: 0, drain: 1, measure: 2 } as const;

const UNIT = 256;
const INITIAL = 20;
/**
 * A window ends when it has so many samples and is so old, or several times that age. It lasts longer than most requests:
 * a short one sees the quick ones alone.
 */
const WINDOW_MS = 100;
const WINDOW_LATENCIES = 3;
const WINDOW_SAMPLES = 20;
const MAX_WINDOW_MS = 5_000;
const PATIENCE = 10;
/** How many windows pass from one look for the latency without a queue to the next, and to the first. */
const WINDOWS_BETWEEN = 100;
const WINDOWS_BEFORE = 5;
/** How much longer than that answers may take. Netflix: 1.5. */
const TOLERANCE = 1.5;
/** How much of a new limit counts. Netflix: 0.2. */
const SMOOTHING = 0.2;
/** How much of another latency counts where it may be the one without a queue. */
const BASE_SMOOTHING = 0.1;
/** What is let in of what is needed, so that no queue is left. */
const DRAINED = 0.8;
/** How far over that those may go that may go over the limit: still less than what is needed. */
const DRAINED_OVER = 1.1;
/** Longer answers count as this long: ten minutes, in ten microseconds. */
const MAX_LATENCY = 60_000_000;

/** What one caller has open at a port. Whoever makes it closes it, when nothing of it is open any more. */
export class CallerShare {
  readonly slot: SharedSlot;
  readonly #table: SharedTable;
  readonly #key: string;

  /** @param port the same that its limit was made for; @param caller SPIFFE id, or what stands for callers without one */
  constructor(table: SharedTable, port: string, caller: string) {
    this.#table = table;
    this.#key = `share ${port} ${caller}`;
    this.slot = table.claim(this.#key);
  }

  close(): void {
    this.#table.release(this.#key);
  }
}

export class AdaptiveLimit {
  readonly #table: SharedTable;
  readonly #key: string;
  readonly #slot: SharedSlot;
  readonly #limits: Concurrency;

  /** @param port names the port of the service at this node */
  constructor(table: SharedTable, port: string, limits: Concurrency) {
    this.#table = table;
    this.#key = `port ${port}`;
    this.#slot = table.claim(this.#key);
    this.#limits = limits;
    const initial = this.#bounded(INITIAL) * UNIT;
    if (this.#exchange(LEARNED, 0, initial)) this.#exchange(CURRENT, 0, initial);
  }

  /** The limit as learned so far, whole requests. */
  get limit(): number {
    return Math.floor(this.#get(LEARNED) / UNIT);
  }

  get inFlight(): number {
    return this.#slot.held('requests');
  }

  /** Takes a place; where this is true, `release` gives it back. */
  tryAcquire(caller: CallerShare, priority: Priority, nowMs: number): boolean {
    this.#exchange(WINDOW_START, 0, instant(nowMs));
    this.#see(caller);
    const limit = (this.#get(CURRENT) || UNIT) / UNIT;
    const most =
      this.#get(MODE) === MODES.measure ? Math.max(1, Math.floor(limit * DRAINED_OVER)) : this.#limits.maxRequests;
    const ceiling = ceilingOf({
      limit,
      priority,
      callers: Math.max(this.#get(CALLERS), this.#get(CALLERS_BEFORE)),
      held: caller.slot.held('requests'),
    });
    if (!this.#slot.tryHold('requests', Math.min(ceiling, most))) return false;
    caller.slot.hold('requests', 1);
    return true;
  }

  /** @param wasServed whether the application answered, well and by itself: only then the time says something */
  release(caller: CallerShare, tookMs: number, wasServed: boolean, nowMs: number): void {
    const inFlight = this.inFlight;
    this.#slot.hold('requests', -1);
    caller.slot.hold('requests', -1);
    const start = this.#get(WINDOW_START);
    const ageMs = ((nowMs | 0) - start) | 0;
    // While the latency without a queue is measured, only requests count that leave none behind.
    if (
      wasServed &&
      (this.#get(MODE) !== MODES.measure || inFlight * UNIT <= Math.max(UNIT, this.#get(CURRENT) * DRAINED_OVER))
    ) {
      Atomics.add(this.#slot.cells, this.#slot.first + SAMPLES, 1);
      Atomics.add(this.#slot.cells, this.#slot.first + LATENCY, Math.min(Math.round(tookMs * 100), MAX_LATENCY));
    }
    if (inFlight > this.#get(PEAK)) this.#set(PEAK, inFlight);
    const samples = this.#get(SAMPLES);
    const usualMs = Math.max(this.#get(BASE) / 1_000, (this.#get(LATENCY) >>> 0) / 100 / Math.max(1, samples));
    const windowMs = Math.min(MAX_WINDOW_MS, Math.max(WINDOW_MS, WINDOW_LATENCIES * usualMs));
    const isFull = ageMs >= windowMs && samples >= WINDOW_SAMPLES;
    if (!isFull && ageMs < PATIENCE * windowMs) return;
    if (this.#exchange(WINDOW_START, start, instant(nowMs))) this.#endWindow(Math.max(1, ageMs));
  }

  close(): void {
    this.#table.release(this.#key);
  }

  #see({ slot }: CallerShare): void {
    const window = this.#get(WINDOW) + 1;
    const at = slot.first + SEEN;
    const seen = Atomics.load(slot.cells, at);
    if (seen !== window && Atomics.compareExchange(slot.cells, at, seen, window) === seen)
      Atomics.add(this.#slot.cells, this.#slot.first + CALLERS, 1);
  }

  #endWindow(ageMs: number): void {
    const samples = this.#take(SAMPLES);
    const latency = this.#take(LATENCY) >>> 0;
    const latencyUs = samples === 0 ? 0 : (latency * 10) / samples;
    const peak = this.#take(PEAK);
    this.#set(CALLERS_BEFORE, this.#take(CALLERS));
    const window = this.#get(WINDOW) + 1;
    this.#set(WINDOW, window);
    switch (this.#get(MODE)) {
      case MODES.drain:
        this.#set(MODE, MODES.measure);
        return;
      case MODES.measure:
        if (samples >= WINDOW_SAMPLES / 2) this.#set(BASE, Math.max(1, Math.round(latencyUs)));
        this.#set(CURRENT, this.#get(LEARNED));
        this.#set(MODE, MODES.learn);
        return;
      default:
        if (samples > 0) this.#learn(latencyUs, peak);
        if (window % WINDOWS_BETWEEN === WINDOWS_BEFORE && samples >= WINDOW_SAMPLES)
          this.#drain(samples / ageMs, peak);
    }
  }

  #learn(latencyUs: number, peak: number): void {
    const base = this.#get(BASE);
    const learned = this.#get(LEARNED) / UNIT;
    const isIdle = peak < learned / 2;
    // With room to spare there is no queue here: what is longer is so by itself.
    const follows = base === 0 ? 1 : latencyUs < base || isIdle ? BASE_SMOOTHING : 0;
    const without = base + (latencyUs - base) * follows;
    this.#set(BASE, Math.max(1, Math.round(without)));
    const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * without) / Math.max(1, latencyUs)));
    const wanted = learned * gradient + Math.sqrt(learned);
    if (wanted > learned && isIdle) return;
    const next = Math.round(this.#bounded(learned + (wanted - learned) * SMOOTHING) * UNIT);
    this.#set(LEARNED, next);
    this.#set(CURRENT, next);
  }

  /** Where it may be that all learned from has waited in a queue. */
  #drain(perMs: number, peak: number): void {
    if (peak < this.#get(LEARNED) / UNIT / 2) return;
    const needed = perMs * (this.#get(BASE) / 1_000);
    this.#set(CURRENT, Math.max(UNIT, Math.min(this.#get(LEARNED), Math.round(needed * DRAINED * UNIT))));
    this.#set(MODE, MODES.drain);
  }

  #bounded(limit: number): number {
    return Math.min(this.#limits.maxRequests, Math.max(this.#limits.minRequests, limit));
  }

  #get(cell: number): number {
    return Atomics.load(this.#slot.cells, this.#slot.first + cell);
  }

  #set(cell: number, value: number): void {
    Atomics.store(this.#slot.cells, this.#slot.first + cell, value);
  }

  #take(cell: number): number {
    return Atomics.exchange(this.#slot.cells, this.#slot.first + cell, 0);
  }

  #exchange(cell: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#slot.cells, this.#slot.first + cell, from, to) === from;
  }
}

/** 0 means none, so the instant 0 is taken for the next. */
function instant(ms: number): number {
  return ms | 0 || 1;
}
