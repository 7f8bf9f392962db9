/** What workers owe each other and their workloads: an even share of connections, and nobody else's trouble. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { DataPlane } from '../../../agent/threads/data-plane.ts';
import type { ListenerSpec } from '../../../proxy/listeners/listener-spec.ts';
import { startPlane } from './plane.ts';

const CONNECTIONS = 400;
/** Between two looks: who looks at every turn takes from the threads it waits for. */
const LOOK_MS = 2;
const LISTENER: ListenerSpec = {
  id: 'explicit',
  role: 'explicit',
  unit: 'u',
  workload: 'shop/web',
  target: { service: 'shop/cart', port: 80 },
  transport: 'tcp',
  reusePort: true,
};

/** A kept connection to a service without endpoints: every request is answered 503, and the connection stays. */
class Client {
  readonly socket: Socket;
  isOpen = true;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => {}); // its 'close' follows
    this.socket.on('close', () => (this.isOpen = false));
  }

  /** Whether an answer came, and not the end of the connection. */
  async ask(): Promise<boolean> {
    if (!this.isOpen) return false;
    this.socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
    const ended = new Promise<false>((resolve) => this.socket.once('close', () => resolve(false)));
    const answered = once(this.socket, 'data').then(([bytes]) => String(bytes).startsWith('HTTP/1.1 503'));
    return Promise.race([answered.catch(() => ended), ended]);
  }
}

test('connections are spread evenly; a worker that dies costs its own, and is back within a second', async () => {
  const reopened: ListenerSpec[] = [];
  const startedMs = performance.now();
  await using plane = await startPlane(() => reopened);
  const startMs = performance.now() - startedMs;
  const port = await plane.listen(0, LISTENER);
  reopened.push({ ...LISTENER, port });
  await plane.listen(1, reopened[0]!);
  const crash = new BroadcastChannel('weft-test-crash');
  const backMs: number[] = [];
  try {
    for (const worker of [0, 1, 0]) {
      const clients = Array.from({ length: CONNECTIONS }, () => new Client(port));
      expect((await Promise.all(clients.map((client) => client.ask()))).every(Boolean)).toBe(true);
      backMs.push(await dieAndReturn(plane, crash, worker));
      const survivors = clients.filter(({ isOpen }) => isOpen);
      // Binomial with a half: five standard deviations, of 10, each way.
      expect(Math.abs(survivors.length - CONNECTIONS / 2)).toBeLessThan(50);
      expect((await Promise.all(survivors.map((client) => client.ask()))).every(Boolean)).toBe(true);
      for (const { socket } of clients) socket.destroy();
    }
  } finally {
    crash.close();
  }
  // What else the machine does only adds to it: where two workers took long to start, one may take as long.
  expect(Math.min(...backMs)).toBeLessThan(Math.max(1_000, startMs));
});

test('a workload that floods finds the end of its share, and another is served all the same', async () => {
  await using plane = await startPlane(() => [], { workers: 1, maxConnections: 64 });
  const flooded = await plane.listen(0, LISTENER);
  const quiet = await plane.listen(0, { ...LISTENER, id: 'quiet', unit: 'quiet' });
  const flood = Array.from({ length: 200 }, () => new Client(flooded));
  const served = (await Promise.all(flood.map((client) => client.ask()))).filter(Boolean);
  expect(served).toHaveLength(56); // the last eighth is for those that have less than their share
  expect(plane.stats.counters().connectionsRefusedLimit).toBe(144);
  const others = Array.from({ length: 8 }, () => new Client(quiet));
  expect(await Promise.all(others.map((client) => client.ask()))).toEqual(Array(8).fill(true));
  for (const { socket } of [...flood, ...others]) socket.destroy();
});

/** @returns how long it took until the worker listened again */
async function dieAndReturn(plane: DataPlane, crash: BroadcastChannel, worker: number): Promise<number> {
  const deaths = plane.restarted;
  crash.postMessage(worker);
  while (plane.restarted === deaths) await pause(LOOK_MS);
  const diedMs = performance.now();
  while (!plane.listening(worker).includes('explicit')) await pause(LOOK_MS);
  return performance.now() - diedMs;
}
