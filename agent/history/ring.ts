/**
 * Segments of one kind in a directory, the oldest of which are removed: by age, and by whoever bounds the room of all.
 * A process never goes on with a segment of another one, whose end may be torn.
 * @module
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { appendFrame, type Frames, readFrames } from './segment.ts';

export interface Segment {
  readonly file: string;
  /** Of its first frame; later ones follow in time. */
  readonly startMs: number;
  bytes: number;
}

export interface RingOptions {
  readonly directory: string;
  /** Files are called `NAME-STARTMS.weft`. */
  readonly name: string;
  readonly segmentMs: number;
  readonly keepMs: number;
}

export class Ring {
  readonly #options: RingOptions;
  #segments: Segment[];
  #current: Segment | undefined;

  /** @throws as the file system does where there is no such directory and it cannot be made */
  constructor(options: RingOptions) {
    this.#options = options;
    const { directory, name } = options;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const pattern = new RegExp(`^${name}-(\\d+)\\.weft$`);
    this.#segments = readdirSync(directory)
      .flatMap((entry) => {
        const startMs = pattern.exec(entry)?.[1];
        const file = join(directory, entry);
        return startMs === undefined ? [] : [{ file, startMs: Number(startMs), bytes: statSync(file).size }];
      })
      .sort((a, b) => a.startMs - b.startMs);
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The oldest first. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Whether the next frame opens a segment, and so can lean on none before it. */
  needsSegment(atMs: number): boolean {
    return this.#current === undefined || atMs >= this.#current.startMs + this.#options.segmentMs;
  }

  /** Ends the segment: the next frame opens one. */
  endSegment(): void {
    this.#current = undefined;
  }

  /** Rejects as the file system does; the segment is ended then, as its end may be torn. */
  async append(atMs: number, bytes: Uint8Array): Promise<void> {
    const segment = this.needsSegment(atMs) ? this.#open(atMs) : this.#current!;
    try {
      segment.bytes += await appendFrame(segment.file, bytes);
    } catch (err) {
      this.endSegment();
      throw err;
    }
  }

  /** Those that may hold frames of this time, the oldest first. Frames of removed files are simply not there. */
  async *read(fromMs: number, toMs: number): AsyncGenerator<Frames & { readonly segment: Segment }> {
    const segments = this.#segments.filter(({ startMs }, i) => {
      const nextMs = this.#segments[i + 1]?.startMs ?? Number.POSITIVE_INFINITY;
      return startMs < toMs && nextMs > fromMs;
    });
    for (const segment of segments) {
      const frames = await readFrames(segment.file).catch(() => undefined);
      if (frames !== undefined) yield { ...frames, segment };
    }
  }

  /** Removes what is older than is kept. */
  forgetOld(nowMs: number): void {
    while (this.#segments.length > 1 && this.#segments[1]!.startMs <= nowMs - this.#options.keepMs) this.dropOldest();
  }

  /** @returns false where there is none but the present one */
  dropOldest(): boolean {
    const [oldest] = this.#segments;
    if (oldest === undefined || oldest === this.#current) return false;
    this.#segments = this.#segments.slice(1);
    rmSync(oldest.file, { force: true });
    return true;
  }

  #open(atMs: number): Segment {
    const last = this.#segments.at(-1);
    const startMs = last === undefined ? atMs : Math.max(atMs, last.startMs + 1);
    const { directory, name } = this.#options;
    const segment = { file: join(directory, `${name}-${startMs}.weft`), startMs, bytes: 0 };
    this.#segments = [...this.#segments, segment];
    this.#current = segment;
    return segment;
  }
}
