/** Real worker threads on loopback: what is told to one is told to all, and a dead one comes back knowing it. */
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ListenerSpec } from '../../../proxy/listeners/listener-spec.ts';
import { startPlane } from './plane.ts';

/** A table of statistics has 2.2 MB; more than this is another one. */
const TABLE_BYTES = 2_000_000;
/** Between two looks: who looks at every turn takes from the threads it waits for. */
const LOOK_MS = 2;

test('workers that die come back with all they were told, and the others go on answering meanwhile', async () => {
  const reopened: ListenerSpec[] = [];
  await using plane = await startPlane(() => reopened);
  const listener: ListenerSpec = {
    id: 'explicit',
    role: 'explicit',
    unit: 'u',
    workload: 'shop/web',
    target: { service: 'shop/cart', port: 80 },
    transport: 'tcp',
    reusePort: true,
  };
  const port = await plane.listen(0, listener);
  reopened.push({ ...listener, port });
  await plane.listen(1, reopened[0]!);
  expect(await answers(port, 20)).toEqual(new Set(['503 no-endpoint']));
  const held = plane.shared.claim('held by each worker');
  expect(held.held('connections')).toBe(2);

  const before = process.memoryUsage().arrayBuffers;
  const crash = new BroadcastChannel('weft-test-crash');
  try {
    for (const [deaths, worker] of [1, 0].entries()) {
      crash.postMessage(worker);
      await until(() => plane.restarted === deaths + 1);
      expect(await answers(port, 5)).toEqual(new Set(['503 no-endpoint'])); // from the other one
      await until(() => plane.listening(worker).includes('explicit'));
    }
  } finally {
    crash.close();
  }
  // Both have been born anew by now: what they know they were told on restart.
  expect(await answers(port, 20)).toEqual(new Set(['503 no-endpoint']));
  expect(held.held('connections')).toBe(2); // what the dead held was given back
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(TABLE_BYTES); // they count in the tables of the dead
  expect(plane.stats.counters().connectionsAccepted).toBe(50); // each once, whichever life counted it
});

test('a listener whose port is taken is refused with the reason of the worker', async () => {
  await using plane = await startPlane(() => []);
  const listener: ListenerSpec = { id: 'a', role: 'inbound', unit: 'u', transport: 'tcp' };
  const port = await plane.listen(0, listener);
  await expect(plane.listen(1, { ...listener, id: 'b', port })).rejects.toThrow(`127.0.0.1:${port}`);
});

/** What `count` requests, each on a connection of its own, were answered. */
async function answers(port: number, count: number): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let i = 0; i < count; i++) {
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      http.get({ host: '127.0.0.1', port, agent: false }, resolve).on('error', reject);
    });
    response.resume();
    seen.add(`${response.statusCode} ${response.headers['weft-reason']}`);
  }
  return seen;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(LOOK_MS);
}
