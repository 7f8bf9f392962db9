/**
 * What all data-plane workers of a node know together: limits, budgets, the health of endpoints.
 *
 * One SharedArrayBuffer holds slots found by a hash of their key. Finding one takes a lock and is done when a route is made,
 * not for each request; afterwards its cells are touched by index, without a lock. Where there is no room, a worker gets a
 * slot of its own, which counts for itself alone.
 *
 * The control thread is a member too, with the index after the last worker. It gives back what a worker held that died, and
 * frees slots that nobody uses any more.
 * @module
 */

import { hash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { COLUMN, columnStart, HEAD, HEAD_CELLS, SLOT, STATE, strideOf } from './shared-layout.ts';
import { SharedSlot } from './shared-slot.ts';

/** What fits; its memory is taken page by page when it is used. */
const SLOTS = 16_384;
/** How far from its place a key may lie. */
const MAX_PROBES = 64;
/** How often the lock is asked for, a millisecond apart: it is held for microseconds, but by a dead worker until it is buried. */
const LOCK_TRIES = 250;

export function createSharedBuffer(workers: number, slots = SLOTS): SharedArrayBuffer {
  const bytes = (HEAD_CELLS + slots * strideOf(workers)) * Int32Array.BYTES_PER_ELEMENT;
  const buffer = new SharedArrayBuffer(bytes);
  const cells = new Int32Array(buffer);
  cells[HEAD.workers] = workers;
  cells[HEAD.slots] = slots;
  originOf(buffer)[0] = monotonicMs();
  return buffer;
}

interface Used {
  readonly slot: SharedSlot;
  /** Where it lies; -1 for one of this worker's own. */
  readonly start: number;
  users: number;
}

export class SharedTable {
  readonly workers: number;
  readonly #cells: Int32Array;
  readonly #worker: number;
  readonly #slots: number;
  readonly #stride: number;
  readonly #used = new Map<string, Used>();
  /** From this thread's `performance.now()` to the clock that all share. */
  readonly #clockMs: number;
  readonly #overflowed: () => void;

  /**
   * @param worker index of this worker; `workers` in the control thread
   * @param overflowed called when this worker gets a slot that it shares with nobody
   */
  constructor(buffer: SharedArrayBuffer, worker: number, overflowed: () => void = () => {}) {
    const cells = new Int32Array(buffer);
    this.#cells = cells;
    this.#worker = worker;
    this.#overflowed = overflowed;
    this.workers = cells[HEAD.workers]!;
    this.#slots = cells[HEAD.slots]!;
    this.#stride = strideOf(this.workers);
    this.#clockMs = monotonicMs() - performance.now() - originOf(buffer)[0]!;
  }

  /** For one thread alone. */
  static alone(slots = SLOTS): SharedTable {
    return new SharedTable(createSharedBuffer(1, slots), 0);
  }

  /** Milliseconds since the table was made: the same in all threads, and never set back. */
  nowMs(): number {
    return performance.now() + this.#clockMs;
  }

  /** An instant of this thread's `performance.now()` on the shared clock. */
  sharedMs(performanceMs: number): number {
    return performanceMs + this.#clockMs;
  }

  /** Differs from what it was when the health of any endpoint has changed since. */
  get healthVersion(): number {
    return Atomics.load(this.#cells, HEAD.health);
  }

  healthChanged(): void {
    Atomics.add(this.#cells, HEAD.health, 1);
  }

  /** How many slots did not fit, since the table was made: of all threads. */
  get overflows(): number {
    return Atomics.load(this.#cells, HEAD.overflows);
  }

  /** How many slots are claimed. */
  get size(): number {
    let size = 0;
    for (let at = HEAD_CELLS; at < this.#end; at += this.#stride) if (this.#state(at) === STATE.used) size++;
    return size;
  }

  /** The slot of a key, new ones full of zeros. Each call is answered by a `release`. */
  claim(key: string): SharedSlot {
    const known = this.#used.get(key);
    if (known !== undefined) {
      known.users++;
      return known.slot;
    }
    const start = this.#findOrTake(key);
    const slot =
      start === undefined
        ? new SharedSlot(new Int32Array(this.#stride), 0, this.workers, this.#worker)
        : new SharedSlot(this.#cells, start, this.workers, this.#worker);
    if (start === undefined) {
      Atomics.add(this.#cells, HEAD.overflows, 1);
      this.#overflowed();
    }
    this.#used.set(key, { slot, start: start ?? -1, users: 1 });
    return slot;
  }

  /** This worker does not use the slot any more, as often as it has claimed it; what it held there is given back. */
  release(key: string): void {
    const known = this.#used.get(key);
    if (known === undefined || --known.users > 0) return;
    this.#used.delete(key);
    if (known.start !== -1) this.#leave(known.start, this.#worker);
  }

  /** Of the control thread: gives back what a worker held, when its thread has ended. */
  workerGone(worker: number): void {
    for (let at = HEAD_CELLS; at < this.#end; at += this.#stride)
      if (this.#state(at) !== STATE.free) this.#leave(at, worker);
    if (Atomics.compareExchange(this.#cells, HEAD.lock, worker + 1, 0) === worker + 1)
      Atomics.notify(this.#cells, HEAD.lock);
  }

  /** Of the control thread, now and then: frees the slots that nobody has used since the last time. Returns how many. */
  sweep(): number {
    if (!this.#lock()) return 0;
    let freed = 0;
    for (let at = this.#end - this.#stride; at >= HEAD_CELLS; at -= this.#stride) {
      if (this.#state(at) === STATE.used && !this.#isUsed(at)) {
        if (Atomics.exchange(this.#cells, at + SLOT.idle, 1) === 1) {
          this.#cells.fill(0, at + SLOT.keyHigh, at + this.#stride);
          Atomics.store(this.#cells, at + SLOT.state, STATE.gone);
          freed++;
        }
      }
      // One that was given up need not be passed over when nothing lies behind it.
      if (this.#state(at) === STATE.gone && this.#state(this.#next(at)) === STATE.free)
        Atomics.store(this.#cells, at + SLOT.state, STATE.free);
    }
    this.#unlock();
    return freed;
  }

  /** The slot of a key that somebody has claimed, to look into; it may be freed at any time. */
  peek(key: string): SharedSlot | undefined {
    const start = this.#find(placeOf(key, this.#slots), false);
    return start === undefined ? undefined : new SharedSlot(this.#cells, start, this.workers, this.#worker);
  }

  #findOrTake(key: string): number | undefined {
    const place = placeOf(key, this.#slots);
    if (!this.#lock()) return undefined;
    const found = this.#find(place, true);
    if (found !== undefined) {
      Atomics.store(this.#cells, found + SLOT.idle, 0);
      Atomics.store(this.#cells, found + columnStart(COLUMN.users, this.workers) + this.#worker, 1);
    }
    this.#unlock();
    return found;
  }

  /** Where the key is; under the lock, where it is from now on. */
  #find({ high, low, place }: Place, isTaking: boolean): number | undefined {
    const cells = this.#cells;
    let vacant: number | undefined;
    let at = HEAD_CELLS + place * this.#stride;
    for (let i = 0; i < Math.min(MAX_PROBES, this.#slots); i++, at = this.#next(at)) {
      const state = this.#state(at);
      if (state === STATE.used && cells[at + SLOT.keyHigh] === high && cells[at + SLOT.keyLow] === low) return at;
      if (state !== STATE.used) vacant ??= at;
      if (state === STATE.free) break;
    }
    if (vacant === undefined || !isTaking) return undefined;
    cells[vacant + SLOT.keyHigh] = high;
    cells[vacant + SLOT.keyLow] = low;
    Atomics.store(cells, vacant + SLOT.state, STATE.used);
    return vacant;
  }

  #leave(at: number, worker: number): void {
    for (const column of Object.values(COLUMN))
      Atomics.store(this.#cells, at + columnStart(column, this.workers) + worker, 0);
  }

  #isUsed(at: number): boolean {
    const users = at + columnStart(COLUMN.users, this.workers);
    for (let i = users; i <= users + this.workers; i++) if (Atomics.load(this.#cells, i) !== 0) return true;
    return false;
  }

  #state(at: number): number {
    return Atomics.load(this.#cells, at + SLOT.state);
  }

  #next(at: number): number {
    return at + this.#stride < this.#end ? at + this.#stride : HEAD_CELLS;
  }

  get #end(): number {
    return HEAD_CELLS + this.#slots * this.#stride;
  }

  #lock(): boolean {
    for (let i = 0; i < LOCK_TRIES; i++) {
      const holder = Atomics.compareExchange(this.#cells, HEAD.lock, 0, this.#worker + 1);
      if (holder === 0) return true;
      Atomics.wait(this.#cells, HEAD.lock, holder, 1);
    }
    return false;
  }

  #unlock(): void {
    Atomics.store(this.#cells, HEAD.lock, 0);
    Atomics.notify(this.#cells, HEAD.lock, 1);
  }
}

interface Place {
  /** 64 bits that stand for the key. */
  readonly high: number;
  readonly low: number;
  /** Position of the slot it should lie in. */
  readonly place: number;
}

/** By a hash that nobody can find collisions of: keys hold names that others choose. */
function placeOf(key: string, slots: number): Place {
  const digest = hash('sha256', key, 'buffer');
  return { high: digest.readInt32LE(0), low: digest.readInt32LE(4), place: digest.readUInt32LE(8) % slots };
}

function originOf(buffer: SharedArrayBuffer): Float64Array {
  return new Float64Array(buffer, HEAD.originMs * Int32Array.BYTES_PER_ELEMENT, 1);
}

/** CLOCK_MONOTONIC, which is one for all threads; `performance.now()` counts from the start of each. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
