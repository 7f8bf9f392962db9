/** The thread that runs one simulation, so that the terminal stays awake and the heap can be as large as it must. @module */
import { parentPort, workerData } from 'node:worker_threads';
import type { Machine, Run } from './run.ts';
import { runScenario } from './run.ts';
import type { Scenario } from './scenarios/schema.ts';

export interface Job {
  readonly scenario: Scenario;
  readonly nodes: number;
  readonly seed: number;
  readonly machine: Machine;
  readonly isEncoded: boolean;
}

export type WorkerMessage =
  | { readonly kind: 'progress'; readonly share: number }
  | { readonly kind: 'done'; readonly run: Run };

if (parentPort !== null) work(workerData as Job, (message) => parentPort?.postMessage(message));

function work(job: Job, tell: (message: WorkerMessage) => void): void {
  const options = {
    scenario: job.scenario,
    nodes: job.nodes,
    seed: job.seed,
    machine: job.machine,
    isEncoded: job.isEncoded,
    progress: (share: number) => tell({ kind: 'progress', share }),
    realMs: () => performance.now(),
  };
  tell({ kind: 'done', run: runScenario(options) });
}
