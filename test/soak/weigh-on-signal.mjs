// Preloaded into agents (NODE_OPTIONS=--import): on SIGWINCH every thread collects its garbage, malloc gives back what is free, and a
// line of the log tells what the agent holds then, in bytes: {"weighed": {heap, malloc, resident}}. The heap of the worker that is told to die
// is left out: it begins anew each time.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel, isMainThread, threadId, workerData } from 'node:worker_threads';

/** Buffers are freed by another thread, and what handles hold when they have closed. */
const SWEEP_MS = 100;
const channel = new BroadcastChannel('weft-soak-weigh');
channel.unref();
let collect;
if (isMainThread) await tellWeights();
else
  channel.onmessage = async ({ data }) => {
    if (data.collect !== threadId) return;
    const heap = await heapAfterCollection();
    channel.postMessage({ threadId, heap: workerData?.index === 0 ? 0 : heap });
  };

/** One thread after the other, this one last: the collections of all at once would have all helper threads of V8 for themselves. */
async function tellWeights() {
  const { mallinfo, trim } = await loadMalloc();
  const threads = new Set();
  let heap = 0;
  let waiting = [];
  const next = async () => {
    if (waiting.length > 0) return channel.postMessage({ collect: waiting[0] });
    heap += await heapAfterCollection();
    const { uordblks, hblkhd } = mallinfo();
    trim(0);
    const weighed = { heap, malloc: Number(uordblks) + Number(hblkhd), resident: privateBytes() };
    process.stdout.write(`${JSON.stringify({ weighed })}\n`);
  };
  const done = (id) => {
    if (waiting[0] !== id) return;
    waiting.shift();
    void next();
  };
  process.on('worker', (worker) => {
    const id = worker.threadId;
    worker.once('online', () => threads.add(id));
    worker.once('exit', () => {
      threads.delete(id);
      if (waiting[0] === id) done(id);
      else waiting = waiting.filter((other) => other !== id);
    });
  });
  channel.onmessage = ({ data }) => {
    heap += data.heap;
    done(data.threadId);
  };
  process.on('SIGWINCH', () => {
    heap = 0;
    waiting = [...threads];
    void next();
  });
}

async function heapAfterCollection() {
  setFlagsFromString('--expose-gc');
  collect ??= runInNewContext('gc');
  collect();
  await delay(SWEEP_MS);
  collect();
  await delay(SWEEP_MS);
  return process.memoryUsage().heapUsed;
}

function privateBytes() {
  return Number(/Private_Dirty:\s+(\d+)/.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]) * 1024;
}

/** glibc's; of all arenas together. */
async function loadMalloc() {
  const { default: koffi } = await import('koffi');
  const names = [
    'arena',
    'ordblks',
    'smblks',
    'hblks',
    'hblkhd',
    'usmblks',
    'fsmblks',
    'uordblks',
    'fordblks',
    'keepcost',
  ];
  const type = koffi.struct('mallinfo2', Object.fromEntries(names.map((name) => [name, 'size_t'])));
  const libc = koffi.load(null);
  return { mallinfo: libc.func('mallinfo2', type, []), trim: libc.func('int malloc_trim(size_t)') };
}
