/**
 * When to read the statistics, and which step what was counted belongs to: pure, told the time. Steps are those of the wall
 * clock, so that those of all nodes are the same.
 * @module
 */
import type { SeriesStats } from '../../proxy/telemetry/stats-reader.ts';
import { countedBetween, type Reading, readingOf } from './counted.ts';
import type { HistoryRow, Step } from './rows.ts';
import { DETAIL_MS, MAX_ROWS } from './store.ts';

/** Readings of the live view: five of 2 s. */
const LIVE_READINGS = 5;

interface Window {
  readonly fromMs: number;
  readonly toMs: number;
  readonly rows: readonly HistoryRow[];
}

export class Sampler {
  #reading: Reading = new Map();
  #readAtMs: number;
  #lastStepMs = Number.NEGATIVE_INFINITY;
  #last: Window | undefined;
  #live: { reading: Reading; atMs: number; windows: Window[] } | undefined;

  /** @param nowMs when counting began, all at zero */
  constructor(nowMs: number) {
    this.#readAtMs = nowMs;
  }

  /** Milliseconds from now to the end of the present step. */
  static dueInMs(nowMs: number): number {
    return DETAIL_MS - (nowMs % DETAIL_MS);
  }

  /**
   * The step that ended, with all that was counted since the one before.
   *
   * @returns undefined where none has ended since, or the clock went back: then the next one has it all
   */
  take(nowMs: number, series: readonly SeriesStats[]): Step | undefined {
    const atMs = Math.floor(nowMs / DETAIL_MS) * DETAIL_MS - DETAIL_MS;
    if (atMs <= this.#lastStepMs) return undefined;
    const reading = readingOf(series);
    const rows = countedBetween(this.#reading, reading, MAX_ROWS);
    this.#last = { fromMs: this.#readAtMs, toMs: nowMs, rows };
    this.#reading = reading;
    this.#readAtMs = nowMs;
    this.#lastStepMs = atMs;
    return { atMs, rows };
  }

  /** Reads for the live view; every 2 s while somebody looks. */
  glance(nowMs: number, series: readonly SeriesStats[]): void {
    const reading = readingOf(series);
    this.#live ??= { reading: this.#reading, atMs: this.#readAtMs, windows: [] };
    const live = this.#live;
    if (nowMs <= live.atMs) return;
    const rows = countedBetween(live.reading, reading, MAX_ROWS);
    live.windows = [...live.windows, { fromMs: live.atMs, toMs: nowMs, rows }].slice(-LIVE_READINGS);
    live.reading = reading;
    live.atMs = nowMs;
  }

  /** Nobody looks any more. */
  lookAway(): void {
    this.#live = undefined;
  }

  /** What was counted in about the last 10 s, in one or more windows that follow on each other; empty before the first. */
  recent(): readonly Window[] {
    const windows = this.#live?.windows ?? [];
    const isShort = windows.length < LIVE_READINGS;
    const follows = windows[0] === undefined || windows[0].fromMs === this.#last?.toMs;
    if (this.#last !== undefined && isShort && follows) return [this.#last, ...windows];
    return windows;
  }
}
