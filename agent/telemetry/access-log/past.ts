/**
 * Kept requests of the past on this node's disk, for `weft logs --since`: frames of a few hundred in segments of an hour, the
 * oldest of which go, by age and by room.
 *
 * Nobody waits for it: what the disk does not take within 5,000 requests is left out, and where it refuses, that is said once and
 * each later frame tries again. A search reads the latest first and gives up after 400 ms with what it has, and says so.
 * @module
 */
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompressSync } from 'node:zlib';
import type { Logger } from 'pino';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { Ring } from '../../history/ring.ts';
import { readFrames } from '../../history/segment.ts';
import { fits } from '../record-filter.ts';
import { endOf, type RecentPage, type RecentQuery } from './recent.ts';

const HOUR_MS = 3_600_000;
/** The room is forgotten in pieces: of an hour, or this part of it. */
const MIN_SEGMENTS = 8;
const FRAME_RECORDS = 256;
const FRAME_MS = 1_000;
const MAX_WAITING = 5_000;
const MAX_FRAME_BYTES = 16 * 1024 * 1024;
/** Whoever asks waits for a second. */
const SEARCH_MS = 400;
/** The first and the last instant at which one of its requests ended. */
const HEAD_BYTES = 16;

const compress = promisify(zstdCompress);

export interface PastOptions {
  readonly directory: string;
  readonly maxMb: number;
  readonly hours: number;
  readonly log: Logger;
}

export class PastRecords implements AsyncDisposable {
  readonly #options: PastOptions;
  #ring: Ring | undefined;
  #waiting: RequestRecord[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;
  #hasProblem = false;
  /** Requests that the disk did not take. */
  dropped = 0;

  constructor(options: PastOptions) {
    this.#options = options;
  }

  /** Returns at once. @param record redacted */
  add(record: RequestRecord): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.dropped++;
      return;
    }
    this.#waiting.push(record);
    if (this.#waiting.length >= FRAME_RECORDS) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FRAME_MS).unref();
  }

  /**
   * The latest that fit, oldest first.
   *
   * @param beforeMs those that ended from then on are known elsewhere
   */
  async search({ terms, sinceMs, untilMs, limit }: RecentQuery, beforeMs: number): Promise<RecentPage> {
    await this.settled();
    const giveUpMs = performance.now() + SEARCH_MS;
    const found: RequestRecord[] = [];
    for await (const frame of this.#latestFirst(sinceMs)) {
      const [first, last] = [frame.readDoubleLE(0), frame.readDoubleLE(8)];
      if (last < sinceMs || first >= beforeMs) continue;
      if (found.length > limit && last < found[0]!.atMs) break;
      if (performance.now() > giveUpMs) return { records: latest(found, limit), isCut: true };
      for (const record of recordsIn(frame)) {
        const isOfRange = record.atMs >= sinceMs && record.atMs <= untilMs && endOf(record) < beforeMs;
        if (isOfRange && fits(record, terms)) found.push(record);
      }
      found.sort((a, b) => a.atMs - b.atMs);
      found.splice(0, found.length - limit - 1);
    }
    return { records: latest(found, limit), isCut: found.length > limit };
  }

  /** Resolves when what came before is on disk, or left out. */
  async settled(): Promise<void> {
    this.#flush();
    await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isWriting || this.#waiting.length === 0) return; // what waits is written next
    this.#isWriting = true;
    this.#writing = this.#writeAll().finally(() => {
      this.#isWriting = false;
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const records = this.#waiting.splice(0, FRAME_RECORDS);
      try {
        await this.#write(records);
        if (this.#hasProblem) this.#options.log.info('requests are kept on disk again');
        this.#hasProblem = false;
      } catch (err) {
        this.dropped += records.length;
        if (!this.#hasProblem) this.#options.log.warn({ err }, 'requests of the past cannot be kept on disk');
        this.#hasProblem = true;
      }
    }
  }

  async #write(records: readonly RequestRecord[]): Promise<void> {
    const ring = this.#opened();
    const ends = records.map(endOf);
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeDoubleLE(Math.min(...ends), 0);
    head.writeDoubleLE(Math.max(...ends), 8);
    const frame = Buffer.concat([head, await compress(Buffer.from(JSON.stringify(records)))]);
    const atMs = Math.max(...ends);
    ring.forgetOld(atMs);
    const maxBytes = this.#options.maxMb * 1_000_000;
    if ((ring.segments.at(-1)?.bytes ?? 0) > maxBytes / MIN_SEGMENTS) ring.endSegment(); // the one in use is never dropped
    while (ring.bytes + frame.length > maxBytes && ring.dropOldest());
    await ring.append(atMs, frame);
  }

  /** @throws as the file system does where there is no such directory and it cannot be made */
  #opened(): Ring {
    const { directory, hours } = this.#options;
    this.#ring ??= new Ring({ directory, name: 'requests', segmentMs: HOUR_MS, keepMs: hours * HOUR_MS });
    return this.#ring;
  }

  async *#latestFirst(sinceMs: number): AsyncGenerator<Buffer> {
    const ring = this.#ringIfThere();
    const segments = ring?.segments ?? [];
    for (const [i, { file }] of [...segments.entries()].reverse()) {
      const endMs = segments[i + 1]?.startMs ?? Number.POSITIVE_INFINITY;
      if (endMs < sinceMs) return;
      const read = await readFrames(file).catch(() => undefined); // removed meanwhile
      for (const frame of read?.frames.toReversed() ?? []) {
        yield frame;
        await new Promise((resolve) => setImmediate(resolve)); // the thread has others to serve
      }
    }
  }

  #ringIfThere(): Ring | undefined {
    try {
      return this.#opened();
    } catch {
      return undefined;
    }
  }
}

/** None where they are of another version. */
function recordsIn(frame: Buffer): readonly RequestRecord[] {
  try {
    const text = zstdDecompressSync(frame.subarray(HEAD_BYTES), { maxOutputLength: MAX_FRAME_BYTES }).toString();
    const records: unknown = JSON.parse(text);
    return Array.isArray(records) ? (records as RequestRecord[]) : []; // this agent wrote it, and its sum is right
  } catch {
    return [];
  }
}

function latest(found: readonly RequestRecord[], limit: number): readonly RequestRecord[] {
  return found.slice(-limit);
}
