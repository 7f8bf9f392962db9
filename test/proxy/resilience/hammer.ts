/** A thread that does what it is told to one shared slot, as fast as it can. @module */
import { parentPort, workerData } from 'node:worker_threads';
import { Circuit } from '../../../proxy/resilience/circuit.ts';
import { SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { TokenBucket } from '../../../proxy/resilience/token-bucket.ts';

export interface HammerData {
  readonly buffer: SharedArrayBuffer;
  readonly worker: number;
  readonly task: HammerTask;
}

export type HammerTask =
  /** Adds to a cell of the slot, and takes and gives places of it; at the end `left` places stay taken. */
  | { readonly kind: 'count'; readonly times: number; readonly left: number }
  /** Takes one of `limit` places again and again, and says how many it saw taken at most. */
  | { readonly kind: 'limit'; readonly times: number; readonly limit: number }
  /** Holds places and goes on for ever. */
  | { readonly kind: 'until-killed'; readonly left: number }
  /** Claims and releases slots by many keys, for ever. */
  | { readonly kind: 'claim'; readonly keys: number; readonly times: number }
  /** Asks a bucket whose clock stands still. */
  | { readonly kind: 'bucket'; readonly times: number; readonly rate: number; readonly burst: number };

const { buffer, worker, task } = workerData as HammerData;
const table = new SharedTable(buffer, worker);

switch (task.kind) {
  case 'count': {
    const slot = table.claim('same');
    for (let i = 0; i < task.times; i++) {
      Atomics.add(slot.cells, slot.first, 1);
      slot.hold('requests', 1);
      slot.hold('requests', -1);
    }
    slot.hold('requests', task.left);
    parentPort!.postMessage(task.times);
    break;
  }
  case 'limit': {
    const circuit = new Circuit(table, 'spiffe://t/ns/a/sa/a', 'shop/cart', 80);
    const inside = table.claim('inside');
    const limits = { maxConnections: 1, maxPending: 1, maxRequests: task.limit, maxRetries: 1 };
    let most = 0;
    for (let i = 0; i < task.times; i++) {
      if (!circuit.tryAcquire('requests', limits)) continue;
      most = Math.max(most, Atomics.add(inside.cells, inside.first, 1) + 1);
      Atomics.sub(inside.cells, inside.first, 1);
      circuit.release('requests');
    }
    parentPort!.postMessage(most);
    break;
  }
  case 'until-killed': {
    const slot = table.claim('same');
    slot.hold('requests', task.left);
    slot.hold('connections', task.left);
    parentPort!.postMessage('busy');
    for (let i = 0; ; i++) {
      slot.hold('requests', 1);
      table.claim(`key ${worker} ${i % 50}`);
      table.release(`key ${worker} ${i % 50}`);
      slot.hold('requests', -1);
    }
  }
  case 'claim': {
    for (let i = 0; i < task.times; i++) {
      for (let key = 0; key < task.keys; key++) {
        const slot = table.claim(`key ${key}`);
        Atomics.add(slot.cells, slot.first, 1);
      }
      if (i < task.times - 1) for (let key = 0; key < task.keys; key++) table.release(`key ${key}`);
    }
    parentPort!.postMessage('done');
    break;
  }
  case 'bucket': {
    const bucket = new TokenBucket(table, 'same', { requestsPerSecond: task.rate, burst: task.burst });
    let allowed = 0;
    for (let i = 0; i < task.times; i++) if (bucket.take(1_000)) allowed++;
    parentPort!.postMessage(allowed);
    break;
  }
}
