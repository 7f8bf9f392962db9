// Preloaded into agents (NODE_OPTIONS=--import): on SIGUSR2 the first data-plane worker dies of an uncaught error. The others live on, so
// that what a worker piles up is not lost with it.
import { BroadcastChannel, isMainThread, workerData } from 'node:worker_threads';

const channel = new BroadcastChannel('weft-soak-crash');
if (isMainThread) process.on('SIGUSR2', () => channel.postMessage('die'));
else if (workerData?.index === 0) {
  channel.onmessage = () => {
    throw new Error('told to die');
  };
}
channel.unref();
