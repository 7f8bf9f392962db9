/** A worker that stood still takes what came meanwhile for what it is: it came in time, and lay unread. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { describe, expect, test } from 'vitest';
import { Deadlines } from '../../proxy/deadlines.ts';
import { FairTimeout } from '../../proxy/fair-timeout.ts';
import { type Detected, detect } from '../../proxy/outbound/detect.ts';
import { plainSockets, type Sockets } from '../../proxy/sockets.ts';
import { eventually, Mesh, TestServer } from './mesh.ts';

/** Both what is waited for and the end of the wait come while nothing can run. */
function standStill(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs);
}

/** A connection and its other side. */
async function pair(server: TestServer): Promise<{ client: net.Socket; served: net.Socket }> {
  const client = net.connect(server.port, '127.0.0.1').on('error', () => undefined);
  await once(client, 'connect');
  await eventually(() => server.sockets.size === 1);
  return { client, served: [...server.sockets][0]! };
}

describe('after a stall', () => {
  test('bytes that came are read before the wait for them is over', async () => {
    await using server = await TestServer.tcp(() => undefined);
    const { client, served } = await pair(server);
    for (let round = 0; round < 20; round++) {
      const happened: string[] = [];
      const over = Promise.withResolvers<void>();
      served.once('data', () => happened.push('bytes'));
      new FairTimeout(() => {
        happened.push('over');
        over.resolve();
      }, 5);
      client.write('x');
      standStill(20);
      await over.promise;
      expect(happened).toEqual(['bytes', 'over']);
    }
    client.destroy();
  });

  test('a deadline that they move is not met', async () => {
    await using server = await TestServer.tcp(() => undefined);
    const { client, served } = await pair(server);
    const deadlines = new Deadlines(5);
    let met = 0;
    const item = { deadlineMs: Number.POSITIVE_INFINITY, onDeadline: () => met++ };
    deadlines.add(item);
    for (let round = 0; round < 20; round++) {
      const read = once(served, 'data');
      served.prependOnceListener('data', () => (item.deadlineMs = Number.POSITIVE_INFINITY));
      item.deadlineMs = performance.now() + 10;
      client.write('x');
      standStill(20);
      await read;
    }
    expect(met).toBe(0);
    item.deadlineMs = 0;
    await eventually(() => met > 0);
    deadlines.close();
    client.destroy();
  });

  test('a client that spoke HTTP at once is not taken for one that said nothing', async () => {
    await using server = await TestServer.tcp(() => undefined);
    for (let round = 0; round < 5; round++) {
      const { client, served } = await pair(server);
      const detected = new Promise<Detected>((resolve) => detect(served, 5, resolve));
      client.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
      standStill(20);
      expect(await detected).toMatchObject({ protocol: 'http', wasSilent: false });
      client.destroy();
      served.destroy();
      await eventually(() => server.sockets.size === 0);
    }
  });

  test('a connection that stands is used', async () => {
    await using app = await TestServer.of(http.createServer((_request, response) => response.end('hello')));
    let stalls = 0;
    const stalling: Sockets = {
      ...plainSockets(),
      open: (...args) => {
        stalls++;
        process.nextTick(standStill, 40);
        return plainSockets().open(...args);
      },
    };
    const config = { upstream: { connectTimeoutMs: 20 } };
    await using mesh = await Mesh.start(app.port, { socketsOfB: stalling, config });
    const response = await fetch(`http://127.0.0.1:${mesh.port}/`);
    expect([response.status, await response.text(), stalls]).toEqual([200, 'hello', 1]);
  });
});

test('a wait that was given up is never over', async () => {
  let isOver = false;
  const wait = new FairTimeout(() => {
    isOver = true;
  }, 5);
  standStill(20);
  await new Promise((resolve) => setImmediate(resolve)); // it is due, and looks once more
  wait.clear();
  await new Promise<void>((resolve) => new FairTimeout(resolve, 5));
  expect(isOver).toBe(false);
});
