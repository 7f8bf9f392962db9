/** Real threads on one shared table. @module */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { HammerData, HammerTask } from './hammer.ts';

export function hammer(buffer: SharedArrayBuffer, worker: number, task: HammerTask): Worker {
  const workerData: HammerData = { buffer, worker, task };
  return new Worker(new URL('./hammer.ts', import.meta.url), { workerData });
}

/** Runs a task in several threads at once; what each of them said. */
export async function hammers(buffer: SharedArrayBuffer, count: number, task: HammerTask): Promise<number[]> {
  const threads = Array.from({ length: count }, (_, worker) => hammer(buffer, worker, task));
  return Promise.all(
    threads.map(async (thread) => {
      const exited = once(thread, 'exit');
      const [said] = (await once(thread, 'message')) as [number];
      await exited;
      return said;
    }),
  );
}
