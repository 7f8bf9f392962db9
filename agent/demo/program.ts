/** One program of the demo, its log and its restarts: what an init system would do for it. @module */
import type { ChildProcess } from 'node:child_process';
import { appendFileSync, renameSync } from 'node:fs';
import { stopProcess } from '../lab/processes.ts';

const RESTART_DELAY_MS = 10_000;
const STOP_GRACE_MS = 5_000;
const MAX_LOG_BYTES = 4 * 1024 * 1024;
const MAX_TAIL_LINES = 30;

export interface ProgramOptions {
  /** As it is called in messages. */
  readonly name: string;
  readonly logPath: string;
  /** Called for the first start and for each one after. Standard output and error must be pipes. */
  readonly spawn: () => ChildProcess;
  /** Whether it is started again when it ends by itself. */
  readonly restarts: boolean;
  /** What happened, as a sentence, for whoever watches. */
  readonly onEvent: (sentence: string) => void;
}

export class Program implements AsyncDisposable {
  readonly name: string;
  readonly #options: ProgramOptions;
  readonly #tail: string[] = [];
  #child: ChildProcess;
  #logBytes = 0;
  #restart: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#options = options;
    this.#child = this.#start();
  }

  static start(options: ProgramOptions): Program {
    return new Program(options);
  }

  /** The running one, or the last one that ran. */
  get child(): ChildProcess {
    return this.#child;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The last lines it wrote, for an error message. */
  tail(): readonly string[] {
    return this.#tail;
  }

  /** At once, where it has ended. */
  startAgain(): void {
    if (this.isRunning || this.#closing !== undefined) return;
    clearTimeout(this.#restart);
    this.#child = this.#start();
  }

  /** For good. Twice is fine. */
  close(): Promise<void> {
    clearTimeout(this.#restart);
    this.#closing ??= stopProcess(this.#child, STOP_GRACE_MS);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(): ChildProcess {
    const child = this.#options.spawn();
    child.stdout?.on('data', (chunk: Buffer) => this.#write(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.#write(chunk));
    child.once('error', (error) => this.#ended(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => this.#ended(`ended with ${signal ?? `code ${code}`}`));
    return child;
  }

  #ended(how: string): void {
    if (this.#closing) return;
    const { name, restarts, onEvent } = this.#options;
    onEvent(`${name} ${how}${restarts ? `; starts again in ${RESTART_DELAY_MS / 1000} s` : ''}`);
    if (!restarts) return;
    this.#restart = setTimeout(() => {
      onEvent(`${name} starts again`);
      this.startAgain();
    }, RESTART_DELAY_MS);
  }

  /** To the log file, which is turned over once it is large, and to the tail. A full disk costs the log, not the demo. */
  #write(chunk: Buffer): void {
    this.#tail.push(...chunk.toString().split('\n').filter(Boolean));
    this.#tail.splice(0, this.#tail.length - MAX_TAIL_LINES);
    const { logPath } = this.#options;
    try {
      if (this.#logBytes + chunk.length > MAX_LOG_BYTES) {
        renameSync(logPath, `${logPath}.1`);
        this.#logBytes = 0;
      }
      appendFileSync(logPath, chunk);
      this.#logBytes += chunk.length;
    } catch {
      // also when the last words of a program come after the folder is gone
    }
  }
}
