/** Endpoints that are dead, leave, or are full. @module */

import http from 'node:http';
import net from 'node:net';
import { expect, test } from 'vitest';
import { eventually, Mesh, TestClient, TestServer } from '../mesh.ts';

function get(port: number): Promise<{ status: number; reason: string | undefined }> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', agent: false }, (response) => {
        response.resume().on('end', () => {
          const reason = response.headers['weft-reason'];
          resolve({ status: response.statusCode!, reason: typeof reason === 'string' ? reason : undefined });
        });
      })
      .on('error', reject);
  });
}

/** Between the agents, and to the application. */
const ONE_AT_A_TIME = { upstream: { maxConnections: 1, maxTunnels: 1 }, tunnel: { maxStreams: 1 } };

function hello(): Promise<TestServer> {
  return TestServer.of(http.createServer((_request, response) => response.end('hello')));
}

/** A port where nobody listens. */
async function deadPort(): Promise<number> {
  const server = await TestServer.tcp(() => undefined);
  const { port } = server;
  await server[Symbol.asyncDispose]();
  return port;
}

test('a dead endpoint costs no request while another one lives', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const dead = mesh.endpoint({ id: 'c/cart/http', node: 'c', tunnelPort: await deadPort() });
  mesh.a.proxy.apply(mesh.update({ endpoints: [dead] }));
  for (let i = 0; i < 20; i++) expect(await get(mesh.port)).toEqual({ status: 200, reason: undefined });
  expect(mesh.a.reader.counters().upstreamRetried).toBeGreaterThan(0);
});

test('a dead endpoint costs no opaque connection either', async () => {
  await using app = await TestServer.tcp((socket) => socket.pipe(socket));
  await using mesh = await Mesh.start(app.port, { protocol: 'tcp' });
  const dead = mesh.endpoint({ id: 'c/cart/http', node: 'c', tunnelPort: await deadPort() });
  mesh.a.proxy.apply(mesh.update({ endpoints: [dead] }));
  for (let i = 0; i < 10; i++) {
    using client = await TestClient.connect(mesh.port);
    client.send('ping');
    await client.until(/ping/);
  }
  expect(mesh.a.reader.counters().upstreamRetried).toBeGreaterThan(0);
});

test('three endpoints are tried, and no more', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const ports = await Promise.all([1, 2, 3, 4, 5].map(deadPort));
  const dead = ports.map((tunnelPort, i) => mesh.endpoint({ id: `d${i}/cart/http`, node: `d${i}`, tunnelPort }));
  mesh.a.proxy.apply(mesh.update({ endpoints: dead, remove: ['b/cart/http'] }));
  expect(await get(mesh.port)).toEqual({ status: 503, reason: 'connect-failed' });
  expect(mesh.a.reader.counters().upstreamConnectFailures).toBe(3);
});

test('a service without ready endpoints answers 503 and says so', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ state: 'draining' })] }));
  expect(await get(mesh.port)).toEqual({ status: 503, reason: 'no-endpoint' });
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint()] }));
  expect(await get(mesh.port)).toEqual({ status: 200, reason: undefined });
});

test('an endpoint that left the snapshot is picked no more, and its idle connections are closed', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  expect((await get(mesh.port)).status).toBe(200);
  expect(mesh.b.proxy.openConnections).toBe(1);
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ state: 'draining' })], remove: [] }));
  mesh.a.proxy.apply(mesh.update({ remove: ['b/cart/http'] }));
  await eventually(() => mesh.b.proxy.openConnections === 0);
});

test('an application that is not there is told as such by its own node', async () => {
  await using mesh = await Mesh.start(await deadPort());
  expect(await get(mesh.port)).toEqual({ status: 503, reason: 'app-unreachable' });
});

test('requests wait for a connection of a full pool, and too many are refused', async () => {
  const waiting: http.ServerResponse[] = [];
  await using app = await TestServer.of(http.createServer((_request, response) => waiting.push(response)));
  await using mesh = await Mesh.start(app.port, {
    config: { upstream: { ...ONE_AT_A_TIME.upstream, maxPending: 1 }, tunnel: ONE_AT_A_TIME.tunnel },
  });
  const first = get(mesh.port);
  await eventually(() => waiting.length === 1);
  const second = get(mesh.port);
  await eventually(() => mesh.a.reader.totals().connectionsActive === 2);
  // One is served, one waits, and there is room for no more: neither here nor at the other agent.
  expect(await get(mesh.port)).toEqual({ status: 503, reason: 'upstream-overflow' });
  waiting[0]!.end();
  await eventually(() => waiting.length === 2);
  waiting[1]!.end();
  expect([(await first).status, (await second).status]).toEqual([200, 200]);
});

test('a request that waited too long is told so', async () => {
  const held: http.ServerResponse[] = [];
  let isHolding = false;
  const server = http.createServer((_request, response) => (isHolding ? held.push(response) : response.end()));
  await using app = await TestServer.of(server);
  await using mesh = await Mesh.start(app.port, { config: { upstream: { maxConnections: 1, pendingTimeoutMs: 50 } } });
  while ((await get(mesh.port)).status !== 200); // the first handshake may take longer than a request may wait
  isHolding = true;
  using first = await TestClient.connect(mesh.port);
  first.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await eventually(() => held.length === 1);
  expect(await get(mesh.port)).toEqual({ status: 503, reason: 'pending-timeout' });
});

test('a client that leaves while its request waits leaves nothing behind', async () => {
  const responses: http.ServerResponse[] = [];
  await using app = await TestServer.of(http.createServer((_request, response) => responses.push(response)));
  await using mesh = await Mesh.start(app.port, { config: ONE_AT_A_TIME });
  const first = get(mesh.port);
  await eventually(() => responses.length === 1);
  using impatient = await TestClient.connect(mesh.port);
  impatient.send('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
  await eventually(() => mesh.a.reader.totals().connectionsActive === 2);
  impatient.socket.resetAndDestroy();
  await eventually(() => mesh.a.reader.totals().connectionsActive === 1);
  responses[0]!.end();
  expect((await first).status).toBe(200);
  expect(responses.length).toBe(1);
  expect(mesh.failures()['client-aborted']).toBe(1);
});

test('idle connections to the application are closed before the application would', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port, { config: { upstream: { localIdleMs: 100 } } });
  expect((await get(mesh.port)).status).toBe(200);
  expect(app.sockets.size).toBe(1);
  await eventually(() => app.sockets.size === 0);
});

test.each([
  { method: 'GET', status: 200, reached: 2 },
  { method: 'POST', status: 502, reached: 1 },
])('$method on a new connection that dies unanswered ends with $status', async ({ method, status, reached }) => {
  let requests = 0;
  const links = new Set<net.Socket>();
  const server = http.createServer((_request, response) => {
    requests++;
    if (requests > 1) response.end('hello');
    else for (const link of links) link.resetAndDestroy(); // as the node of the endpoint does when it is killed
  });
  await using app = await TestServer.of(server);
  await using mesh = await Mesh.start(app.port);
  await using wire = await TestServer.tcp((link) => {
    links.add(link);
    const tunnel = net.connect(mesh.tunnelPort, '127.0.0.1');
    link.pipe(tunnel).on('error', () => link.destroy());
    tunnel.pipe(link);
  });
  const endpoints = ['c', 'd'].map((node) => mesh.endpoint({ id: `${node}/cart/http`, node, tunnelPort: wire.port }));
  mesh.a.proxy.apply(mesh.update({ endpoints, remove: ['b/cart/http'] }));
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.request({ port: mesh.port, host: '127.0.0.1', agent: false, method }, resolve).on('error', reject).end();
  });
  response.resume();
  expect([response.statusCode, requests]).toEqual([status, reached]);
});
