/**
 * The access log of this node: what was sampled, failed or slow, as JSON lines and in memory. Which requests that are, the
 * workers have decided (`kept`); one that only a tap asked for is no line. @module
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { AgentError } from '../../errors.ts';
import type { AccessLogConfig } from '../access-log-config.ts';
import { logEntry } from './entry.ts';
import { type LineSink, LineWriter } from './line-writer.ts';
import { LogFile } from './log-file.ts';
import { PastRecords } from './past.ts';
import { type RecentPage, type RecentQuery, RecentRecords } from './recent.ts';
import { standardOutput } from './standard-output.ts';

export interface AccessLogOptions {
  readonly config: AccessLogConfig;
  readonly node: string;
  readonly dataDirectory: string;
  readonly log: Logger;
}

export class AccessLog implements AsyncDisposable {
  readonly #options: AccessLogOptions;
  readonly #writer: LineWriter | undefined;
  readonly #recent: RecentRecords;
  /** Undefined where none are to be kept on disk. */
  readonly #past: PastRecords | undefined;

  /** SIGHUP is how logrotate says that it has renamed the file. */
  readonly #reopen: (() => void) | undefined;

  private constructor(options: AccessLogOptions, sink: LineSink | undefined, reopen?: () => void) {
    this.#options = options;
    this.#writer = sink === undefined ? undefined : new LineWriter(sink, options.log);
    const { recent, keepMb, keepHours } = options.config;
    this.#recent = new RecentRecords(recent, Date.now());
    const directory = join(options.dataDirectory, 'requests');
    this.#past =
      keepMb === 0 ? undefined : new PastRecords({ directory, maxMb: keepMb, hours: keepHours, log: options.log });
    this.#reopen = reopen;
    if (reopen !== undefined) process.on('SIGHUP', reopen);
  }

  /** Rejects where the file cannot be opened. */
  static async start(options: AccessLogOptions): Promise<AccessLog> {
    const { config, dataDirectory } = options;
    if (config.sink === 'none') return new AccessLog(options, undefined);
    if (config.sink === 'stdout') return new AccessLog(options, standardOutput());
    const file = config.file ?? join(dataDirectory, 'access.log');
    try {
      const sink = await LogFile.open({ file, maxBytes: config.maxBytes, files: config.files });
      return new AccessLog(options, sink, () => sink.reopen());
    } catch (err) {
      throw new AgentError('WEFT_AGENT_FILE_WRITE', `${file} (telemetry.accessLog.file)`, { cause: err });
    }
  }

  /** Lines that were lost. */
  get dropped(): number {
    return this.#writer?.dropped ?? 0;
  }

  get written(): number {
    return this.#writer?.written ?? 0;
  }

  /** @param record redacted */
  add(record: RequestRecord): void {
    const { kept, direction } = record;
    if (!kept.sampled && !kept.failed && !kept.slow) return;
    if (!this.#options.config.directions.includes(direction)) return;
    this.#recent.add(record);
    this.#past?.add(record);
    this.#writer?.write(JSON.stringify(this.entry(record)));
  }

  /** In memory, and what was there before that on disk. */
  async search(query: RecentQuery): Promise<RecentPage> {
    const recent = this.#recent.search(query);
    const { knownFromMs } = this.#recent;
    if (this.#past === undefined || recent.isCut || query.sinceMs >= knownFromMs) return recent;
    const past = await this.#past.search(query, knownFromMs);
    const all = [...past.records, ...recent.records].sort((a, b) => a.atMs - b.atMs);
    return { records: all.slice(-query.limit), isCut: past.isCut || all.length > query.limit };
  }

  entry(record: RequestRecord): ReturnType<typeof logEntry> {
    const { node, config } = this.#options;
    return logEntry(record, { node, isUserHashed: config.redact.user === 'hash' });
  }

  /** Resolves when what came before is written or dropped. */
  async settled(): Promise<void> {
    await this.#writer?.settled();
    await this.#past?.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#reopen !== undefined) process.off('SIGHUP', this.#reopen);
    await this.#writer?.close();
    await this.#past?.[Symbol.asyncDispose]();
  }
}
