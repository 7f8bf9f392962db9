/** Runs simulations on worker threads, as many at once as the machine has cores. @module */
import { availableParallelism, totalmem } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Run } from './run.ts';
import type { Job, WorkerMessage } from './worker.ts';

export interface PoolOptions {
  readonly signal: AbortSignal;
  /** Threads at once. Default: one for every core. */
  readonly threads?: number;
  /** How far all jobs together are, from 0 to 1. */
  readonly progress?: (share: number) => void;
}

const MEGABYTE = 1024 * 1024;
/** Garbage of a simulated second should die young. */
const YOUNG_GENERATION_MB = 128;

/** @returns the runs, in the order of the jobs; rejects when one throws or `signal` aborts */
export async function runJobs(jobs: readonly Job[], options: PoolOptions): Promise<Run[]> {
  const { signal, threads = availableParallelism(), progress } = options;
  const runs = new Array<Run>(jobs.length);
  const shares = new Array<number>(jobs.length).fill(0);
  let next = 0;
  const told = (index: number, share: number): void => {
    shares[index] = share;
    progress?.(shares.reduce((sum, one) => sum + one, 0) / jobs.length);
  };
  const lane = async (): Promise<void> => {
    while (next < jobs.length) {
      const index = next++;
      runs[index] = await runJob(jobs[index]!, signal, (share) => told(index, share));
      told(index, 1);
    }
  };
  await Promise.all(Array.from({ length: Math.min(threads, jobs.length) }, lane));
  return runs;
}

async function runJob(job: Job, signal: AbortSignal, progress: (share: number) => void): Promise<Run> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Run>();
  const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
    workerData: job,
    resourceLimits: {
      maxOldGenerationSizeMb: Math.round((totalmem() / MEGABYTE) * 0.7),
      maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
    },
  });
  const stop = (): void => reject(signal.reason);
  signal.addEventListener('abort', stop);
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'progress') progress(message.share);
    else resolve(message.run);
  });
  worker.on('error', reject);
  worker.on('exit', (code) => reject(new Error(`the simulation's thread ended early, with code ${code}`)));
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', stop);
    await worker.terminate();
  }
}
