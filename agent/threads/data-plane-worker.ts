/** Entry of a data-plane worker thread: one `Proxy`, driven by messages from the control thread. Holds no rule. @module */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { workerData as born, parentPort } from 'node:worker_threads';
import { dnsListeners } from '../../proxy/dns/server.ts';
import { DNS_COUNTERS } from '../../proxy/dns/stats.ts';
import { Proxy } from '../../proxy/proxy.ts';
import { SharedTable } from '../../proxy/resilience/shared-table.ts';
import { plainSockets } from '../../proxy/sockets.ts';
import { StatsWriter } from '../../proxy/telemetry/stats-writer.ts';
import { captureSockets } from '../capture/sockets.ts';
import { messageOf } from '../errors.ts';
import { createLogger } from '../log.ts';
import type { FromWorker, ToWorker, WorkerData } from './data-plane-protocol.ts';

/** What the idle limit of statistics is counted in. */
const STATS_SWEEP_MS = 60_000;

const control = parentPort!;
const { index, config, logLevel, isCapturing, stats: buffer, shared } = born as WorkerData;
const log = createLogger({ level: logLevel, node: config.node }).child({ worker: index });
const stats = new StatsWriter(
  buffer,
  (row, labels) => tell({ kind: 'series', row, labels }),
  (row, labels) => tell({ kind: 'access-series', row, labels }),
);
const captured = isCapturing ? captureSockets([]) : undefined;
const proxy = Proxy.start(config, {
  sockets: captured ?? plainSockets(),
  stats,
  shared: new SharedTable(shared, index, () => stats.count('sharedTableOverflows')),
  log,
  random: Math.random,
  unreachable: (workload, port) => tell({ kind: 'unreachable', workload, port }),
  records: (records) => tell({ kind: 'records', records }),
  collectGarbage: youngCollection(),
  ...(captured === undefined
    ? {}
    : {
        dns: dnsListeners({
          sockets: captured,
          stats: { count: (outcome) => stats.count(DNS_COUNTERS[outcome]) },
          log,
        }),
      }),
});
process.on('exit', () => captured?.[Symbol.dispose]()); // also after an uncaught error: descriptors outlive a thread
setInterval(() => stats.sweep(), STATS_SWEEP_MS).unref();
control.on('message', (message: ToWorker) => void obey(message));
tell({ kind: 'ready' });

async function obey(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'update':
      return proxy.apply(message.update);
    case 'unit':
      return captured?.set(message.place);
    case 'unit-gone':
      return captured?.delete(message.unit);
    case 'series-freed':
      return stats.freed(message.row);
    case 'listen':
      return answer(message.request, async () => (await proxy.listen(message.spec)).port);
    case 'unlisten':
      return answer(message.request, async () => {
        await proxy.unlisten(message.id);
        return 0;
      });
    case 'taps':
      return proxy.watch(message.taps);
    case 'sync':
      return tell({ kind: 'done', request: message.request, port: 0 });
    case 'close':
      await proxy.close(message.deadlineMs, message.idleMs);
      control.close(); // nothing keeps the thread alive after this
  }
}

async function answer(request: number, work: () => Promise<number>): Promise<void> {
  try {
    tell({ kind: 'done', request, port: await work() });
  } catch (err) {
    tell({ kind: 'failed', request, message: messageOf(err) });
  }
}

function tell(message: FromWorker): void {
  control.postMessage(message);
}

/** V8's own collector of the young generation, which Node gives out only under a flag. */
function youngCollection(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;
  return () => collect({ type: 'minor' });
}
