/**
 * The audit trail of this node: who changed what, when, and what came of it. Append-only, bounded, durable.
 *
 * Files `audit-<first entry>.log` in a directory of their own; a full one is followed by the next, and the oldest is deleted
 * when there are too many. `record` returns at once; what is recorded is on disk a moment later, in order. When the disk
 * does not keep up or refuses, entries wait, up to a bound; beyond it they are counted and the count is an entry.
 * @module
 */
import { copyFile, type FileHandle, mkdir, open, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { AgentError } from '../errors.ts';
import { type AuditHead, type AuditRecord, EMPTY_HEAD, nextLine, readLine } from './entry.ts';

export interface AuditOptions {
  readonly directory: string;
  readonly log: Logger;
  readonly nowMs?: () => number;
  /** A file that has grown to this is followed by the next. */
  readonly segmentBytes?: number;
  readonly segments?: number;
}

/** Whoever has something to record needs no more than this. */
export interface AuditRecorder {
  record(what: AuditRecord): void;
}

/** About 10,000 entries a file, 160,000 in all. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
const SEGMENTS = 16;
const MAX_WAITING = 10_000;
const RETRY_MS = 5_000;
const LINE_END = 0x0a;

export class AuditTrail implements AuditRecorder, AsyncDisposable {
  readonly #options: Required<AuditOptions>;
  #head: AuditHead = EMPTY_HEAD;
  #handle!: FileHandle;
  #file = '';
  /** Where the last whole line ends: what a failed write left behind it is cut off before the next. */
  #goodBytes = 0;
  #waiting: string[] = [];
  #omitted = 0;
  #writing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(options: AuditOptions) {
    this.#options = { nowMs: Date.now, segmentBytes: SEGMENT_BYTES, segments: SEGMENTS, ...options };
  }

  /** @throws AgentError when the directory cannot be used */
  static async open(options: AuditOptions): Promise<AuditTrail> {
    const trail = new AuditTrail(options);
    try {
      await trail.#open();
    } catch (err) {
      throw new AgentError('WEFT_AGENT_FILE_WRITE', options.directory, { cause: err });
    }
    return trail;
  }

  /** The last entry, on disk or on its way there. */
  get head(): AuditHead {
    return this.#head;
  }

  get directory(): string {
    return this.#options.directory;
  }

  record(what: AuditRecord): void {
    if (this.#isClosed) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.#omitted++;
      return;
    }
    if (this.#omitted > 0) {
      const detail = `${this.#omitted} entries were lost: the disk did not take them`;
      this.#omitted = 0;
      this.#append({ event: 'omitted', reason: 'disk', detail });
    }
    this.#append(what);
    this.#flush();
  }

  /** Resolves when all that was recorded before is on disk, or could not be written. */
  async written(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#flush(); // what the disk refused before has this last chance
    await this.written();
    await this.#handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #append(what: AuditRecord): void {
    const { line, head } = nextLine(this.#head, what, this.#options.nowMs());
    this.#head = head;
    this.#waiting.push(line);
  }

  #flush(): void {
    clearTimeout(this.#retry);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
      if (this.#waiting.length > 0 && !this.#isClosed) this.#retry = setTimeout(() => this.#flush(), RETRY_MS).unref();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      const bytes = Buffer.from(lines.join(''));
      this.#waiting = [];
      try {
        if (this.#goodBytes >= this.#options.segmentBytes) await this.#nextSegment(lines[0]!);
        await this.#handle.truncate(this.#goodBytes);
        await writeFully(this.#handle, bytes, this.#goodBytes);
        await this.#handle.datasync();
        this.#goodBytes += bytes.length;
      } catch (err) {
        this.#waiting = [...lines, ...this.#waiting]; // again at the same place, with the next or a while later
        this.#options.log.error({ err, file: this.#file }, 'the audit trail could not be written');
        return;
      }
    }
  }

  async #open(): Promise<void> {
    const { directory, log } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const last = (await segmentFiles(directory)).at(-1);
    this.#file = last ?? segmentFile(directory, 1);
    this.#handle = await open(this.#file, last === undefined ? 'wx+' : 'r+', 0o600);
    const { head, goodBytes, torn } = lastGood(last === undefined ? Buffer.alloc(0) : await readFile(last));
    this.#head = head ?? (await this.#headBefore(last));
    this.#goodBytes = goodBytes;
    if (torn > 0) {
      await copyFile(this.#file, `${this.#file}.damaged`);
      const detail = `${torn} bytes at the end of ${this.#file} could not be read and are in ${this.#file}.damaged`;
      log.warn({ file: this.#file, torn }, 'the end of the audit trail was damaged and set aside');
      this.record({ event: 'damaged', reason: 'torn', detail });
    }
    log.info({ ...this.#head, directory }, 'audit trail opened');
  }

  /** For a file without a single whole line: what the one before it ended with. */
  async #headBefore(empty: string | undefined): Promise<AuditHead> {
    const files = (await segmentFiles(this.#options.directory)).filter((file) => file !== empty);
    const before = files.at(-1);
    return (before === undefined ? undefined : lastGood(await readFile(before)).head) ?? EMPTY_HEAD;
  }

  async #nextSegment(firstLine: string): Promise<void> {
    const { directory, segments, log } = this.#options;
    const first = readLine(firstLine.trimEnd());
    const file = segmentFile(directory, first.ok ? first.entry.seq : this.#head.seq);
    const handle = await open(file, 'w+', 0o600);
    await this.#handle.close();
    this.#handle = handle;
    this.#file = file;
    this.#goodBytes = 0;
    await syncDirectory(directory);
    log.info({ ...this.#head, file }, 'audit trail goes on in another file');
    for (const old of (await segmentFiles(directory)).slice(0, -segments)) await unlink(old);
  }
}

/** Oldest first. */
export async function segmentFiles(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => /^audit-\d{12}\.log$/.test(name));
  return names.sort().map((name) => join(directory, name));
}

function segmentFile(directory: string, firstSeq: number): string {
  return join(directory, `audit-${String(firstSeq).padStart(12, '0')}.log`);
}

/** The last line that is whole; bytes behind it are what a crash in the middle of a write leaves. */
function lastGood(bytes: Buffer): { head: AuditHead | undefined; goodBytes: number; torn: number } {
  for (let end = bytes.lastIndexOf(LINE_END) + 1; end > 0; ) {
    const start = end < 2 ? 0 : bytes.lastIndexOf(LINE_END, end - 2) + 1;
    const line = readLine(bytes.toString('utf8', start, end - 1));
    if (line.ok) return { head: line.head, goodBytes: end, torn: bytes.length - end };
    end = start;
  }
  return { head: undefined, goodBytes: 0, torn: bytes.length };
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r');
  await handle.sync();
}
