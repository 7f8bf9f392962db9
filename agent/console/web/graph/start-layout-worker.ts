/** The real worker, from this origin as `worker-src 'self'` wants it. @module */
import type { LayoutWorker, WorkerTells } from './layout-desk.ts';

export function startLayoutWorker({ onFound, onFailed }: WorkerTells): LayoutWorker {
  const worker = new Worker(new URL('./layout-worker.ts', import.meta.url), { type: 'module', name: 'weft layout' });
  worker.onmessage = ({ data }) => onFound(data);
  worker.onerror = onFailed;
  return {
    ask: (message) => worker.postMessage(message, [message.calls.buffer]),
    end: () => worker.terminate(),
  };
}
