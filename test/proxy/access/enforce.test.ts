/** Access rules on real connections: who is let in, what the others are told, and what happens when rules change. @module */

import { once } from 'node:events';
import http from 'node:http';
import type net from 'node:net';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import type { AccessPolicy, AccessRules } from '../../../proxy/access/policy.ts';
import { ALPN, endpointServerName } from '../../../proxy/snapshot.ts';
import { plainSockets } from '../../../proxy/sockets.ts';
import { eventually, Mesh, TestClient, TestServer, WEB } from '../mesh.ts';
import { allow, deny, operation, rules, source } from './policies.ts';

const NOT_WEB = deny('not-web', { from: [source({ identities: [WEB] })] });
const OPEN = rules([]);

/** Answers with the request line it got. */
function application(): Promise<TestServer> {
  return TestServer.of(http.createServer(({ method, url }, response) => response.end(`app ${method} ${url}`)));
}

function enforce(mesh: Mesh, access: AccessRules): void {
  mesh.b.proxy.apply({ version: 100, access });
}

async function get(
  port: number,
  path = '/',
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> {
  const request = http.get({ port, host: '127.0.0.1', path, agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let body = '';
  response.setEncoding('latin1').on('data', (text: string) => {
    body += text;
  });
  await once(response, 'end');
  return { status: response.statusCode!, headers: response.headers, body };
}

/** A caller that speaks to the tunnel listener itself, with the certificate of `web`. */
async function dialTunnel(mesh: Mesh, alpn: string): Promise<tls.TLSSocket> {
  const svid = mesh.mint(WEB);
  const socket = tls.connect({
    port: mesh.tunnelPort,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername: endpointServerName(mesh.appPort, 'cart', 'shop'),
    ALPNProtocols: [alpn],
    cert: svid.certificateChainPem,
    key: svid.privateKeyPem,
  });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

/** Sends bytes as they are and gives back all that came until the answer was whole or the connection closed. */
async function raw(mesh: Mesh, text: string): Promise<string> {
  const socket = await dialTunnel(mesh, ALPN.http1);
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    received += chunk;
  });
  socket.write(text, 'latin1');
  await eventually(() => socket.closed || /\r\n\r\n.*(app|weft: )/s.test(received));
  socket.destroy();
  return received;
}

function hits(mesh: Mesh): Record<string, number> {
  return Object.fromEntries(
    mesh.b.reader
      .access()
      .map(({ labels, count }) => [labels.kind === 'rule' ? `${labels.policy}/${labels.rule}` : labels.source, count]),
  );
}

test('a caller whom a DENY names is told which rule it was, and the rule is counted', async () => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  expect((await get(mesh.port)).body).toBe('app GET /');
  enforce(mesh, rules([NOT_WEB]));
  const answer = await get(mesh.port);
  expect(answer.status).toBe(403);
  expect(answer.headers['weft-reason']).toBe('access-denied');
  expect(answer.headers['weft-policy']).toBe('shop/not-web/r0');
  expect(answer.headers['weft-node']).toBe('b');
  expect(hits(mesh)).toEqual({ 'shop/not-web/r0': 1 });
  expect(mesh.failures()['access-denied']).toBe(1);
  enforce(mesh, OPEN);
  expect((await get(mesh.port)).status).toBe(200);
});

test('what no ALLOW names is refused, and so is everything where the default is DENY', async () => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  const read = allow('read', { from: [source({ namespaces: ['shop'] })], to: [operation({ paths: ['/items/*'] })] });
  enforce(mesh, rules([read]));
  expect((await get(mesh.port, '/items/1')).status).toBe(200);
  expect((await get(mesh.port, '/admin')).headers['weft-policy']).toBe('no-allow');
  enforce(mesh, rules([], { defaultAction: 'DENY' }));
  expect((await get(mesh.port, '/items/1')).headers['weft-policy']).toBe('default');
});

test('rules that change reach requests on connections that are open', async () => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  const ask = async (expected: RegExp): Promise<void> => {
    client.received = '';
    client.send('GET /x HTTP/1.1\r\nHost: cart\r\n\r\n');
    await client.until(expected);
  };
  await ask(/app GET/);
  enforce(mesh, rules([deny('x', { to: [operation({ paths: ['/x'] })] })]));
  await ask(/403 .*weft-policy: shop\/x\/r0/s);
  enforce(mesh, OPEN);
  await ask(/app GET/);
});

test('a connection of one whom nothing lets in any more finishes its request and closes', async () => {
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  let asked = 0;
  await using app = await TestServer.of(
    http.createServer((_request, response) => {
      asked++;
      void answered.then(() => response.end('app at last'));
    }),
  );
  await using mesh = await Mesh.start(app.port);
  const idle = await dialTunnel(mesh, ALPN.http1);
  idle.resume();
  const busy = await dialTunnel(mesh, ALPN.http1);
  let received = '';
  busy.setEncoding('latin1').on('data', (chunk: string) => {
    received += chunk;
  });
  busy.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await eventually(() => asked === 1);
  enforce(mesh, rules([NOT_WEB]));
  await once(idle, 'end');
  expect(received).toBe('');
  answer();
  await once(busy, 'end');
  expect(received).toMatch(/^HTTP\/1\.1 200 .*app at last/s);
  expect(mesh.b.reader.counters().accessShut).toBe(2);
  idle.destroy();
  busy.destroy();
});

test('opaque connections are judged when they are made, and again when rules change', async () => {
  await using app = await TestServer.tcp((socket) => socket.pipe(socket));
  await using mesh = await Mesh.start(app.port, { protocol: 'tcp' });
  using client = await TestClient.connect(mesh.port);
  client.send('hello');
  await client.until(/hello/);
  enforce(mesh, rules([allow('web', { from: [source({ identities: [WEB] })] })]));
  client.send(' again');
  await client.until(/again/);
  enforce(mesh, rules([NOT_WEB]));
  await client.closed();
  expect(client.error?.code).toBe('ECONNRESET');
  using second = await TestClient.connect(mesh.port);
  await second.closed();
  expect(second.error?.code).toBe('ECONNRESET');
  expect(app.accepted).toBe(1);
  expect(mesh.failures()['access-denied']).toBe(3); // the second one at both ends, where it is told why
});

test('new rules reach connections whose workload has gone', async () => {
  await using app = await TestServer.tcp((socket) => socket.pipe(socket));
  await using mesh = await Mesh.start(app.port, { protocol: 'tcp' });
  using client = await TestClient.connect(mesh.port);
  client.send('hello');
  await client.until(/hello/);
  mesh.b.proxy.apply({ version: 99, workloads: { upsert: [], remove: ['cart'] } });
  client.send(' again');
  await client.until(/again/);
  enforce(mesh, rules([NOT_WEB]));
  await client.closed();
});

test('bytes under another protocol do not slip past rules about requests', async () => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  enforce(mesh, rules([deny('admin', { to: [operation({ paths: ['/admin'] })] })]));
  const socket = await dialTunnel(mesh, ALPN.tcp);
  socket.write('GET /admin HTTP/1.1\r\nHost: cart\r\n\r\n');
  await eventually(() => socket.closed);
  expect(app.accepted).toBe(0);
});

test('an upgraded connection is judged again by the request that upgraded it', async () => {
  await using app = await TestServer.of(
    http.createServer().on('upgrade', (_request, socket: net.Socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.pipe(socket);
    }),
  );
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('GET /live HTTP/1.1\r\nHost: cart\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await client.until(/101 /);
  client.send('ping');
  await client.until(/ping/);
  enforce(mesh, rules([deny('other', { to: [operation({ paths: ['/other'] })] })]));
  client.send('pong');
  await client.until(/pong/);
  enforce(mesh, rules([deny('live', { to: [operation({ paths: ['/live'] })] })]));
  await client.closed();
  expect(mesh.failures()['access-denied']).toBe(1);
});

test('rules begin and end with their time', async () => {
  await using app = await TestServer.tcp((socket) => socket.pipe(socket));
  await using mesh = await Mesh.start(app.port, { protocol: 'tcp' });
  using client = await TestClient.connect(mesh.port);
  client.send('hello');
  await client.until(/hello/);
  const soon: AccessPolicy = { ...NOT_WEB, validFromMs: Date.now() + 60 };
  enforce(mesh, rules([soon]));
  await client.closed();
  expect(Date.now()).toBeGreaterThanOrEqual(soon.validFromMs!);
});

test('rules that cannot be compiled change nothing', async () => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  enforce(mesh, rules([NOT_WEB]));
  enforce(mesh, rules([deny('bad', { from: [source({ cidrs: ['nonsense'] })] })]));
  expect((await get(mesh.port)).status).toBe(403);
  expect(mesh.b.reader.counters().updatesRefused).toBe(1);
});

test('what a response says about policies is the mesh speaking, not the application', async () => {
  await using app = await TestServer.of(
    http.createServer((_request, response) => response.setHeader('weft-policy', 'forged').end('app')),
  );
  await using mesh = await Mesh.start(app.port);
  expect((await get(mesh.port)).headers['weft-policy']).toBeUndefined();
});

test('labels of callers come from the register', async () => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  const canary = source({ labels: { track: 'canary' } });
  enforce(mesh, rules([allow('canary', { from: [canary] })]));
  const caller = mesh.endpoint({
    id: 'a/web/http',
    service: 'web',
    identity: WEB,
    port: 1,
    labels: { track: 'canary' },
  });
  expect((await get(mesh.port)).status).toBe(403);
  mesh.b.proxy.apply({ version: 101, endpoints: { upsert: [caller], remove: [] } });
  expect((await get(mesh.port)).status).toBe(200);
  mesh.b.proxy.apply({ version: 102, endpoints: { upsert: [{ ...caller, labels: {} }], remove: [] } });
  expect((await get(mesh.port)).status).toBe(403);
});

// Path tricks. The rule is a DENY of /admin and below, in all its spellings.

const ADMIN = rules([deny('admin', { to: [operation({ paths: ['/admin', '/admin/*'] })] })]);

test.each([
  '/admin',
  '/admin/',
  '/ADMIN/users',
  '//admin/users',
  '/public/../admin/users',
  '/public/%2e%2e/admin/users',
  '/%61dmin/users',
  '/admin;v=1/users',
  '/public/..;/admin',
  '/public%2f..%2fadmin',
  '/public/..%5cadmin',
  '/public/..\\admin',
  '/%2561dmin',
  '/admin%00.html',
  'http://cart/admin',
  'http://cart//admin?x=/public',
])('%s is refused, and the application never sees it', async (target) => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  enforce(mesh, ADMIN);
  const answer = await raw(mesh, `GET ${target} HTTP/1.1\r\nHost: cart\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 403 .*weft-policy: shop\/admin\/r0\r\n/s);
  expect(app.accepted).toBe(0);
});

test('what goes on is what came', async () => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  enforce(mesh, ADMIN);
  for (const target of ['/public//a/%7Eb;v=1/./c?x=%2Fadmin', '/caf%C3%A9'])
    expect(await raw(mesh, `GET ${target} HTTP/1.1\r\nHost: cart\r\n\r\n`)).toContain(`app GET ${target}`);
});

test('the authority of an absolute-form target counts, not Host', async () => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  enforce(mesh, rules([deny('secret', { to: [operation({ hosts: ['secret.shop.weft'] })] })]));
  const absolute = 'GET http://secret.shop.weft/ HTTP/1.1\r\nHost: cart\r\n\r\n';
  expect(await raw(mesh, absolute)).toMatch(/^HTTP\/1\.1 403 /);
  expect(await raw(mesh, 'GET / HTTP/1.1\r\nHost: SECRET.shop.weft.:8080\r\n\r\n')).toMatch(/^HTTP\/1\.1 403 /);
  expect(await raw(mesh, 'GET http://cart/ HTTP/1.1\r\nHost: secret.shop.weft\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
});

test.each([
  ['two Hosts', 'Host: cart\r\nHost: secret\r\n', 'duplicate-host'],
  ['a folded line', 'Host: cart\r\nX-User: a\r\n b\r\n', 'obs-fold'],
])('%s never reach a rule', async (_name, fields, reason) => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  enforce(mesh, ADMIN);
  expect(await raw(mesh, `GET /public HTTP/1.1\r\n${fields}\r\n`)).toContain(`weft-reason: ${reason}\r\n`);
  expect(app.accepted).toBe(0);
});

test('a header that stays at this hop does not open the way', async () => {
  await using app = await application();
  await using mesh = await Mesh.start(app.port);
  const token = { name: 'x-token', values: ['good'], isNot: false };
  enforce(mesh, rules([allow('token', { to: [operation({ headers: [token] })] })]));
  const head = 'GET / HTTP/1.1\r\nHost: cart\r\nX-Token: good\r\n';
  expect(await raw(mesh, `${head}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await raw(mesh, `${head}Connection: x-token\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /);
  expect(await raw(mesh, `${head}X-Token: bad\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /);
});

// Plaintext from outside the mesh.

async function withPlaintext(app: TestServer) {
  const sockets = {
    ...plainSockets(),
    originalDestination: () => ({ address: '127.0.0.1', port: app.port }),
  };
  const mesh = await Mesh.start(app.port, { socketsOfB: sockets });
  const { port } = await mesh.b.proxy.listen({ id: 'plain', role: 'inbound', unit: 'host', transport: 'tcp' });
  const permissive = (untilMs: number) => [{ namespace: 'shop', service: 'cart', port: app.port, untilMs }];
  return { mesh, port, permissive };
}

const FOR_A_WHILE_MS = 3_600_000;

test('a PERMISSIVE port lets plaintext in, under the same rules, and says who still comes that way', async () => {
  await using app = await application();
  const { mesh, port, permissive } = await withPlaintext(app);
  await using _closing = mesh;
  const open = { permissive: permissive(Date.now() + FOR_A_WHILE_MS) };
  enforce(mesh, rules([], open));
  expect((await get(port, '/plain')).body).toBe('app GET /plain');
  expect(hits(mesh)).toEqual({ '127.0.0.1': 1 });
  enforce(mesh, rules([allow('mesh', { from: [source({ identities: ['*'] })] })], open));
  expect((await get(port)).headers['weft-policy']).toBe('no-allow');
  expect((await get(mesh.port)).status).toBe(200);
  const inbound = mesh.b.reader.series().map(({ labels }) => labels.source);
  expect(inbound).toContain('plaintext');
});

test('plaintext ends with its date, and with it the connections that are open', async () => {
  await using app = await application();
  const { mesh, port, permissive } = await withPlaintext(app);
  await using _closing = mesh;
  enforce(mesh, rules([], { permissive: permissive(Date.now() + FOR_A_WHILE_MS) }));
  using client = await TestClient.connect(port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/app GET/);
  enforce(mesh, rules([], { permissive: permissive(Date.now() + 60) }));
  await client.ended();
  using late = await TestClient.connect(port);
  await late.closed();
  expect(late.error?.code).toBe('ECONNRESET');
  expect(mesh.b.reader.counters().plaintextRefused).toBe(1);
});
