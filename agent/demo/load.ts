/** The load generator as the demo sees it: a program in the client's pod, and the reports it sends. @module */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stopProcess } from '../lab/processes.ts';
import { type TrafficReport, TrafficTally } from './traffic-report.ts';

/** Beyond what the shop waits for its own calls, so that a visit that fails says why. */
const TIMEOUT_MS = 10_000;
/** Beyond what a request may take: the last answers are waited for. */
const STOP_GRACE_MS = 2_000;

export interface LoadOptions {
  readonly url: string;
  readonly perSecond: number;
  /** An answer that takes longer counts as none. Left out: 10 s. */
  readonly timeoutMs?: number;
  /** Runs a program in the client's pod, with output in pipes. */
  readonly spawn: (argv: readonly string[]) => ChildProcess;
  readonly onReport: (report: TrafficReport) => void;
}

export class Load implements AsyncDisposable {
  /** All reports so far. */
  readonly tally = new TrafficTally();
  /** What is asked for, without the path. */
  readonly target: string;
  readonly #child: ChildProcess;
  readonly #finished: Promise<void>;
  readonly #timeoutMs: number;
  #errorText = '';

  private constructor({ url, perSecond, timeoutMs = TIMEOUT_MS, spawn, onReport }: LoadOptions) {
    this.target = new URL(url).host;
    this.#timeoutMs = timeoutMs;
    const file = fileURLToPath(new URL(`./traffic${extname(import.meta.filename)}`, import.meta.url));
    this.#child = spawn([process.execPath, file, url, String(perSecond), String(timeoutMs)]);
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on('line', (line) => {
      const report = JSON.parse(line) as TrafficReport; // our own program, of our own version
      this.tally.add(report);
      onReport(report);
    });
    this.#finished = once(lines, 'close').then(() => {});
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errorText = (this.#errorText + chunk.toString()).slice(-4_096);
    });
  }

  static start(options: LoadOptions): Load {
    return new Load(options);
  }

  /** What it wrote on standard error: empty when all is well. */
  get errorText(): string {
    return this.#errorText;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends no more, waits for answers, and resolves when the last report is in the tally. Twice is fine. */
  async close(): Promise<void> {
    await stopProcess(this.#child, this.#timeoutMs + STOP_GRACE_MS);
    await Promise.race([this.#finished, delay(1_000, undefined, { ref: false })]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
