/**
 * The workloads of this node, from the YAML files of one directory, kept up to date while files come, change and go.
 *
 * A file that can not be read or does not parse is reported, and what it said before keeps running; so does everything when
 * the directory itself disappears. The kernel says when to look (inotify), and a slow poll finds what it did not say: a
 * directory made later or replaced, an overflown event queue, a file system without events. @module
 */
import { type BigIntStats, constants, type FSWatcher, watch } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { messageOf, systemCode } from '../errors.ts';
import { formatProblem, type Problem } from '../problem.ts';
import { withoutConflicts } from './conflicts.ts';
import type { Workload } from './workload.ts';
import { parseWorkloadFile, type SourcedWorkload } from './workload-file.ts';

export interface WorkloadDirectoryOptions {
  readonly directory: string;
  /** Whether workloads are captured in their namespaces. Default: true. */
  readonly isCapturing?: boolean;
  readonly log: Logger;
  /** Called with all valid workloads whenever that set differs from the one before; not for the first scan. */
  readonly changed: (workloads: readonly Workload[]) => void;
  /** How long a burst of file events must have been over before files are read. */
  readonly settleMs?: number;
  readonly pollMs?: number;
}

/** Long enough for an editor that truncates and then writes; short enough to feel immediate. */
const SETTLE_MS = 50;
const POLL_MS = 10_000;
const MAX_FILES = 2_000;
const MAX_FILE_BYTES = 1024 * 1024;

/** What a file said when it was last read, and what tells that it changed. */
interface KnownFile {
  readonly fingerprint: string;
  /** Of the last version that parsed; empty when none ever did. */
  readonly workloads: readonly SourcedWorkload[];
  readonly problems: readonly Problem[];
}

export class WorkloadDirectory implements AsyncDisposable {
  readonly #options: WorkloadDirectoryOptions;
  #files: ReadonlyMap<string, KnownFile> = new Map();
  #workloads: readonly Workload[] = [];
  #problems: readonly Problem[] = [];
  #watcher: FSWatcher | undefined;
  /** Inode of the directory that is watched: another one in its place needs another watcher. */
  #watched: bigint | undefined;
  #settle: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  /** The scan under way, and whether something changed since it began. */
  #scanning: Promise<void> | undefined;
  #isStale = false;
  #isStarted = false;
  #isClosed = false;

  private constructor(options: WorkloadDirectoryOptions) {
    this.#options = options;
  }

  /** Resolves when the directory has been read once. A directory that does not exist yet is a problem, not a failure. */
  static async start(options: WorkloadDirectoryOptions, signal: AbortSignal): Promise<WorkloadDirectory> {
    signal.throwIfAborted();
    const directory = new WorkloadDirectory(options);
    await directory.rescan();
    directory.#isStarted = true;
    directory.#poll = setInterval(() => void directory.rescan(), options.pollMs ?? POLL_MS).unref();
    return directory;
  }

  workloads(): readonly Workload[] {
    return this.#workloads;
  }

  /** Every mistake found in the last scan, by file and line. */
  problems(): readonly Problem[] {
    return this.#problems;
  }

  /** Reads what changed. One scan at a time: calls made while one runs share the next. */
  rescan(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isStale = true;
    this.#scanning ??= this.#scanUntilFresh().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#settle);
    clearInterval(this.#poll);
    this.#watcher?.close();
    this.#watcher = undefined;
    await this.#scanning;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #scanUntilFresh(): Promise<void> {
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      await this.#scan();
    }
  }

  async #scan(): Promise<void> {
    const { directory } = this.#options;
    let general: readonly Problem[] = [];
    try {
      await this.#watch(); // before reading: what changes while we read is seen as an event
      const names = (await readdir(directory)).filter(isWorkloadFile).sort();
      const files = new Map<string, KnownFile>();
      for (const name of names.slice(0, MAX_FILES)) {
        const known = await readKnown(join(directory, name), this.#files.get(name));
        if (known !== undefined) files.set(name, known);
      }
      this.#files = files;
      if (names.length > MAX_FILES) general = [tooManyFiles(directory)];
    } catch (err) {
      this.#unwatch();
      general = [unreadable(directory, err)];
    }
    this.#publish(general);
  }

  #publish(general: readonly Problem[]): void {
    if (this.#isClosed) return;
    const files = [...this.#files.values()];
    const { workloads, problems } = withoutConflicts(
      files.flatMap((file) => file.workloads),
      this.#options.isCapturing ?? true,
    );
    this.#report([...general, ...files.flatMap((file) => file.problems), ...problems]);
    if (isDeepStrictEqual(workloads, this.#workloads)) return;
    this.#workloads = workloads;
    this.#options.log.info({ workloads: workloads.length }, 'workloads read');
    if (this.#isStarted) this.#options.changed(workloads);
  }

  /** Logs a problem once, when it appears. */
  #report(problems: readonly Problem[]): void {
    const before = new Set(this.#problems.map(formatProblem));
    this.#problems = problems;
    for (const problem of problems) {
      if (!before.has(formatProblem(problem))) this.#options.log.warn({ problem }, 'workload file refused');
    }
  }

  async #watch(): Promise<void> {
    const { directory, settleMs = SETTLE_MS } = this.#options;
    const { ino } = await stat(directory, { bigint: true });
    if (this.#isClosed || this.#watched === ino) return;
    this.#unwatch();
    try {
      this.#watcher = watch(directory, { persistent: false }, () => {
        if (this.#settle === undefined) this.#settle = setTimeout(() => this.#settled(), settleMs);
        else this.#settle.refresh(); // events without end: the poll looks all the same
      });
      this.#watcher.on('error', (err) => this.#onlyPoll(err));
    } catch (err) {
      this.#onlyPoll(err); // out of inotify watches, for example
    }
    this.#watched = ino; // also when it failed: once is enough to say so
  }

  #onlyPoll(err: unknown): void {
    const { directory, log } = this.#options;
    log.warn({ err, directory }, 'workloads directory can not be watched; it is polled');
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #settled(): void {
    this.#settle = undefined;
    void this.rescan();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = undefined;
  }
}

/** Hidden files are those of editors and of atomic writers. */
function isWorkloadFile(name: string): boolean {
  return /^[^.].*\.ya?ml$/.test(name);
}

/** @returns what is known of the file now; undefined when it is gone */
async function readKnown(path: string, before: KnownFile | undefined): Promise<KnownFile | undefined> {
  const keep = (fingerprint: string, problems: readonly Problem[]): KnownFile => {
    return { fingerprint, workloads: before?.workloads ?? [], problems };
  };
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO must not block us
    const info = await file.stat({ bigint: true });
    const fingerprint = fingerprintOf(info);
    if (fingerprint !== '' && before?.fingerprint === fingerprint) return before;
    if (!info.isFile()) return keep(fingerprint, [wholeFile(path, 'is not a regular file; remove it or rename it')]);
    if (info.size > MAX_FILE_BYTES) {
      return keep(fingerprint, [wholeFile(path, `is larger than ${MAX_FILE_BYTES} bytes; split it`)]);
    }
    const parsed = parseWorkloadFile(await file.readFile('utf8'), path);
    return parsed.ok ? { fingerprint, workloads: parsed.value, problems: [] } : keep(fingerprint, parsed.problems);
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return undefined;
    return keep('', [wholeFile(path, `can not be read (${messageOf(err)}); check its permissions`)]);
  }
}

/** Changes whenever the file does. A file just written has none: its next change could fall into the same clock tick. */
function fingerprintOf({ dev, ino, size, mtimeNs, mtimeMs }: BigIntStats): string {
  return Date.now() - Number(mtimeMs) < 1_000 ? '' : `${dev}:${ino}:${size}:${mtimeNs}`;
}

function wholeFile(file: string, message: string): Problem {
  return { file, line: 1, column: 1, field: '', message };
}

function tooManyFiles(directory: string): Problem {
  return wholeFile(
    directory,
    `holds more than ${MAX_FILES} files; those after it by name are not read. Move some away`,
  );
}

function unreadable(directory: string, err: unknown): Problem {
  if (systemCode(err) === 'ENOENT')
    return wholeFile(directory, 'does not exist; create it and put workload files there');
  return wholeFile(directory, `can not be read (${messageOf(err)}); what was read before keeps running`);
}
