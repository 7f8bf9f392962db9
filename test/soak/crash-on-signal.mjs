// Preloaded into agents (NODE_OPTIONS=--import): on SIGUSR2 one data-plane worker dies of an uncaught error, each time the next.
import { BroadcastChannel, isMainThread, workerData } from 'node:worker_threads';

const WORKERS = 2;
const channel = new BroadcastChannel('weft-soak-crash');
let next = 0;
if (isMainThread) process.on('SIGUSR2', () => channel.postMessage(next++ % WORKERS));
else if (typeof workerData?.index === 'number') {
  channel.onmessage = ({ data }) => {
    if (data === workerData.index) throw new Error('told to die');
  };
}
channel.unref();
