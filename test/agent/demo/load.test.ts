/** The load generator against a real server on loopback. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Load } from '../../../agent/demo/load.ts';
import { Processes } from '../../../agent/lab/processes.ts';

const processes = new Processes();
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Runs until `requests` have been reported, then closes. */
async function runUntil(requests: number, url: string): Promise<Load> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const load = Load.start({
    url,
    perSecond: 400,
    spawn: (argv) => processes.spawn(undefined, argv),
    onReport: () => load.tally.requests >= requests && resolve(),
  });
  await promise;
  await load.close();
  return load;
}

test('every request sent is answered or failed by the time it is closed', async () => {
  const users = new Set<string>();
  const url = await serve((request, response) => {
    users.add(request.url!);
    response.end('{"version":"v2"}');
  });
  const { tally } = await runUntil(150, `${url}/?user={n}`);
  expect(tally.failed).toBe(0);
  expect(tally.latency.total).toBe(tally.requests);
  expect(tally.versions).toEqual(new Map([['v2', tally.requests]]));
  expect(users.size).toBe(100);
});

test('failures are counted with their reason, and it goes on', async () => {
  let asked = 0;
  const url = await serve((request, response) => {
    asked += 1;
    if (asked % 3 === 1) request.socket.destroy();
    else if (asked % 3 === 2) response.writeHead(503, { 'weft-reason': 'no-endpoint' }).end();
    else response.end('ok');
  });
  const { tally } = await runUntil(150, url);
  expect(tally.failed + tally.latency.total).toBe(tally.requests);
  expect(tally.failed).toBeGreaterThan(tally.requests / 2);
  const reasons = new Set(tally.failures.map(({ reason }) => reason.split(' ')[0]));
  expect(reasons).toContain('503');
  expect(reasons).toContain('ECONNRESET');
  expect(tally.failures.find(({ reason }) => reason.startsWith('503'))?.reason).toBe('503 no-endpoint');
});

test('a server that is slow does not slow the sending', async () => {
  const held: (() => void)[] = [];
  const url = await serve((_request, response) => {
    if (held.push(() => response.end('late')) === 40) for (const release of held) release();
    if (held.length > 40) response.end('prompt');
  });
  const { tally } = await runUntil(100, url);
  expect(tally.failed).toBe(0);
  expect(tally.latency.quantile(0.99)!).toBeGreaterThan(50); // the first of the forty waited for the last
});
