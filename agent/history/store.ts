/**
 * Steps of 10 s and of 5 min on disk, within the room there is, and those of the last hour in memory too.
 *
 * Where the disk is full or broken nothing is written, which is said, and the last hour is still answered from memory; each
 * step tries again. Memory holds 360 steps or 16 MB, whichever is less.
 * @module
 */
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompressSync } from 'node:zlib';
import type { Logger } from 'pino';
import type { HistoryConfig } from './config.ts';
import { Ring } from './ring.ts';
import { emptyMeasures, type HistoryRow, RollUp, type Step } from './rows.ts';
import { Book, encodeStep, learnStep, type Place, readStep } from './step-codec.ts';

export const DETAIL_MS = 10_000;
export const COARSE_MS = 300_000;
/** Rows of one step; what is over that is added up in a row `other`. */
export const MAX_ROWS = 4_096;
const MAX_RECENT = 360;
const MAX_RECENT_BYTES = 16 * 1024 * 1024;
/** Of a step before compression. */
const MAX_STEP_BYTES = 16 * 1024 * 1024;
/** Most steps fit in it; what a larger one costs to get, each step would pay. */
const CHUNK_BYTES = 32 * 1024;
const HOUR_MS = 3_600_000;

const compress = promisify(zstdCompress);
/** Steps read before others have a turn; each takes some 0.1 ms. */
const STEPS_A_TURN = 20;

/** Called for each step of a range, in the order of time; then `read` may be called, at once, to add up its rows. */
export type StepVisitor = (step: {
  readonly atMs: number;
  readonly lengthMs: number;
  readonly book: Book;
  readonly read: (placeOf: (label: number) => Place | undefined) => void;
}) => void;

export interface StoreOptions {
  readonly directory: string;
  readonly config: Pick<HistoryConfig, 'maxMb' | 'detailHours' | 'days'>;
  readonly log: Logger;
}

interface Recent {
  readonly atMs: number;
  readonly book: Book;
  readonly bytes: Buffer;
}

export class HistoryStore {
  readonly #options: StoreOptions;
  readonly #detail: Ring | undefined;
  readonly #coarse: Ring | undefined;
  #books = { detail: new Book(), coarse: new Book() };
  #recent: Recent[] = [];
  #recentBytes = 0;
  #block: { startMs: number; rows: RollUp } | undefined;
  /** Why nothing is written at the moment; empty when all is well. */
  #problem = '';

  private constructor(options: StoreOptions) {
    this.#options = options;
    const { directory, config } = options;
    try {
      const keepMs = config.detailHours * HOUR_MS;
      this.#detail = new Ring({ directory, name: 'detail', segmentMs: HOUR_MS, keepMs });
      this.#coarse = new Ring({
        directory,
        name: 'coarse',
        segmentMs: 24 * HOUR_MS,
        keepMs: config.days * 24 * HOUR_MS,
      });
    } catch (err) {
      this.#failed(err);
    }
  }

  /** Takes up what is on disk; blocks of 5 min that were never written are made of their steps. */
  static async open(options: StoreOptions): Promise<HistoryStore> {
    const store = new HistoryStore(options);
    await store.#recall();
    return store;
  }

  get problem(): string {
    return this.#problem;
  }

  get bytes(): number {
    return (this.#detail?.bytes ?? 0) + (this.#coarse?.bytes ?? 0);
  }

  /** Steps come in the order of time, one call after the other. Never rejects because of the disk. */
  async add(step: Step): Promise<void> {
    await this.#keep(step);
    await this.#rollUp(step);
  }

  /**
   * Steps of the range, the coarse ones where `stepMs` allows and a whole block lies in it, each instant once.
   *
   * @param isCoarse whether blocks of 5 min will do
   */
  async visit(range: { fromMs: number; toMs: number; isCoarse: boolean }, visit: StepVisitor): Promise<void> {
    const { fromMs, toMs, isCoarse } = range;
    const blocks = new Set<number>();
    if (isCoarse) {
      await this.#visitRing(this.#coarse, { fromMs, toMs, lengthMs: COARSE_MS }, (step) => {
        blocks.add(step.atMs);
        visit(step);
      });
    }
    const isNew = (atMs: number): boolean => !blocks.has(Math.floor(atMs / COARSE_MS) * COARSE_MS);
    const fromMemoryMs = this.#recent[0]?.atMs ?? Number.POSITIVE_INFINITY;
    if (fromMs < fromMemoryMs) {
      const until = Math.min(toMs, fromMemoryMs);
      await this.#visitRing(this.#detail, { fromMs, toMs: until, lengthMs: DETAIL_MS }, (step) => {
        if (isNew(step.atMs)) visit(step);
      });
    }
    const recent = this.#recent.filter(({ atMs }) => atMs >= fromMs && atMs + DETAIL_MS <= toMs && isNew(atMs));
    for (const [i, { atMs, book, bytes }] of recent.entries()) {
      if (i % STEPS_A_TURN === 0) await turn();
      visit({ atMs, lengthMs: DETAIL_MS, book, read: (placeOf) => readStep(bytes, book, placeOf) });
    }
  }

  async #keep(step: Step): Promise<void> {
    if (this.#books.detail.isFull) this.#detail?.endSegment();
    if (this.#detail?.needsSegment(step.atMs) ?? this.#books.detail.isFull) this.#books.detail = new Book();
    const book = this.#books.detail;
    const raw = encodeStep(step, book);
    this.#recent.push({ atMs: step.atMs, book, bytes: raw });
    this.#recentBytes += raw.length;
    while (this.#recent.length > MAX_RECENT || this.#recentBytes > MAX_RECENT_BYTES) {
      this.#recentBytes -= this.#recent.shift()!.bytes.length;
    }
    await this.#write(this.#detail, step.atMs, await compress(raw));
  }

  async #rollUp(step: Step): Promise<void> {
    const startMs = Math.floor(step.atMs / COARSE_MS) * COARSE_MS;
    if (this.#block !== undefined && this.#block.startMs !== startMs) await this.#endBlock(this.#block);
    if (this.#block?.startMs !== startMs) this.#block = { startMs, rows: new RollUp(MAX_ROWS) };
    this.#block.rows.add(step);
    if (step.atMs + DETAIL_MS === startMs + COARSE_MS) await this.#endBlock(this.#block);
  }

  async #endBlock({ startMs, rows }: { startMs: number; rows: RollUp }): Promise<void> {
    this.#block = undefined;
    if (rows.isEmpty || this.#coarse === undefined) return;
    if (this.#books.coarse.isFull) this.#coarse.endSegment();
    if (this.#coarse.needsSegment(startMs)) this.#books.coarse = new Book();
    const bytes = await compress(encodeStep({ atMs: startMs, rows: rows.rows() }, this.#books.coarse));
    await this.#write(this.#coarse, startMs, bytes);
  }

  /** A step that did not get to the disk leaves its segment without what the next ones lean on: that one is ended. */
  async #write(ring: Ring | undefined, atMs: number, bytes: Buffer): Promise<void> {
    if (ring === undefined) return;
    try {
      this.#makeRoom(bytes.length, atMs);
      await ring.append(atMs, bytes);
      if (this.#problem !== '') this.#options.log.info('the history is written to disk again');
      this.#problem = '';
    } catch (err) {
      ring.endSegment();
      this.#failed(err);
    }
  }

  #makeRoom(more: number, nowMs: number): void {
    this.#detail?.forgetOld(nowMs);
    this.#coarse?.forgetOld(nowMs);
    const maxBytes = this.#options.config.maxMb * 1_000_000;
    while (this.bytes + more > maxBytes) {
      if (!(this.#detail?.dropOldest() || this.#coarse?.dropOldest())) break;
    }
    if (this.bytes + more > maxBytes) {
      this.#detail?.endSegment(); // now it may be dropped
      throw new Error(`history.maxMb (${this.#options.config.maxMb}) is less than an hour of this node takes`);
    }
  }

  #failed(err: unknown): void {
    const problem = err instanceof Error ? err.message : String(err);
    if (this.#problem === '') {
      this.#options.log.warn({ err }, 'the history cannot be written: only the last hour is kept, in memory');
    }
    this.#problem = problem;
  }

  /** @param lengthMs of its steps; only those that lie in the range are visited */
  async #visitRing(
    ring: Ring | undefined,
    { fromMs, toMs, lengthMs }: { fromMs: number; toMs: number; lengthMs: number },
    visit: StepVisitor,
  ): Promise<void> {
    if (ring === undefined) return;
    for await (const { frames, tornBytes, segment } of ring.read(fromMs, toMs)) {
      const book = new Book();
      try {
        for (const [i, frame] of frames.entries()) {
          if (i % STEPS_A_TURN === 0) await turn();
          const raw = zstdDecompressSync(frame, { chunkSize: CHUNK_BYTES, maxOutputLength: MAX_STEP_BYTES });
          const atMs = learnStep(raw, book);
          if (atMs + lengthMs > toMs) break;
          if (atMs < fromMs) continue;
          visit({ atMs, lengthMs, book, read: (placeOf) => readStep(raw, book, placeOf) });
        }
      } catch (err) {
        this.#options.log.warn(
          { err, file: segment.file },
          'a segment of the history is damaged: the rest of it is left out',
        );
      }
      if (tornBytes > 0 && segment !== ring.segments.at(-1)) {
        this.#options.log.debug({ file: segment.file, tornBytes }, 'a segment of the history ends in half a step');
      }
    }
  }

  async #recall(): Promise<void> {
    let lastBlockMs = 0;
    const all = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };
    await this.#visitRing(this.#coarse, { ...all, lengthMs: COARSE_MS }, ({ atMs }) => {
      lastBlockMs = Math.max(lastBlockMs, atMs);
    });
    const lastHourMs = (this.#detail?.segments.at(-1)?.startMs ?? 0) - HOUR_MS; // more would take more memory
    const fromMs = Math.max(lastHourMs, lastBlockMs === 0 ? 0 : lastBlockMs + COARSE_MS);
    const steps: Step[] = [];
    const flush = async (): Promise<void> => {
      for (const step of steps.splice(0)) await this.#rollUp(step);
    };
    await this.#visitRing(this.#detail, { ...all, fromMs, lengthMs: DETAIL_MS }, ({ atMs, book, read }) => {
      steps.push({ atMs, rows: rowsOf(book, read) });
    });
    await flush();
    for (const ring of [this.#detail, this.#coarse]) {
      const last = ring?.segments.at(-1);
      if (ring === undefined || last === undefined) continue;
      for await (const { tornBytes } of ring.read(last.startMs, Number.MAX_SAFE_INTEGER)) {
        if (tornBytes > 0) {
          this.#options.log.warn(
            { file: last.file, tornBytes },
            'the last step of the history was cut short: it is left out',
          );
        }
      }
    }
  }
}

function rowsOf(book: Book, read: Parameters<StepVisitor>[0]['read']): Step['rows'] {
  const rows: HistoryRow[] = [];
  read((label) => {
    const labels = book.labels[label];
    if (labels === undefined) return undefined;
    const measures = emptyMeasures();
    rows.push({ labels, measures });
    return { target: measures, scalarsAt: 0, latencyAt: 0, hasBytes: true };
  });
  return rows;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
