/**
 * Time that moves only when told to, in place of Node's: timers, `Date.now`, `performance.now` and `AbortSignal.timeout`.
 * One instant at a time, and never before the event loop is idle; see loop-idle.ts.
 *
 * For a process of its own, such as that of a test file: what it replaces is global, and put back on dispose.
 * @module
 */
import { LoopIdle } from './loop-idle.ts';

/** What `setTimeout` and `setInterval` return here; libraries unref it and refresh it. */
class VirtualTimer {
  readonly #clock: VirtualClock;
  readonly run: () => void;
  readonly everyMs: number | undefined;
  readonly delayMs: number;
  atMs = 0;
  order = 0;

  constructor(clock: VirtualClock, run: () => void, delayMs: number, everyMs?: number) {
    this.#clock = clock;
    this.run = run;
    this.delayMs = delayMs;
    this.everyMs = everyMs;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    this.#clock.plan(this, this.delayMs);
    return this;
  }

  close(): this {
    this.#clock.cancel(this);
    return this;
  }

  [Symbol.dispose](): void {
    this.#clock.cancel(this);
  }
}

const REAL_NAMES = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const;

export class VirtualClock implements Disposable {
  /** Milliseconds since this clock was made. */
  nowMs = 0;
  readonly #idle = new LoopIdle();
  readonly #planned = new Set<VirtualTimer>();
  readonly #undo: (() => void)[] = [];
  #order = 0;

  constructor() {
    const epochMs = Date.now();
    const originMs = performance.now();
    const real = Object.fromEntries(REAL_NAMES.map((name) => [name, globalThis[name]]));
    const clear = (timer: unknown): void => {
      if (timer instanceof VirtualTimer) this.cancel(timer);
      else (real.clearTimeout as (timer: unknown) => void)(timer); // it was set before time stood still
    };
    this.#replace(globalThis, 'setTimeout', (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      this.plan(new VirtualTimer(this, () => run(...args), delayOf(ms)), delayOf(ms)),
    );
    this.#replace(globalThis, 'setInterval', (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      this.plan(new VirtualTimer(this, () => run(...args), delayOf(ms), delayOf(ms)), delayOf(ms)),
    );
    this.#replace(globalThis, 'clearTimeout', clear);
    this.#replace(globalThis, 'clearInterval', clear);
    this.#replace(Date, 'now', () => epochMs + Math.floor(this.nowMs));
    this.#replace(performance, 'now', () => originMs + this.nowMs);
    this.#replace(AbortSignal, 'timeout', (ms: number) => {
      const controller = new AbortController();
      const late = (): void =>
        controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
      this.plan(new VirtualTimer(this, late, ms), ms);
      return controller.signal;
    });
  }

  /** Lets everything happen that is due within `ms`, instant by instant. */
  async runFor(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    await this.#idle.settle();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.nowMs = Math.max(this.nowMs, next.atMs);
      if (next.everyMs === undefined) this.#planned.delete(next);
      else this.plan(next, next.everyMs);
      next.run();
      await this.#idle.settle();
    }
    this.nowMs = endMs;
  }

  /** Lets time pass until the promise has settled. Throws when it has not after `withinMs`. */
  async runUntil<T>(promise: Promise<T>, withinMs: number): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    const endMs = this.nowMs + withinMs;
    while (!isSettled && this.nowMs < endMs) await this.runFor(STEP_MS);
    if (!isSettled) throw new Error(`still not done after ${withinMs} virtual ms`);
    return promise;
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo.splice(0)) undo();
    this.#idle[Symbol.dispose]();
  }

  plan(timer: VirtualTimer, delayMs: number): VirtualTimer {
    timer.atMs = this.nowMs + delayMs;
    timer.order = this.#order++;
    this.#planned.add(timer);
    return timer;
  }

  cancel(timer: VirtualTimer): void {
    this.#planned.delete(timer);
  }

  #next(endMs: number): VirtualTimer | undefined {
    let first: VirtualTimer | undefined;
    for (const timer of this.#planned) {
      if (timer.atMs > endMs) continue;
      if (first === undefined || timer.atMs < first.atMs || (timer.atMs === first.atMs && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }

  #replace(owner: object, name: string, value: unknown): void {
    const before: unknown = Reflect.get(owner, name);
    const hadOwn = Object.hasOwn(owner, name);
    Object.defineProperty(owner, name, { value, configurable: true, writable: true });
    this.#undo.push(() => {
      if (hadOwn) Object.defineProperty(owner, name, { value: before, configurable: true, writable: true });
      else Reflect.deleteProperty(owner, name);
    });
  }
}

const STEP_MS = 5;

/** Node takes anything below 1 for 1. */
function delayOf(ms: unknown): number {
  const delayMs = Number(ms);
  return Number.isNaN(delayMs) ? 1 : Math.max(1, delayMs);
}
