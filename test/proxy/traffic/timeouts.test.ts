/** How long requests may take: the policy's time, that of an attempt, and what the caller says. */

import { expect, test } from 'vitest';
import { eventually, Mesh, TestClient, TestServer } from '../mesh.ts';
import { app, ask, held, policies, routes, rule, settled } from './support.ts';

/** An application that takes requests and says nothing. */
function silent(): Promise<TestServer> {
  return TestServer.tcp((socket) => socket.resume());
}

test('a request has its time, all attempts together', async () => {
  await using cart = await app((response, nth) => void (nth === 1 && response.end()));
  await using mesh = await Mesh.start(cart.port);
  expect((await ask(mesh.port)).status).toBe(200); // the way is known
  mesh.rule(policies({ timeouts: { requestMs: 200, backendMs: 90 }, retries: { on: ['timeout'], attempts: 9 } }));
  const told = await ask(mesh.port);
  expect([told.status, told.headers['weft-reason']]).toEqual([504, 'deadline-exceeded']);
  expect(mesh.a.reader.counters().upstreamRetried).toBeGreaterThan(0);
  await settled(mesh);
});

test('an attempt has its time, and another endpoint is asked', async () => {
  await using slow = await silent();
  await using quick = await app((response) => response.end('quick'));
  await using mesh = await Mesh.start(slow.port);
  mesh.add(quick.port);
  mesh.rule(policies({ timeouts: { backendMs: 150 }, retries: { on: ['timeout'], backoffMs: 0 }, outliers: 'off' }));
  for (let i = 0; i < 6; i++) expect((await ask(mesh.port)).body).toBe('quick');
  await settled(mesh);
});

test('an attempt that took too long is the answer where it may not be repeated', async () => {
  await using cart = await silent();
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(routes(rule('r', { timeouts: { backendRequestMs: 100 } })));
  const told = await ask(mesh.port);
  expect([told.status, told.headers['weft-reason']]).toEqual([504, 'backend-timeout']);
  await settled(mesh);
});

test('a response that takes longer than the request may is cut', async () => {
  await using cart = await app((response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('begun');
  });
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(policies({ timeouts: { requestMs: 200 } }));
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.ended();
  expect(client.received).toMatch(/begun$/);
  expect(mesh.a.reader.series().find(({ labels }) => labels.route === '/')?.failures).toEqual({
    'deadline-exceeded': 1,
  });
  await settled(mesh);
});

test('a request that is silent for too long ends, one that keeps talking does not', async () => {
  await using cart = await app((response, nth) => {
    if (nth === 1) return;
    response.writeHead(200, { 'content-length': 8 });
    let told = 0;
    const timer = setInterval(() => {
      response.write('w');
      if (++told === 8) clearInterval(timer);
    }, 60);
  });
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(policies({ timeouts: { idleMs: 300 }, outliers: 'off' }));
  const silent = await ask(mesh.port);
  expect([silent.status, silent.headers['weft-reason']]).toEqual([504, 'silent']);
  expect((await ask(mesh.port)).body).toBe('wwwwwwww'); // 480 ms, and never 300 without a word
  await settled(mesh);
});

test.each([
  ['weft-deadline-ms', '150'],
  ['grpc-timeout', '150m'],
])('what the caller says by %s holds, and is passed on', async (name, value) => {
  const deadlines: number[] = [];
  await using cart = await app((_response, _nth, { headers }) => {
    deadlines.push(Number(headers['weft-deadline-ms']));
  });
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(policies({ timeouts: { requestMs: 60_000 } }));
  const told = await ask(mesh.port, { headers: { [name]: value } });
  expect(told.headers['weft-reason']).toBe('deadline-exceeded');
  expect(deadlines.length).toBe(1);
  expect(deadlines[0]).toBeGreaterThan(0);
  expect(deadlines[0]).toBeLessThanOrEqual(150);
  await settled(mesh);
});

test('a later attempt is told what is left', async () => {
  const told: number[] = [];
  await using cart = await app((response, nth, { headers }) => {
    told.push(Number(headers['weft-deadline-ms']));
    response.writeHead(nth === 1 ? 503 : 200).end();
  });
  await using mesh = await Mesh.start(cart.port, { worker: { random: () => 0.5 } });
  const retries = { on: ['5xx'] as const, backoffMs: 200, maxBackoffMs: 200 };
  mesh.rule(policies({ timeouts: { requestMs: 10_000 }, retries }));
  expect((await ask(mesh.port)).status).toBe(200);
  expect(told.length).toBe(2);
  expect(told[1]).toBeLessThanOrEqual(told[0]! - 100);
});

test('a client that leaves before the answer leaves nothing behind', async () => {
  await using cart = await silent();
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(policies({ timeouts: { requestMs: 60_000 } }));
  const client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await eventually(() => held(mesh).requests === 1);
  client.socket.resetAndDestroy();
  await settled(mesh);
});
