/**
 * Lines on their way to a file or standard output: never waited for, bounded, dropped and counted beyond the bound.
 *
 * Lines are written in batches, one at a time, in order. What the disk refuses is dropped and counted as well: an access log
 * that blocks or grows in memory harms what it watches.
 * @module
 */
import type { Logger } from 'pino';

export interface LineSink {
  /** Resolves when they are with the system. */
  write(lines: Buffer): Promise<void>;
  close(): Promise<void>;
}

const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const BATCH_BYTES = 256 * 1024;
const COMPLAIN_MS = 60_000;
/** A reader that does not read any more does not hold up the end of the agent. */
const CLOSE_MS = 1_000;

export class LineWriter {
  readonly #sink: LineSink;
  readonly #log: Logger;
  readonly #maxBytes: number;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #complainedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  /** Lines that were lost, for want of room or because they could not be written. */
  dropped = 0;
  written = 0;

  constructor(sink: LineSink, log: Logger, maxBytes: number = MAX_WAITING_BYTES) {
    this.#sink = sink;
    this.#log = log;
    this.#maxBytes = maxBytes;
  }

  write(line: string): void {
    if (this.#isClosed || this.#waitingBytes + line.length > this.#maxBytes) {
      this.dropped++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when all that came before is written or dropped. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref());
    await Promise.race([this.settled().then(() => this.#sink.close()), late]);
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // lines of one turn go together
    while (this.#waiting.length > 0) {
      const lines = this.#take();
      try {
        await this.#sink.write(Buffer.from(`${lines.join('\n')}\n`));
        this.written += lines.length;
      } catch (err) {
        this.dropped += lines.length;
        this.#complain(err);
      }
    }
  }

  #take(): readonly string[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && (count === 0 || bytes < BATCH_BYTES))
      bytes += this.#waiting[count++]!.length;
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  #complain(err: unknown): void {
    if (performance.now() - this.#complainedAtMs < COMPLAIN_MS) return;
    this.#complainedAtMs = performance.now();
    this.#log.error({ err, dropped: this.dropped }, 'the access log could not be written');
  }
}
