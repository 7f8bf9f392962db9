/**
 * Compiles documents in a worker of their own, one at a time, each with two seconds of CPU and a bound on memory: a document
 * that loops or swells costs that worker its life and nothing else.
 *
 * The worker starts with the first document and ends after a while without any.
 * @module
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import type { CompileAnswer, CompileRequest } from './compile-thread.ts';
import type { Compiled } from './kind.ts';
import { Watchdog } from './watchdog.ts';

/** Of CPU time. */
export const WATCHDOG_MS = 2_000;
/** A worker takes this long to load before the watchdog looks at its first document. */
const LOAD_MS = 10_000;
const IDLE_MS = 5_000;
const MAX_HEAP_MB = 256;
/** More cannot wait: there are not more documents. */
const MAX_WAITING = 100_000;

interface Task extends Omit<CompileRequest, 'request'> {
  readonly done: (compiled: Compiled) => void;
}

export class Compiler implements AsyncDisposable {
  readonly #entry: URL;
  readonly #watchdogMs: number;
  readonly #waiting: Task[] = [];
  #current: Task | undefined;
  #worker: Worker | undefined;
  #watchdog: Watchdog | undefined;
  #idling: NodeJS.Timeout | undefined;
  #request = 0;
  #isReady = false;
  #isClosed = false;

  /** @param options.entry the worker's module; tests have poisonous ones */
  constructor(options: { readonly entry?: URL; readonly watchdogMs?: number } = {}) {
    const beside = new URL(`./compile-worker${extname(import.meta.url)}`, import.meta.url);
    this.#entry = options.entry ?? beside;
    this.#watchdogMs = options.watchdogMs ?? WATCHDOG_MS;
  }

  /** Never rejects: a compile that does not come to an end is a problem of the document. */
  compile({ kind, namespace, name }: DocumentKey, body: Uint8Array): Promise<Compiled> {
    const { promise, resolve } = Promise.withResolvers<Compiled>();
    if (this.#isClosed || this.#waiting.length >= MAX_WAITING) {
      resolve({ ok: false, problem: 'this agent compiles nothing more: it is stopping, or has too much to do' });
      return promise;
    }
    this.#waiting.push({ key: { kind, namespace, name }, body, done: resolve });
    this.#next();
    return promise;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idling);
    this.#watchdog?.[Symbol.dispose]();
    const stopping = [this.#current, ...this.#waiting.splice(0)];
    this.#current = undefined;
    for (const task of stopping) task?.done({ ok: false, problem: 'the agent is stopping' });
    await this.#worker?.terminate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #next(): void {
    if (this.#current !== undefined || this.#isClosed) return;
    clearTimeout(this.#idling);
    const task = this.#waiting.shift();
    if (task === undefined) {
      this.#idling = setTimeout(() => this.#end(), IDLE_MS).unref();
      return;
    }
    this.#current = task;
    this.#worker ??= this.#start();
    this.#watch(this.#worker);
    this.#worker.postMessage({ request: ++this.#request, key: task.key, body: task.body } satisfies CompileRequest);
  }

  #start(): Worker {
    const worker = new Worker(this.#entry, {
      name: 'compile',
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    worker.unref();
    this.#isReady = false;
    worker.on('message', (answer: CompileAnswer) => {
      if (worker !== this.#worker) return;
      if (answer === 'loaded') {
        this.#isReady = true;
        if (this.#current !== undefined) this.#watch(worker);
      } else if (answer.request === this.#request) {
        this.#finish(answer.compiled);
      }
    });
    worker.on('error', (err: Error) => this.#lost(worker, `it made the compiler fail: ${err.message}`));
    worker.on('exit', () => this.#lost(worker, 'it ended the compiler'));
    return worker;
  }

  /** The time it takes to load the worker is not the document's fault. */
  #watch(worker: Worker): void {
    this.#watchdog?.[Symbol.dispose]();
    const problem = `it was not compiled within ${this.#watchdogMs} ms of CPU time`;
    const limitMs = this.#watchdogMs + (this.#isReady ? 0 : LOAD_MS);
    this.#watchdog = new Watchdog(worker, limitMs, () => this.#lost(worker, problem));
  }

  #lost(worker: Worker, problem: string): void {
    if (worker !== this.#worker) return;
    this.#end();
    this.#finish({ ok: false, problem });
  }

  #end(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
  }

  #finish(compiled: Compiled): void {
    const task = this.#current;
    this.#current = undefined;
    this.#watchdog?.[Symbol.dispose]();
    task?.done(compiled);
    this.#next();
  }
}
