/**
 * A file of lines that is rotated by size, bounded in number, and opened anew when somebody else has renamed or deleted it
 * (logrotate), at once or on SIGHUP. @module
 */
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LineSink } from './line-writer.ts';

export interface LogFileOptions {
  readonly file: string;
  readonly maxBytes: number;
  /** All of them, the one that is written included. */
  readonly files: number;
}

export class LogFile implements LineSink {
  readonly #options: LogFileOptions;
  #handle: FileHandle | undefined;
  #bytes = 0;
  #inode = 0;
  #isStale = false;

  private constructor(options: LogFileOptions) {
    this.#options = options;
  }

  /** Rejects where the file cannot be opened. */
  static async open(options: LogFileOptions): Promise<LogFile> {
    const file = new LogFile(options);
    await mkdir(dirname(options.file), { recursive: true, mode: 0o700 });
    await file.#open();
    return file;
  }

  /** Before the next line. */
  reopen(): void {
    this.#isStale = true;
  }

  async write(lines: Buffer): Promise<void> {
    if (this.#isStale || !(await this.#isOurs())) await this.#open();
    else if (this.#bytes > 0 && this.#bytes + lines.length > this.#options.maxBytes) await this.#rotate();
    await this.#handle!.appendFile(lines);
    this.#bytes += lines.length;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #open(): Promise<void> {
    await this.close();
    this.#handle = await open(this.#options.file, 'a', 0o600);
    const { size, ino } = await this.#handle.stat();
    this.#bytes = size;
    this.#inode = ino;
    this.#isStale = false;
  }

  async #isOurs(): Promise<boolean> {
    if (this.#handle === undefined) return false;
    const there = await stat(this.#options.file).catch(() => undefined);
    return there?.ino === this.#inode;
  }

  async #rotate(): Promise<void> {
    const { file, files } = this.#options;
    if (files === 1) {
      await this.#handle!.truncate(0);
      this.#bytes = 0;
      return;
    }
    await rm(`${file}.${files - 1}`, { force: true });
    for (let i = files - 2; i >= 1; i--) await rename(`${file}.${i}`, `${file}.${i + 1}`).catch(ifMissing);
    await rename(file, `${file}.1`);
    await this.#open();
  }
}

function ifMissing(err: NodeJS.ErrnoException): void {
  if (err.code !== 'ENOENT') throw err;
}
