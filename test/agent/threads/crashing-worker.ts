/** The real data-plane worker, with a way to make it die of an uncaught error while it holds a place of what is shared. */
import { workerData } from 'node:worker_threads';
import '../../../agent/threads/data-plane-worker.ts';
import type { WorkerData } from '../../../agent/threads/data-plane-protocol.ts';
import { SharedTable } from '../../../proxy/resilience/shared-table.ts';

const { index, shared } = workerData as WorkerData;
new SharedTable(shared, index).claim('held by each worker').hold('connections', 1);
const channel = new BroadcastChannel('weft-test-crash');
channel.onmessage = ({ data }: MessageEvent): void => {
  if (data === index) throw new Error('told to die');
};
(channel as unknown as { unref(): void }).unref();
