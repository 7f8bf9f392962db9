/** What proxies tell of the requests that they carry, over real sockets. */
import { expect, test } from 'vitest';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import type { TapFilter } from '../../../proxy/telemetry/taps.ts';
import { eventually, Mesh, type ProxyUnderTest, TestClient, TestServer, WEB } from '../mesh.ts';

/** A machine that is busy makes any request slow. */
const slowMs = 600_000;
const ALL = { config: { telemetry: { sampleRatio: 1, slowMs } } };
const NONE = { config: { telemetry: { sampleRatio: 0, slowMs } } };

/** An application that remembers heads, and answers each with the status that its path asks for. */
async function startApp(heads: string[]): Promise<TestServer> {
  return TestServer.tcp((socket) => {
    socket.setEncoding('latin1');
    let text = '';
    socket.on('data', (chunk: unknown) => {
      text += String(chunk);
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        heads.push(head);
        const status = /^\S+ \/(\d{3})/.exec(head)?.[1] ?? '200';
        socket.write(`HTTP/1.1 ${status} X\r\nServer: own/1.0\r\nContent-Length: 2\r\n\r\nok`);
      }
    });
  });
}

async function ask(client: TestClient, path: string, lines = ''): Promise<void> {
  client.received = '';
  client.send(`GET ${path} HTTP/1.1\r\nHost: cart.shop\r\nUser-Agent: tester/2\r\n${lines}\r\n`);
  await client.until(/\r\n\r\nok$/);
}

function lineOf(head: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1] ?? '';
}

async function pairOf(mesh: Mesh): Promise<readonly [outbound: RequestRecord, inbound: RequestRecord]> {
  await eventually(() => mesh.a.records.length > 0 && mesh.b.records.length > 0);
  return [mesh.a.records[0]!, mesh.b.records[0]!];
}

test('a request over two hops is told of by both, as one trace that the application goes on with', async () => {
  const heads: string[] = [];
  await using app = await startApp(heads);
  await using mesh = await Mesh.start(app.port, ALL);
  using client = await TestClient.connect(mesh.port);
  await ask(client, '/v1/items?page=2');
  const [outbound, inbound] = await pairOf(mesh);
  expect(outbound).toMatchObject({
    direction: 'outbound',
    source: WEB,
    sourceService: 'shop/web',
    destination: 'shop/cart',
    protocol: 'http',
    method: 'GET',
    authority: 'cart.shop',
    path: '/v1/items',
    route: '/v1/items',
    status: 200,
    grpcStatus: null,
    reason: '',
    endpoint: `127.0.0.1:${app.port}`,
    version: '1',
    userAgent: 'tester/2',
    server: 'own/1.0',
    parentSpanId: '',
    kept: { sampled: true, failed: false, slow: false, tapped: false },
  });
  expect(inbound).toMatchObject({
    direction: 'inbound',
    source: WEB,
    sourceService: '',
    path: '/v1/items',
    status: 200,
  });
  expect(outbound.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(inbound.traceId).toBe(outbound.traceId);
  expect(inbound.parentSpanId).toBe(outbound.spanId);
  expect(lineOf(heads[0]!, 'traceparent')).toBe(`00-${inbound.traceId}-${inbound.spanId}-01`);
  expect(outbound.steps.map(({ kind }) => kind)).toContain('attempt');
});

test('records of both hops name the route that the path belongs to', async () => {
  await using app = await startApp([]);
  await using mesh = await Mesh.start(app.port, ALL);
  using client = await TestClient.connect(mesh.port);
  await ask(client, '/v1/carts/8472/items?page=2');
  for (const { path, route } of await pairOf(mesh))
    expect([path, route]).toEqual(['/v1/carts/8472/items', '/v1/carts/{id}/items']);
});

test('a request that fails is told of by both hops whatever was decided about its trace', async () => {
  await using app = await startApp([]);
  await using mesh = await Mesh.start(app.port, NONE);
  using client = await TestClient.connect(mesh.port);
  await ask(client, '/200');
  await ask(client, '/503');
  const [outbound, inbound] = await pairOf(mesh);
  expect([mesh.a.records.length, mesh.b.records.length]).toEqual([1, 1]);
  for (const record of [outbound, inbound]) {
    expect(record).toMatchObject({ path: '/503', status: 503, reason: '', server: 'own/1.0' });
    expect(record.kept).toEqual({ sampled: false, failed: true, slow: false, tapped: false });
  }
  expect([inbound.traceId, inbound.parentSpanId]).toEqual([outbound.traceId, outbound.spanId]);
});

test('a request that the mesh refuses is told of with the reason', async () => {
  await using mesh = await Mesh.start(1, NONE);
  using client = await TestClient.connect(mesh.port);
  client.send('GET /x HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/weft-reason: app-unreachable/);
  const [outbound, inbound] = await pairOf(mesh);
  expect(outbound).toMatchObject({ status: 503, reason: 'app-unreachable', path: '/x' });
  expect(inbound).toMatchObject({ status: 503, reason: 'app-unreachable', parentSpanId: outbound.spanId });
});

test('a request that cannot be read is told of without a path', async () => {
  await using app = await startApp([]);
  await using mesh = await Mesh.start(app.port, NONE);
  using client = await TestClient.connect(mesh.port);
  client.send('GET /x HTTP/1.1\r\n\r\n');
  await client.until(/missing-host/);
  await eventually(() => mesh.a.records.length > 0);
  expect(mesh.a.records[0]).toMatchObject({
    status: 400,
    reason: 'missing-host',
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
});

test('what the caller decided about its trace is followed, and its context is continued', async () => {
  const heads: string[] = [];
  await using app = await startApp(heads);
  await using mesh = await Mesh.start(app.port, NONE);
  using client = await TestClient.connect(mesh.port);
  const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  await ask(client, '/1', `Traceparent: 00-${traceId}-${spanId}-01\r\ntracestate: v=1\r\n`);
  const [outbound, inbound] = await pairOf(mesh);
  expect(outbound).toMatchObject({ traceId, parentSpanId: spanId });
  expect(inbound).toMatchObject({ traceId, parentSpanId: outbound.spanId });
  expect(lineOf(heads[0]!, 'traceparent')).toBe(`00-${traceId}-${inbound.spanId}-01`);
  expect(lineOf(heads[0]!, 'tracestate')).toBe('v=1');
});

test('a context that cannot be read is replaced by one that the application can read', async () => {
  const heads: string[] = [];
  await using app = await startApp(heads);
  await using mesh = await Mesh.start(app.port, NONE);
  using client = await TestClient.connect(mesh.port);
  await ask(client, '/1', 'traceparent: 00-XYZ-b7ad6b7169203331-01\r\n');
  expect(heads[0]!.match(/^traceparent: /gim)).toHaveLength(1);
  expect(lineOf(heads[0]!, 'traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});

test('more failures in a second than are told of are counted', async () => {
  await using app = await startApp([]);
  const telemetry = { sampleRatio: 0, maxFailedPerSecond: 2, slowMs };
  await using mesh = await Mesh.start(app.port, { config: { telemetry } });
  using client = await TestClient.connect(mesh.port);
  const startedAtMs = performance.now();
  for (let i = 0; i < 10; i++) await ask(client, '/500');
  const seconds = Math.ceil((performance.now() - startedAtMs) / 1_000);
  await mesh.a.proxy.close(0); // tells what it has yet to tell
  const { recordsKept, recordsDropped } = mesh.a.reader.counters();
  expect(recordsKept + recordsDropped).toBe(10);
  expect(recordsKept).toBe(mesh.a.records.length);
  expect(recordsKept).toBeGreaterThanOrEqual(2);
  expect(recordsKept).toBeLessThanOrEqual(2 * (seconds + 1));
});

test('a batch that is full takes no more', async () => {
  await using app = await startApp([]);
  await using mesh = await Mesh.start(app.port, { config: { telemetry: { sampleRatio: 1, maxBatch: 1 } } });
  using client = await TestClient.connect(mesh.port);
  // Sent at once, so that all of them end within one batch's time.
  client.send('GET /1 HTTP/1.1\r\nHost: cart\r\n\r\n'.repeat(20));
  await client.until(/(?:HTTP[\s\S]*?ok){20}/);
  await mesh.a.proxy.close(0);
  const { recordsKept, recordsDropped } = mesh.a.reader.counters();
  expect(recordsKept + recordsDropped).toBe(20);
  expect(recordsDropped).toBeGreaterThan(0);
});

test('what a tap watches is told of, and nothing else, until its time is over', async () => {
  await using app = await startApp([]);
  await using mesh = await Mesh.start(app.port, NONE);
  using client = await TestClient.connect(mesh.port);
  const untilMs = Date.now() + 60_000;
  mesh.a.proxy.watch([
    { id: 't', destinations: ['shop/cart'], method: 'GET', pathPrefix: '/v1', statusClass: 2, untilMs },
  ]);
  await ask(client, '/v2/no');
  await ask(client, '/v1/yes');
  await eventually(() => mesh.a.records.length > 0);
  expect(mesh.a.records.map(({ path, kept }) => [path, kept.tapped])).toEqual([['/v1/yes', true]]);
  expect(mesh.b.records).toEqual([]);
  mesh.a.proxy.watch([{ id: 't', untilMs: Date.now() - 1 }]);
  await ask(client, '/v1/late');
  await mesh.a.proxy.close(0);
  expect(mesh.a.records).toHaveLength(1);
});

test.each<[what: string, filter: Partial<TapFilter>, told: readonly string[]]>([
  ['either side by its name alone', { services: ['web', 'pay'] }, ['/a', '/b', '/b']],
  ['nobody who calls here', { services: ['pay'] }, []],
  ['a caller by its identity', { sources: [WEB] }, ['/a', '/b', '/b']],
  ['another caller', { sources: ['shop/pay'] }, []],
  ['a method and a path', { method: 'GET', pathPrefix: '/b' }, ['/b', '/b']],
  ['requests of a user', { users: ['ada'] }, ['/b']],
  ['what takes longer than anything does', { minMs: 3_600_000 }, []],
])('workers watch %s', async (_what, filter, told) => {
  await using app = await startApp([]);
  const telemetry = { sampleRatio: 0, slowMs, userHeader: 'x-user' };
  await using mesh = await Mesh.start(app.port, { config: { telemetry } });
  using client = await TestClient.connect(mesh.port);
  const taps = [{ id: 't', ...filter, untilMs: Date.now() + 60_000 }];
  for (const { proxy } of [mesh.a, mesh.b]) proxy.watch(taps);
  await ask(client, '/a?q=/b', 'x-user: bob\r\n');
  await ask(client, '/b', 'X-User: ada\r\n');
  await ask(client, '/b', 'x-user: bob\r\n');
  for (const { proxy, records } of [mesh.a, mesh.b]) {
    await proxy.close(0); // tells what it has yet to tell
    expect(records.map(({ path }) => path)).toEqual(told);
  }
});

test('the user is what a claim of the token says, and no part of a token is kept', async () => {
  await using app = await startApp([]);
  const telemetry = { sampleRatio: 1, slowMs, userClaim: 'email' };
  await using mesh = await Mesh.start(app.port, { config: { telemetry } });
  using client = await TestClient.connect(mesh.port);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'RS256' })}.${part({ sub: '7', email: 'ada@shop.example' })}.c2lnbmVk`;
  await ask(client, '/token', `Authorization: Bearer ${token}\r\n`);
  await ask(client, '/basic', 'Authorization: Basic YWRhOnNlY3JldA==\r\n');
  await ask(client, '/broken', `Authorization: Bearer ${part({})}.bm90IGpzb24.x\r\n`);
  await eventually(() => mesh.b.records.length === 3 && mesh.a.records.length === 3);
  for (const { records } of [mesh.a, mesh.b]) {
    expect(records.map(({ user }) => user)).toEqual(['ada@shop.example', '', '']);
    expect(JSON.stringify(records)).not.toMatch(/eyJ|Bearer|YWRh/);
  }
});

test('traces of some users are all told of, from where they begin', async () => {
  const heads: string[] = [];
  await using app = await startApp(heads);
  const telemetry = { sampleRatio: 0, slowMs, userHeader: 'x-user', sampleUsers: ['ada'] };
  await using mesh = await Mesh.start(app.port, { config: { telemetry } });
  using client = await TestClient.connect(mesh.port);
  await ask(client, '/bob', 'x-user: bob\r\n');
  await ask(client, '/nobody');
  await ask(client, '/decided', `x-user: ada\r\ntraceparent: 00-${'1'.repeat(32)}-${'2'.repeat(16)}-00\r\n`);
  await ask(client, '/ada', 'x-user: ada\r\n');
  const [outbound, inbound] = await pairOf(mesh);
  expect([mesh.a.records.length, mesh.b.records.length]).toEqual([1, 1]);
  expect([outbound.path, outbound.user, outbound.kept.sampled]).toEqual(['/ada', 'ada', true]);
  expect(lineOf(heads.at(-1)!, 'traceparent')).toBe(`00-${outbound.traceId}-${inbound.spanId}-01`);
});

test('a request that another endpoint answered names both attempts', async () => {
  await using app = await startApp([]);
  await using mesh = await Mesh.start(1, ALL);
  mesh.add(app.port);
  using client = await TestClient.connect(mesh.port);
  // Until the one that nobody listens on was picked first, which one of two is.
  do await ask(client, '/1');
  while (mesh.failures()['app-unreachable'] === undefined);
  await eventually(() => mesh.a.records.some(({ steps }) => steps.length > 2));
  const { steps, endpoint } = mesh.a.records.find(({ steps }) => steps.length > 2)!;
  const attempts = steps.filter(({ kind }) => kind === 'attempt');
  expect(endpoint).toBe(`127.0.0.1:${app.port}`);
  expect(attempts.at(-1)).toMatchObject({ subject: endpoint, status: 200, reason: '' });
  expect(attempts[0]).toMatchObject({ subject: '127.0.0.1:1', status: 503 });
});

test('a call within a node is told of from both ends, and the application goes on from the second', async () => {
  const heads: string[] = [];
  await using app = await startApp(heads);
  await using mesh = await Mesh.start(app.port, ALL);
  const { proxy, records } = mesh.b;
  const web = mesh.web(mesh.mint(WEB, mesh.nodeB));
  proxy.apply(mesh.update({ workloads: [web], endpoints: [mesh.endpoint()] }));
  using client = await TestClient.connect(await mesh.listenExplicit('local', mesh.b));
  await ask(client, '/503');
  await eventually(() => records.length > 0);
  const [outbound, inbound] = records;
  expect(outbound).toMatchObject({ direction: 'outbound', status: 503, sourceService: 'shop/web', parentSpanId: '' });
  const parentSpanId = outbound!.spanId;
  expect(inbound).toMatchObject({ direction: 'inbound', status: 503, sourceService: 'shop/web', parentSpanId });
  expect(lineOf(heads[0]!, 'traceparent')).toBe(`00-${outbound!.traceId}-${inbound!.spanId}-01`);
});

test('a connection of bytes is told of when it is over, by both hops', async () => {
  await using app = await TestServer.tcp((socket) => socket.on('data', () => socket.end('bye')));
  await using mesh = await Mesh.start(app.port, { ...ALL, protocol: 'tcp' });
  using client = await TestClient.connect(mesh.port);
  client.send('hello');
  await client.until(/bye/);
  client.socket.end();
  const [outbound, inbound] = await pairOf(mesh);
  for (const record of [outbound, inbound]) {
    expect(record).toMatchObject({ protocol: 'tcp', source: WEB, destination: 'shop/cart', reason: '', status: 0 });
    expect([record.bytesReceived, record.bytesSent]).toEqual([5, 3]);
  }
  expect(outbound.endpoint).toBe(`127.0.0.1:${app.port}`);
  expect(outbound.parentSpanId).toBe('');
  expect([inbound.traceId, inbound.parentSpanId]).toEqual([outbound.traceId, outbound.spanId]);
});

test('hops of connections that are sampled by a share are told of by both ends or by neither', async () => {
  await using app = await TestServer.tcp((socket) => socket.on('data', () => socket.end('bye')));
  const config = { telemetry: { sampleRatio: 0.5, slowMs } };
  await using mesh = await Mesh.start(app.port, { config, protocol: 'tcp' });
  const count = 40;
  for (let i = 0; i < count; i++) {
    using client = await TestClient.connect(mesh.port);
    client.send('hello');
    await client.until(/bye/);
    client.socket.end();
  }
  const closed = ({ reader }: ProxyUnderTest): boolean =>
    reader
      .series()
      .every(({ connectionsOpened, connectionsActive }) => connectionsOpened === count && connectionsActive === 0);
  await eventually(() => closed(mesh.a) && closed(mesh.b));
  for (const { proxy } of [mesh.a, mesh.b]) await proxy.close(0);
  const traces = ({ records }: ProxyUnderTest): string[] => records.map(({ traceId }) => traceId).sort();
  expect(traces(mesh.b)).toEqual(traces(mesh.a));
  expect(new Set(traces(mesh.a)).size).toBe(mesh.a.records.length);
  expect(mesh.a.records.length).toBeGreaterThan(0); // all or none of 40: once in 5e11 runs
  expect(mesh.a.records.length).toBeLessThan(count);
});

test('a connection of bytes that no application takes is told of with the reason', async () => {
  await using mesh = await Mesh.start(1, { ...NONE, protocol: 'tcp' });
  using client = await TestClient.connect(mesh.port);
  await client.closed();
  await eventually(() => mesh.b.records.length > 0);
  expect(mesh.b.records[0]).toMatchObject({ protocol: 'tcp', reason: 'app-unreachable', endpoint: '' });
  expect(mesh.b.records[0]!.parentSpanId).toMatch(/^[0-9a-f]{16}$/);
});
