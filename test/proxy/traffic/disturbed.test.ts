/** Sessions that stay where they are, faults on purpose, limits, and what stands in for a service without endpoints. */

import { expect, test } from 'vitest';
import { NO_TRAFFIC, type TrafficRules } from '../../../proxy/traffic/rules.ts';
import { eventually, Mesh, TestClient, TestServer } from '../mesh.ts';
import { type App, app, ask, fault, held, limit, policies, routes, rule, settled, statuses, to } from './support.ts';

const SECRET = { cookieSecret: 'secret of the tests' };
const STICKY = { type: 'cookie', name: 'pin' } as const;

function named(name: string): Promise<App> {
  return app((response) => response.end(name));
}

function pinOf(headers: NodeJS.Dict<string | string[]>): string | undefined {
  return /pin=([^;]+)/.exec(String(headers['set-cookie'] ?? ''))?.[1];
}

test('a session stays at its endpoint, scale-out or not, and moves when that is gone', async () => {
  await using one = await named('one');
  await using two = await named('two');
  await using three = await named('three');
  await using mesh = await Mesh.start(one.port);
  const second = mesh.add(two.port);
  mesh.rule({ ...policies({ affinity: STICKY, balancer: { name: 'round-robin' } }), ...SECRET });
  let first = await ask(mesh.port);
  while (first.body !== 'two') first = await ask(mesh.port);
  const headers = { cookie: `a=b; pin=${pinOf(first.headers)}` };
  mesh.add(three.port);
  for (let i = 0; i < 9; i++) {
    const told = await ask(mesh.port, { headers });
    expect([told.body, told.headers['set-cookie'], told.headers['weft-affinity']]).toEqual([
      'two',
      undefined,
      undefined,
    ]);
  }
  mesh.a.proxy.apply(mesh.update({ remove: [second] }));
  const moved = await ask(mesh.port, { headers });
  expect([moved.headers['weft-affinity'], pinOf(moved.headers) === undefined]).toEqual(['moved', false]);
  expect(moved.body).not.toBe('two');
  await settled(mesh);
});

test.each([
  ['forged', (pin: string) => `${pin.slice(0, -2)}xx`],
  ['of another route', (pin: string) => pin],
  ['nothing of the kind', () => 'x'.repeat(2_000)],
])('a token that is %s is none', async (kind, change) => {
  await using one = await named('one');
  await using mesh = await Mesh.start(one.port);
  mesh.rule({ ...policies({ affinity: STICKY }), ...SECRET });
  const pin = pinOf((await ask(mesh.port)).headers)!;
  if (kind === 'of another route') mesh.rule(routes(rule('r', { affinity: STICKY })));
  const told = await ask(mesh.port, { headers: { cookie: `pin=${change(pin)}` } });
  expect([pinOf(told.headers) === undefined, told.headers['weft-affinity']]).toEqual([false, undefined]);
});

test('a session of a subset that gets nothing any more goes to the other one', async () => {
  await using old = await named('old');
  await using young = await named('young');
  await using mesh = await Mesh.start(old.port);
  mesh.a.proxy.apply(mesh.update({ remove: ['b/cart/http'] }));
  mesh.add(old.port, { labels: { track: 'old' } });
  mesh.add(young.port, { labels: { track: 'young' } });
  const subsets = { old: { track: 'old' }, young: { track: 'young' } };
  const shares = (weight: number): TrafficRules => ({
    ...routes(
      rule('r', {
        affinity: STICKY,
        backends: [to('cart', { subset: 'old', weight }), to('cart', { subset: 'young', weight: 1 - weight })],
      }),
    ),
    policies: policies({ subsets }).policies,
  });
  mesh.rule(shares(1));
  const first = await ask(mesh.port);
  expect(first.body).toBe('old');
  mesh.rule(shares(0));
  const second = await ask(mesh.port, { headers: { cookie: `pin=${pinOf(first.headers)}` } });
  expect([second.body, second.headers['weft-affinity']]).toEqual(['young', 'moved']);
});

test.each([
  [{ header: 'X-User' }, (user: number) => ({ headers: { 'x-user': `u${user}` } })],
  [{ cookie: 'user' }, (user: number) => ({ headers: { cookie: `user=u${user}` } })],
  [{ query: 'user' }, (user: number) => ({ path: `/?user=u${user}` })],
])('requests alike by %j go to one endpoint, others are spread', async (hashOn, asking) => {
  await using one = await named('one');
  await using two = await named('two');
  await using mesh = await Mesh.start(one.port);
  mesh.add(two.port);
  mesh.rule(policies({ balancer: { name: 'maglev', hashOn } }));
  const reached = new Set<string>();
  for (let user = 0; user < 12; user++) {
    const { body } = await ask(mesh.port, asking(user));
    expect((await ask(mesh.port, asking(user))).body).toBe(body);
    reached.add(body);
  }
  expect(reached.size).toBe(2);
});

function faults(...all: readonly ReturnType<typeof fault>[]): TrafficRules {
  return { ...NO_TRAFFIC, faults: all };
}

test('a delay comes before the abort that goes with it', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(faults(fault({ delay: { ms: 150, percent: 100 }, abort: { status: 418, percent: 100 } })));
  const startedAtMs = performance.now();
  const told = await ask(mesh.port);
  expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(150);
  expect([told.status, told.headers['weft-reason'], cart.asked.length]).toEqual([418, 'fault-injected', 0]);
  const counted = mesh.a.reader.series().find(({ failures }) => failures['fault-injected'] !== undefined);
  expect(counted).toMatchObject({ statuses: { 418: 1 }, injected: { 418: 1 }, failures: { 'fault-injected': 1 } });
  mesh.rule(faults(fault({ abort: { status: 503, grpcStatus: 14, percent: 100 } })));
  expect((await ask(mesh.port)).trailers['grpc-status']).toBe('14');
});

test('what waits behind a delayed request keeps its body', async () => {
  await using cart = await app((response, nth) => response.end(`answer ${nth}`));
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(
    faults(
      fault({
        delay: { ms: 100, percent: 100 },
        abort: { status: 418, percent: 100 },
        headers: [{ name: 'x-abort', type: 'present', value: '', isNot: false }],
      }),
      fault({ delay: { ms: 100, percent: 100 } }),
    ),
  );
  using client = await TestClient.connect(mesh.port);
  client.send(
    'GET / HTTP/1.1\r\nHost: cart\r\nX-Abort: 1\r\n\r\nPOST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 4\r\n\r\nbody',
  );
  await client.until(/answer 1/);
  expect(client.received).toMatch(/^HTTP\/1\.1 418 /);
  expect(cart.asked.map(({ body }) => body)).toEqual(['body']);
});

test('a reset is a reset', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(faults(fault({ reset: { percent: 100 } })));
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.closed();
  expect([client.error?.code, client.received, cart.asked.length]).toEqual(['ECONNRESET', '', 0]);
  await settled(mesh);
});

test('a response is as slow as it is to be, and whole', async () => {
  await using cart = await app((response) => response.end('x'.repeat(400_000)));
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(faults(fault({ bandwidth: { bytesPerSecond: 800_000, percent: 100 } })));
  const startedAtMs = performance.now();
  expect((await ask(mesh.port)).body.length).toBe(400_000);
  expect(performance.now() - startedAtMs).toBeGreaterThan(300);
  await settled(mesh);
});

test('a fault ends by itself', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(faults(fault({ abort: { status: 418, percent: 100 }, untilMs: Date.now() - 1 })));
  expect((await ask(mesh.port)).status).toBe(200);
});

test('over a limit requests are refused, with when to come again; in shadow mode they are counted', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule({ ...NO_TRAFFIC, limits: [limit({ requestsPerSecond: 0.01, burst: 2 })] });
  for (let i = 0; i < 2; i++) expect((await ask(mesh.port)).status).toBe(200);
  mesh.rule({ ...NO_TRAFFIC, limits: [limit({ requestsPerSecond: 0.01, burst: 2 })] }); // the bucket stays as full as it is
  const { status, headers } = await ask(mesh.port);
  expect([status, headers['weft-reason'], headers['ratelimit-policy']]).toEqual([429, 'rate-limited', '"l";q=2;w=200']);
  expect(Number(headers['retry-after'])).toBeGreaterThan(50);
  const grpc = await ask(mesh.port, { method: 'POST', headers: { 'content-type': 'application/grpc' } });
  expect(grpc.trailers['grpc-status']).toBe('8');
  mesh.rule({ ...NO_TRAFFIC, limits: [limit({ requestsPerSecond: 0.01, burst: 2, isShadow: true })] });
  expect((await ask(mesh.port)).status).toBe(200);
  expect(mesh.a.reader.counters().rateLimitedShadow).toBe(1);
});

test('a service without endpoints falls back in order, and returns', async () => {
  await using cart = await named('cart');
  await using other = await named('other');
  await using mesh = await Mesh.start(cart.port);
  const id = mesh.add(other.port, { service: 'other' });
  const respond = { status: 299, contentType: 'text/plain', body: 'sorry' };
  const fallbacks = [
    { kind: 'service', service: 'shop/other', port: 8_080 },
    { kind: 'respond', respond },
  ] as const;
  mesh.rule({ ...NO_TRAFFIC, policies: policies({ fallbacks }).policies });
  const bodies: string[] = [];
  const next = async () => bodies.push((await ask(mesh.port)).body);
  await next();
  const gone = mesh.endpoint({ state: 'draining' });
  mesh.a.proxy.apply(mesh.update({ endpoints: [gone] }));
  await next();
  mesh.a.proxy.apply(mesh.update({ remove: [id] }));
  await next();
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint()] }));
  await next();
  expect(bodies).toEqual(['cart', 'other', 'sorry', 'cart']);
  expect(mesh.a.reader.counters().fellBack).toBe(1);
});

test('a subset stands in for a service of which nobody else is left', async () => {
  await using old = await named('old');
  await using mesh = await Mesh.start(old.port);
  mesh.add(old.port, { service: 'other', labels: { track: 'old' } });
  const subsets = { old: { track: 'old' }, young: { track: 'young' } };
  const fallbacks = [{ kind: 'subset', subset: 'old' }] as const;
  const routed = routes(rule('r', { backends: [to('other', { subset: 'young' })] }));
  mesh.rule({ ...routed, policies: policies({ subsets, fallbacks }).policies });
  expect((await ask(mesh.port)).body).toBe('old');
});

test('a client that leaves while its request is delayed leaves nothing behind', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(faults(fault({ delay: { ms: 60_000, percent: 100 } })));
  const client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await eventually(() => held(mesh).requests === 1);
  client.socket.resetAndDestroy();
  await settled(mesh);
  expect(cart.asked.length).toBe(0);
});

test('a connection that becomes bytes is edited like any request, and gives its places back', async () => {
  await using cart = await TestServer.tcp((socket) => {
    socket.once('data', (head: Buffer) => {
      const role = /x-role: (\w+)/i.exec(head.toString('latin1'))?.[1] ?? '';
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n${role}`);
      socket.pipe(socket);
    });
  });
  await using mesh = await Mesh.start(cart.port);
  const requestHeaders = { set: [['x-role', 'guest']], add: [], remove: [] } as const;
  mesh.rule(routes(rule('r', { actions: { requestHeaders }, timeouts: { requestMs: 10_000 } })));
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await client.until(/101 [\s\S]*\r\n\r\nguest/);
  client.send('ping');
  await client.until(/ping$/);
  await settled(mesh);
});
