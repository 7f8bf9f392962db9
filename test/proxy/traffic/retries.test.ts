/** Requests that are sent again: when, whereto, how often, and what the client gets in the end. */

import { once } from 'node:events';
import http2 from 'node:http2';
import { expect, test } from 'vitest';
import { DEFAULT_SETTINGS, NO_TRAFFIC, type PolicySettings, type Retries } from '../../../proxy/traffic/rules.ts';
import { eventually, Mesh, TestClient, TestServer } from '../mesh.ts';
import { app, ask, held, policies, routes, rule, settled, statuses } from './support.ts';

const QUICK = { backoffMs: 0, maxBackoffMs: 0 };

function retrying(retries: Partial<Retries>, more: PolicySettings = {}) {
  return policies({ retries: { ...QUICK, ...retries }, outliers: 'off', ...more });
}

test.each<[name: string, status: number, retries: Partial<Retries>, isRepeated: boolean]>([
  ['500 under 5xx', 500, { on: ['5xx'] }, true],
  ['500 under gateway-error', 500, { on: ['gateway-error'] }, false],
  ['503 under gateway-error', 503, { on: ['gateway-error'] }, true],
  ['429 under 5xx', 429, { on: ['5xx'] }, false],
  ['429 under 429', 429, { on: ['429'] }, true],
  ['418 by its code', 418, { on: [], codes: [418] }, true],
  ['200 by its code', 200, { on: [], codes: [200] }, false],
  ['503 under the defaults', 503, {}, false],
])('%s', async (_name, status, retries, isRepeated) => {
  await using cart = await statuses(status, 200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(retrying(retries));
  expect((await ask(mesh.port)).status).toBe(isRepeated ? 200 : status);
  expect(cart.asked.length).toBe(isRepeated ? 2 : 1);
  await settled(mesh);
});

test('the last answer comes as it is when all attempts are used up', async () => {
  await using cart = await app((response, nth) => response.writeHead(503, { 'x-nth': nth }).end(`no ${nth}`));
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(retrying({ on: ['5xx'], attempts: 2 }));
  const told = await ask(mesh.port);
  expect([told.status, told.body, told.headers['x-nth']]).toEqual([503, 'no 3', '3']);
  expect(told.headers['weft-reason']).toBeUndefined();
  await settled(mesh);
});

test('an answer without a body that is not taken leaves the next one whole', async () => {
  // The stream that is given up is the one that the next attempt gets.
  await using cart = await statuses(503, 503, 200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(retrying({ on: ['5xx'] }));
  const told = await ask(mesh.port);
  expect([told.status, told.body]).toEqual([200, 'answer 3']);
});

test.each([
  [true, 200, 2],
  [false, 503, 1],
])('a POST is repeated where the policy says so: %s', async (isAnyMethod, status, times) => {
  await using cart = await statuses(503, 200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(retrying({ on: ['5xx'], isAnyMethod }));
  expect((await ask(mesh.port, { method: 'POST', body: 'x' })).status).toBe(status);
  expect(cart.asked.length).toBe(times);
});

test.each([
  ['the most that is kept', 65_536, 200],
  ['one byte more', 65_537, 503],
])('a body of %s', async (_name, size, status) => {
  await using cart = await statuses(503, 200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(retrying({ on: ['5xx'], isAnyMethod: true }));
  const body = Buffer.alloc(size, 'abcdefg').toString('latin1');
  expect((await ask(mesh.port, { method: 'PUT', body })).status).toBe(status);
  for (const asked of cart.asked) expect(asked.body === body).toBe(true);
  await settled(mesh);
});

test('trailers of a request come with each attempt', async () => {
  await using cart = await statuses(503, 200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(retrying({ on: ['5xx'], isAnyMethod: true }));
  const headers = { trailer: 'x-sum', 'transfer-encoding': 'chunked' };
  const told = await ask(mesh.port, { method: 'POST', body: 'body', headers, trailers: { 'x-sum': '7' } });
  expect(told.status).toBe(200);
  expect(cart.asked.map(({ body, trailers }) => [body, trailers['x-sum']])).toEqual([
    ['body', '7'],
    ['body', '7'],
  ]);
});

test('an upload that waits for 100 (Continue) is sent to the second attempt', async () => {
  await using cart = await statuses(503, 200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(retrying({ on: ['5xx'], isAnyMethod: true }));
  using client = await TestClient.connect(mesh.port);
  client.send('PUT / HTTP/1.1\r\nHost: cart\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n');
  await client.until(/^HTTP\/1\.1 100 /);
  client.send('body');
  await client.until(/HTTP\/1\.1 200 OK[\s\S]*answer 2\r\n/);
  expect(cart.asked.map(({ body }) => body)).toEqual(['body', 'body']);
});

test('another endpoint is asked first, then the same again', async () => {
  const order: string[] = [];
  const failing = (name: string) =>
    app((response) => {
      order.push(name);
      response.writeHead(503).end();
    });
  await using one = await failing('one');
  await using two = await failing('two');
  await using mesh = await Mesh.start(one.port);
  mesh.add(two.port);
  mesh.rule(retrying({ on: ['5xx'], attempts: 2 }));
  for (let i = 0; i < 10; i++) {
    order.length = 0;
    expect((await ask(mesh.port)).status).toBe(503);
    expect(order.length).toBe(3);
    expect(order[0]).not.toBe(order[1]);
  }
});

test.each(['a', 'b'] as const)(
  'a reset is repeated, by a caller on node a of an application on node %s',
  async (node) => {
    await using dying = await TestServer.tcp((socket) => {
      socket.on('data', () => socket.resetAndDestroy());
    });
    await using well = await statuses(200);
    await using mesh = await Mesh.start(well.port);
    const bad = mesh.add(dying.port, { node });
    mesh.rule(retrying({ isAnyMethod: true }));
    for (let i = 0; i < 10; i++) expect((await ask(mesh.port, { method: 'POST', body: 'x' })).status).toBe(200);
    expect(well.asked.length).toBe(10);
    mesh.a.proxy.apply(mesh.update({ endpoints: [], remove: [bad] }));
    await settled(mesh);
  },
);

test('a response that has begun is never repeated', async () => {
  await using cart = await app((response) => {
    response.writeHead(200, { 'content-length': 10 });
    response.write('half', () => response.socket!.resetAndDestroy());
  });
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(retrying({ on: ['5xx', 'reset', 'refused', 'connect-failure', 'timeout'], isAnyMethod: true }));
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.ended();
  expect(client.received).toMatch(/^HTTP\/1\.1 200 [\s\S]*half$/);
  expect(cart.asked.length).toBe(1);
  await settled(mesh);
});

test('a route asks for repeats of any method by codes', async () => {
  await using cart = await statuses(503, 503, 200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(routes(rule('r', { retry: { attempts: 2, codes: [503], backoffMs: 0 } })));
  expect((await ask(mesh.port, { method: 'POST', body: 'x' })).status).toBe(200);
  expect(cart.asked.length).toBe(3);
});

test('pauses double, with jitter out of the given dice', async () => {
  const random = 0.5;
  await using cart = await statuses(503, 503, 503, 200);
  await using mesh = await Mesh.start(cart.port, { worker: { random: () => random } });
  mesh.rule(retrying({ on: ['5xx'], attempts: 3, backoffMs: 80, maxBackoffMs: 200 }));
  const startedAtMs = performance.now();
  expect((await ask(mesh.port)).status).toBe(200);
  // 40, 80 and 100 ms: half of 80, 160, and of 200 in the place of 320.
  expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(220);
});

test('a client that leaves during a pause leaves nothing behind, and is not asked for again', async () => {
  await using cart = await statuses(503);
  await using mesh = await Mesh.start(cart.port, { worker: { random: () => 0.99 } });
  mesh.rule(retrying({ on: ['5xx'], attempts: 3, backoffMs: 60_000, maxBackoffMs: 60_000 }));
  const client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await eventually(() => held(mesh).retries === 1);
  client.socket.resetAndDestroy();
  await settled(mesh);
  expect(cart.asked.length).toBe(1);
  expect(mesh.failures()['client-aborted']).toBeGreaterThan(0);
});

test('a backend that always fails gets a fifth more, however often each request may be repeated', async () => {
  await using cart = await statuses(500);
  await using mesh = await Mesh.start(cart.port);
  const retryBudget = { ...DEFAULT_SETTINGS.retryBudget, minPerSecond: 0 };
  mesh.rule(retrying({ on: ['5xx'], attempts: 5 }, { retryBudget }));
  for (let i = 0; i < 100; i++) expect((await ask(mesh.port)).status).toBe(500);
  expect(cart.asked.length).toBeGreaterThan(110);
  expect(cart.asked.length).toBeLessThanOrEqual(120);
});

test('HTTP/2 from end to end: a call that failed is repeated with its body', async () => {
  let calls = 0;
  const bodies: string[] = [];
  const server = http2.createServer();
  server.on('stream', (stream: http2.ServerHttp2Stream) => {
    let body = '';
    stream.setEncoding('latin1').on('data', (text: string) => {
      body += text;
    });
    stream.on('end', () => {
      bodies.push(body);
      stream.respond({ ':status': ++calls === 1 ? 503 : 200 }, { endStream: calls === 1 });
      if (calls > 1) stream.end('well');
    });
  });
  await using cart = await TestServer.of(server);
  await using mesh = await Mesh.start(cart.port, { protocol: 'http2' });
  mesh.rule(retrying({ on: ['5xx'], isAnyMethod: true }));
  const session = http2.connect(`http://127.0.0.1:${mesh.port}`);
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  stream.end('question');
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  const body = await stream.setEncoding('latin1').toArray();
  session.close();
  expect([headers[':status'], body.join(''), bodies]).toEqual([200, 'well', ['question', 'question']]);
  await settled(mesh);
});

test('nothing is repeated where nobody says so', async () => {
  await using cart = await statuses(503, 200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(NO_TRAFFIC);
  expect((await ask(mesh.port)).status).toBe(503);
});

test.each(['a', 'b'] as const)('an application that is down costs no POST (on node %s)', async (node) => {
  const down = await statuses(200);
  await using well = await statuses(200);
  await using mesh = await Mesh.start(well.port);
  mesh.add(down.port, { node });
  await down[Symbol.asyncDispose]();
  mesh.rule(retrying({}));
  for (let i = 0; i < 10; i++) expect((await ask(mesh.port, { method: 'POST', body: 'x' })).status).toBe(200);
  expect(well.asked.length).toBe(10);
  await settled(mesh);
});

test('an answer of an application on the same node is repeated, and counted as what it was', async () => {
  await using here = await statuses(503, 200);
  await using gone = await statuses(200);
  await using mesh = await Mesh.start(gone.port);
  mesh.a.proxy.apply(mesh.update({ remove: ['b/cart/http'] }));
  mesh.add(here.port, { node: 'a' });
  mesh.rule(retrying({ on: ['5xx'] }));
  expect((await ask(mesh.port)).body).toBe('answer 2');
  const inbound = mesh.a.reader.series().find(({ labels }) => labels.direction === 'inbound');
  expect(inbound?.failures).toEqual({});
  expect(here.asked.length).toBe(2);
  await settled(mesh);
});
