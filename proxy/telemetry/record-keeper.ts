/**
 * What a worker tells of requests: as much as its limits let through, in batches, and how much it left out.
 *
 * A batch goes out 200 ms after its first record; a worker that has nothing to tell is not woken.
 * @module
 */

import type { RecordsConfig } from './config.ts';
import type { Kept, RequestRecord } from './record.ts';
import { TraceLine, type TraceSettings } from './request-trace.ts';
import type { StatsWriter } from './stats-writer.ts';
import { isWatched, MAX_TAPS, type TapFilter, type Watched } from './taps.ts';
import type { TraceIds } from './trace-ids.ts';

const BATCH_MS = 200;
const WINDOW_MS = 1_000;

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
  #taps: readonly TapFilter[] = [];
  #batch: RequestRecord[] = [];
  #timer: NodeJS.Timeout | undefined = undefined;
  #windowAtMs = Number.NEGATIVE_INFINITY;
  #failed = 0;
  #tapped = 0;

  constructor({ config, ids, stats, send }: RecordKeeperOptions) {
    this.config = config;
    const { sampleRatio, propagate } = config;
    this.trace = { ids, line: new TraceLine(), sampleRatio, propagate };
    this.#stats = stats;
    this.#send = send;
  }

  /** Replaces those before. */
  watch(taps: readonly TapFilter[]): void {
    this.#taps = taps.slice(0, MAX_TAPS);
  }

  get hasTaps(): boolean {
    return this.#taps.length > 0;
  }

  isTapped(request: Watched): boolean {
    const nowMs = Date.now();
    if (this.#taps.some(({ untilMs }) => untilMs <= nowMs)) this.watch(this.#taps.filter((tap) => nowMs < tap.untilMs));
    return this.#taps.some((tap) => isWatched(request, tap, nowMs));
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
    clearTimeout(this.#timer);
    this.#flush();
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
