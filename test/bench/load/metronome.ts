/** Ticks more even than timers of an event loop are: a thread that sleeps on a futex, which knows microseconds. @module */
import { Worker } from 'node:worker_threads';

/** Posts the number of each tick when it is due; ticks that were overslept come at once. Never skips one. */
const SLEEPER = `
const { parentPort, workerData } = require('node:worker_threads');
const { perSecond, ticks, originMs } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));
const nowMs = () => performance.timeOrigin + performance.now() - originMs;
for (let tick = 0; tick < ticks; tick++) {
  const waitMs = tick * 1000 / perSecond - nowMs();
  if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs);
  parentPort.postMessage(tick);
}
`;

export class Metronome {
  readonly #worker: Worker;
  /** When the first tick is due, on the clock of performance.now(). */
  readonly startMs: number;

  constructor(options: {
    readonly perSecond: number;
    readonly ticks: number;
    readonly onTick: (tick: number) => void;
  }) {
    const { perSecond, ticks, onTick } = options;
    this.startMs = performance.now() + 200; // the thread is up by then
    const workerData = { perSecond, ticks, originMs: performance.timeOrigin + this.startMs };
    this.#worker = new Worker(SLEEPER, { eval: true, workerData });
    this.#worker.on('message', onTick);
  }

  close(): Promise<number> {
    return this.#worker.terminate();
  }
}
