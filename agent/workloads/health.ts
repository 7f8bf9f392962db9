/**
 * Keeps asking the workloads of this node whether they are well.
 *
 * Checks start at once, so that a new workload is not kept waiting, and then spread out by jitter. A bounded number runs at
 * a time; the others queue, each target at most once. @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { afterCheck, type Health, type HealthState, NEVER_CHECKED, UNCHECKED } from './health-state.ts';
import { type HealthTarget, type OpenSocket, type ProbeResult, probe } from './probe.ts';

export interface HealthOptions {
  readonly open: OpenSocket;
  /** From 0 to 1; seeded in tests. */
  readonly random: () => number;
  readonly log: Logger;
  /** Called when a watched workload changes, not for its first state: `watch` has set that by the time it returns. */
  readonly changed: (id: string, health: Health) => void;
  readonly concurrency?: number;
}

export interface HealthReport {
  readonly health: Health;
  /** Why the last check failed; empty when it did not. */
  readonly detail: string;
}

const CONCURRENCY = 16;
/** A workload that has never been well is probably starting: it is asked this often, however long its interval. */
const STARTING_INTERVAL_MS = 250;
/** Each wait is the interval give or take this share, so that checks that began together drift apart. */
const JITTER = 0.1;

interface Watched {
  readonly target: HealthTarget;
  state: HealthState;
  detail: string;
  /** Set while it waits for its next check, and not in the queue or being checked. */
  timer: NodeJS.Timeout | undefined;
  /** Whether a failure of the check to come is believed at once. */
  isDoubted: boolean;
  readonly stop: AbortController;
}

export class HealthChecker implements AsyncDisposable {
  readonly #options: HealthOptions;
  readonly #watched = new Map<string, Watched>();
  /** Waiting for a free place; each watched target is in here at most once. */
  readonly #queue: Watched[] = [];
  readonly #running = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Replaces the set of workloads. One that is known keeps its state, also when its check or address changed. */
  watch(targets: readonly HealthTarget[]): void {
    if (this.#isClosed) return;
    const wanted = new Map(targets.map((target) => [target.id, target]));
    for (const [id, watched] of this.#watched) {
      if (isDeepStrictEqual(wanted.get(id), watched.target)) continue;
      stop(watched);
      if (!wanted.has(id)) this.#watched.delete(id);
    }
    for (const target of wanted.values()) {
      const before = this.#watched.get(target.id);
      if (before === undefined || before.stop.signal.aborted) this.#start(target, before);
    }
  }

  /** Something else speaks against it: it is asked now, and counts as one that was never well if it does not answer well. */
  doubt(id: string): void {
    const watched = this.#watched.get(id);
    if (watched?.target.check === undefined || this.#isClosed) return;
    watched.isDoubted = true;
    if (watched.timer === undefined) return; // it will be looked at when the check under way is over
    clearTimeout(watched.timer);
    watched.timer = undefined;
    this.#enqueue(watched);
  }

  /** @returns undefined for a workload that is not watched */
  report(id: string): HealthReport | undefined {
    const watched = this.#watched.get(id);
    return watched === undefined ? undefined : { health: watched.state.health, detail: watched.detail };
  }

  /** Ends all checks, those under way too. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const watched of this.#watched.values()) stop(watched);
    this.#queue.length = 0;
    await Promise.all(this.#running);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(target: HealthTarget, before: Watched | undefined): void {
    const first = target.check === undefined ? UNCHECKED : NEVER_CHECKED;
    const state = target.check === undefined ? UNCHECKED : (before?.state ?? first);
    const watched: Watched = {
      target,
      state,
      detail: '',
      timer: undefined,
      isDoubted: false,
      stop: new AbortController(),
    };
    this.#watched.set(target.id, watched);
    if (before !== undefined && before.state.health !== state.health) this.#options.changed(target.id, state.health);
    if (target.check !== undefined) this.#enqueue(watched);
  }

  #enqueue(watched: Watched): void {
    this.#queue.push(watched);
    this.#pump();
  }

  #pump(): void {
    const { concurrency = CONCURRENCY } = this.#options;
    while (this.#running.size < concurrency) {
      const watched = this.#queue.shift();
      if (watched === undefined) return;
      if (watched.stop.signal.aborted) continue;
      const run = this.#check(watched).finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
      this.#running.add(run);
    }
  }

  async #check(watched: Watched): Promise<void> {
    const { id, unit, address, check } = watched.target;
    if (check === undefined) return;
    const { signal } = watched.stop;
    const { isDoubted } = watched;
    watched.isDoubted = false;
    const result = await probe({ id, unit, address, check }, this.#options.open, signal);
    if (signal.aborted) return;
    const { health } = watched.state;
    watched.state = isDoubted && !result.ok ? NEVER_CHECKED : afterCheck(watched.state, result.ok, check);
    watched.detail = result.ok ? '' : result.detail;
    if (watched.state.health !== health) this.#announce(watched, result);
    if (watched.isDoubted) {
      this.#enqueue(watched); // since this check began
      return;
    }
    const intervalMs = watched.state.wasReady ? check.intervalMs : Math.min(check.intervalMs, STARTING_INTERVAL_MS);
    const waitMs = intervalMs * (1 + JITTER * (2 * this.#options.random() - 1));
    watched.timer = setTimeout(() => {
      watched.timer = undefined;
      this.#enqueue(watched);
    }, waitMs).unref();
  }

  #announce({ target, state }: Watched, result: ProbeResult): void {
    const { log, changed } = this.#options;
    if (result.ok) log.info({ workload: target.id }, 'workload is ready');
    else log.warn({ workload: target.id, detail: result.detail }, 'workload is unready');
    changed(target.id, state.health);
  }
}

function stop(watched: Watched): void {
  clearTimeout(watched.timer);
  watched.stop.abort();
}
