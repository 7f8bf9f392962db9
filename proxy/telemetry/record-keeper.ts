/**
 * What a worker tells of requests: as much as its limits let through, in batches, and how much it left out.
 *
 * A batch goes out 200 ms after its first record; a worker that has nothing to tell is not woken.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { Head } from '../http1/grammar/head.ts';
import type { RecordsConfig } from './config.ts';
import type { Kept, RequestRecord } from './record.ts';
import { TraceLine, type TraceSettings } from './request-trace.ts';
import type { StatsWriter } from './stats-writer.ts';
import { asksFor, concerns, type Ended, MAX_TAPS, NO_TAPS, type TapFilter, type Watchable } from './taps.ts';
import type { TraceIds } from './trace-ids.ts';
import { userOf } from './user.ts';

const BATCH_MS = 200;
const WINDOW_MS = 1_000;
/** The longest that a timer of Node waits. */
const MAX_TIMER_MS = 0x7fff_ffff;

export interface RecordKeeperOptions {
  readonly config: RecordsConfig;
  readonly ids: TraceIds;
  readonly stats: StatsWriter;
  /** Takes a batch, and the list itself with it. */
  readonly send: (records: readonly RequestRecord[]) => void;
}

export class RecordKeeper {
  readonly config: RecordsConfig;
  readonly trace: TraceSettings;
  readonly #stats: StatsWriter;
  readonly #send: (records: readonly RequestRecord[]) => void;
  #taps = NO_TAPS;
  #expiry: NodeJS.Timeout | undefined = undefined;
  #batch: RequestRecord[] = [];
  #timer: NodeJS.Timeout | undefined = undefined;
  #windowAtMs = Number.NEGATIVE_INFINITY;
  #failed = 0;
  #tapped = 0;

  constructor({ config, ids, stats, send }: RecordKeeperOptions) {
    this.config = config;
    const { sampleRatio, propagate, sampleUsers } = config;
    const users = new Set(sampleUsers);
    const isOfUser = users.size === 0 ? undefined : (head: Head): boolean => users.has(userOf(head, config));
    this.trace = { ids, line: new TraceLine(), sampleRatio, propagate, isOfUser };
    this.#stats = stats;
    this.#send = send;
  }

  /** Replaces those before. */
  watch(taps: readonly TapFilter[]): void {
    const nowMs = Date.now();
    const open = taps.filter(({ untilMs }) => nowMs < untilMs).slice(0, MAX_TAPS);
    this.#taps = open.length === 0 ? NO_TAPS : open;
    clearTimeout(this.#expiry);
    if (open.length === 0) return;
    const waitMs = Math.min(...open.map(({ untilMs }) => untilMs)) - nowMs;
    this.#expiry = setTimeout(() => this.watch(this.#taps), Math.min(waitMs, MAX_TIMER_MS)).unref();
  }

  get hasTaps(): boolean {
    return this.#taps.length > 0;
  }

  /** Whether somebody watches what ended so between these. Cheap where nobody does, as it is asked for every request. */
  isTapped(between: Watchable, head: Head | undefined, ended: Ended): boolean {
    const all = this.#taps;
    if (between.among !== all) {
      between.among = all;
      between.taps = all.filter((tap) => concerns(tap, between.parties));
    }
    for (const tap of between.taps) if (asksFor(tap, head, ended) && this.#isOf(tap, head)) return true;
    return false;
  }

  /** Whether a request is told of that has these reasons to be; counted where there is no room for it. */
  admits({ sampled, failed, slow, tapped }: Kept): boolean {
    if (this.#batch.length < this.config.maxBatch) {
      this.#turn();
      const hasFailed = (failed || slow) && this.#failed < this.config.maxFailedPerSecond;
      const isTapped = tapped && this.#tapped < this.config.maxTappedPerSecond;
      if (hasFailed) this.#failed++;
      if (isTapped) this.#tapped++;
      if (sampled || hasFailed || isTapped) return true;
    }
    this.#stats.count('recordsDropped');
    return false;
  }

  /** @param record one that was let in */
  add(record: RequestRecord): void {
    this.#stats.count('recordsKept');
    this.#batch.push(record);
    this.#timer ??= setTimeout(this.#flush, BATCH_MS).unref();
  }

  /** Tells what there is yet to tell. */
  close(): void {
    this.watch([]);
    clearTimeout(this.#timer);
    this.#flush();
  }

  #isOf({ users }: TapFilter, head: Head | undefined): boolean {
    return users === undefined || (head !== undefined && users.includes(userOf(head, this.config)));
  }

  readonly #flush = (): void => {
    this.#timer = undefined;
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    this.#send(batch);
  };

  #turn(): void {
    const nowMs = performance.now();
    if (nowMs - this.#windowAtMs < WINDOW_MS) return;
    this.#windowAtMs = nowMs;
    this.#failed = 0;
    this.#tapped = 0;
  }
}
