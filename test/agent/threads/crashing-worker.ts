/** The real data-plane worker, with a way to make it die of an uncaught error. */
import { workerData } from 'node:worker_threads';
import '../../../agent/threads/data-plane-worker.ts';

const { index } = workerData as { index: number };
const channel = new BroadcastChannel('weft-test-crash');
channel.onmessage = ({ data }: MessageEvent): void => {
  if (data === index) throw new Error('told to die');
};
(channel as unknown as { unref(): void }).unref();
