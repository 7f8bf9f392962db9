/** What routes do to requests and responses, as applications and clients see it on the wire. */

import { once } from 'node:events';
import http2 from 'node:http2';
import { expect, test } from 'vitest';
import { rules as accessRules, deny, operation } from '../access/policies.ts';
import { eventually, Mesh, TestClient, TestServer } from '../mesh.ts';
import { app, ask, match, prefix, routes, routesOf, rule, settled, statuses, to } from './support.ts';

const EDITS = {
  actions: {
    requestHeaders: { set: [['X-Set', 'rule']], add: [['X-Add', 'rule']], remove: ['x-gone'] },
    responseHeaders: { set: [['X-Told', 'rule']], add: [], remove: ['x-nth'] },
  },
  backends: [
    to('cart', {
      requestHeaders: { set: [], add: [['X-Add', 'backend']], remove: [] },
      responseHeaders: { set: [['X-By', 'backend']], add: [], remove: [] },
    }),
  ],
} as const;

test('edits of rule and backend, on HTTP/1.1', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(routes(rule('r', EDITS)));
  const told = await ask(mesh.port, { headers: { 'x-set': 'mine', 'x-gone': 'mine', 'x-kept': 'mine' } });
  expect(cart.asked[0]?.headers).toMatchObject({ 'x-set': 'rule', 'x-add': 'rule, backend', 'x-kept': 'mine' });
  expect(cart.asked[0]?.headers['x-gone']).toBeUndefined();
  expect(told.headers).toMatchObject({ 'x-told': 'rule', 'x-by': 'backend' });
  expect(told.headers['x-nth']).toBeUndefined();
  await settled(mesh);
});

test('edits of rule and backend, on HTTP/2, and again for each attempt', async () => {
  const seen: http2.IncomingHttpHeaders[] = [];
  const server = http2.createServer();
  server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
    seen.push(headers);
    stream.respond({ ':status': seen.length === 1 ? 503 : 200, 'x-nth': seen.length }, { endStream: true });
  });
  await using cart = await TestServer.of(server);
  await using mesh = await Mesh.start(cart.port, { protocol: 'http2' });
  mesh.rule(routes(rule('r', { ...EDITS, retry: { codes: [503], backoffMs: 0 } })));
  const session = http2.connect(`http://127.0.0.1:${mesh.port}`);
  const stream = session.request({ ':path': '/', 'x-set': 'mine', 'x-gone': 'mine' });
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  session.close();
  expect(headers).toMatchObject({ ':status': 200, 'x-told': 'rule', 'x-by': 'backend' });
  expect(headers['x-nth']).toBeUndefined();
  expect(seen.length).toBe(2);
  for (const one of seen) {
    expect(one).toMatchObject({ 'x-set': 'rule', 'x-add': 'rule, backend' });
    expect(one['x-gone']).toBeUndefined();
  }
  await settled(mesh);
});

test('path and host are rewritten, on each attempt alike', async () => {
  const hosts: string[][] = [];
  await using cart = await app((response, nth, request) => {
    hosts.push(request.rawHeaders.filter((_, i) => request.rawHeaders[i - 1]?.toLowerCase() === 'host'));
    response.writeHead(nth === 1 ? 503 : 200).end();
  });
  await using mesh = await Mesh.start(cart.port);
  const rewrite = { hostname: 'inner.example', path: { type: 'prefix', value: '/v2' } } as const;
  const retry = { codes: [503], backoffMs: 0 };
  mesh.rule(routes(rule('r', { matches: [prefix('/api')], actions: { rewrite }, retry })));
  expect((await ask(mesh.port, { path: '/api/items?q=1' })).status).toBe(200);
  expect(cart.asked.map(({ url }) => url)).toEqual(['/v2/items?q=1', '/v2/items?q=1']);
  expect(hosts).toEqual([['inner.example'], ['inner.example']]);
});

test.each(['GET', 'HEAD'])('%s is redirected', async (method) => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  const redirect = { hostname: 'new.example', scheme: 'https', status: 308 } as const;
  mesh.rule(routes(rule('r', { actions: { redirect }, backends: [] })));
  const told = await ask(mesh.port, { method, path: '/a?b=c' });
  expect([told.status, told.headers.location, told.body]).toEqual([308, 'https://new.example/a?b=c', '']);
  expect(cart.asked.length).toBe(0);
});

test.each([
  ['GET', 'héllo'],
  ['HEAD', ''],
])('a rule answers %s by itself, and the connection goes on', async (method, body) => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  const respond = { status: 418, contentType: 'text/plain', body: 'héllo' };
  mesh.rule(routes(rule('r', { matches: [prefix('/tea')], actions: { respond }, backends: [] }), rule('rest')));
  using client = await TestClient.connect(mesh.port);
  client.send(`${method} /tea HTTP/1.1\r\nHost: cart\r\n\r\nGET / HTTP/1.1\r\nHost: cart\r\n\r\n`);
  await client.until(/answer 1/);
  const bytes = Buffer.from(client.received, 'latin1').toString('utf8');
  expect(bytes).toMatch(new RegExp(`^HTTP/1\\.1 418 [\\s\\S]*content-length: 6\r\n\r\n${body}HTTP/1\\.1 200`));
});

test('a preflight is answered here, and what the application says of origins is replaced', async () => {
  await using cart = await app((response) => response.setHeader('access-control-allow-origin', 'https://x').end());
  await using mesh = await Mesh.start(cart.port);
  const cors = {
    allowOrigins: ['https://*.example'],
    allowMethods: ['PUT'],
    allowHeaders: ['x-a'],
    exposeHeaders: [],
    allowCredentials: true,
    maxAgeSeconds: 60,
  };
  mesh.rule(routes(rule('r', { actions: { cors } })));
  const headers = { origin: 'https://shop.example', 'access-control-request-method': 'PUT' };
  const told = await ask(mesh.port, { method: 'OPTIONS', headers });
  expect([told.status, told.headers['access-control-allow-methods'], cart.asked.length]).toEqual([204, 'PUT', 0]);
  const answer = await ask(mesh.port, { headers: { origin: 'https://shop.example' } });
  expect(answer.headers['access-control-allow-origin']).toBe('https://shop.example');
});

test('what no rule fits is told so; a backend that cannot be used is a 500', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  const bad = rule('bad', { matches: [prefix('/bad')], backends: [to('cart', { problem: 'no ReferenceGrant' })] });
  mesh.rule(routes(bad, rule('r', { matches: [prefix('/in')] })));
  const [none, broken, well] = [
    await ask(mesh.port),
    await ask(mesh.port, { path: '/bad' }),
    await ask(mesh.port, { path: '/in' }),
  ];
  expect([none.status, none.headers['weft-reason']]).toEqual([404, 'no-route']);
  expect([broken.status, broken.headers['weft-reason']]).toEqual([500, 'bad-backend']);
  expect(well.status).toBe(200);
});

test('a call of gRPC is told in its own terms that no rule fits', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  mesh.rule(routes(rule('r', { matches: [prefix('/in')] })));
  const told = await ask(mesh.port, { method: 'POST', headers: { 'content-type': 'application/grpc' } });
  expect([told.status, told.trailers['grpc-status'], told.headers['weft-reason']]).toEqual([200, '12', 'no-route']);
});

test('traffic is shared by weight, and callers of a namespace may have routes of their own', async () => {
  await using cart = await app((response) => response.end('cart'));
  await using next = await app((response) => response.end('next'));
  let n = 0;
  const random = () => (n++ % 20) / 20;
  await using mesh = await Mesh.start(cart.port, { worker: { random } });
  mesh.add(next.port, { service: 'next' });
  mesh.rule(routes(rule('r', { backends: [to('cart', { weight: 3 }), to('next', { weight: 1 })] })));
  for (let i = 0; i < 200; i++) await ask(mesh.port);
  expect(next.asked.length).toBeGreaterThan(25);
  expect(next.asked.length).toBeLessThan(75);
  const own = routesOf([rule('own', { backends: [to('next')] })], { consumer: 'shop' });
  const all = routes(rule('r'));
  mesh.rule({ ...all, routes: [...all.routes, own] });
  expect((await ask(mesh.port)).body).toBe('next');
});

test('a copy goes elsewhere with its body, and nobody waits for it', async () => {
  await using cart = await statuses(200);
  await using shadow = await app(() => undefined); // never answers
  await using mesh = await Mesh.start(cart.port);
  mesh.add(shadow.port, { service: 'shadow' });
  const mirrors = [{ backend: to('shadow'), percent: 100 }];
  mesh.rule(routes(rule('r', { actions: { mirrors, rewrite: { path: { type: 'full', value: '/new' } } } })));
  expect((await ask(mesh.port, { method: 'POST', path: '/old', body: 'copied' })).status).toBe(200);
  await eventually(() => shadow.asked.length === 1);
  expect(shadow.asked[0]).toMatchObject({ method: 'POST', url: '/new', body: 'copied' });
  expect(shadow.asked[0]?.headers['x-weft-mirror']).toBe('true');
  expect(cart.asked[0]?.headers['x-weft-mirror']).toBeUndefined();
});

test('a copy that goes nowhere, and one that is too long, disturb nothing', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  const gone = await statuses(200);
  mesh.add(gone.port, { service: 'shadow' });
  mesh.rule(routes(rule('r', { actions: { mirrors: [{ backend: to('shadow'), percent: 100 }] } })));
  const long = 'x'.repeat(200_000);
  const headers = { 'transfer-encoding': 'chunked' };
  expect((await ask(mesh.port, { method: 'POST', body: long, headers })).status).toBe(200);
  expect(gone.asked.length).toBe(0);
  await gone[Symbol.asyncDispose]();
  expect((await ask(mesh.port, { method: 'POST', body: 'x' })).status).toBe(200);
  expect(cart.asked.map(({ body }) => body.length)).toEqual([200_000, 1]);
  await settled(mesh, 'shop/shadow');
});

test.each(['a', 'b'] as const)(
  'rules about access see the request as routes make it (application on node %s)',
  async (node) => {
    await using cart = await statuses(200);
    await using other = await statuses(200);
    await using mesh = await Mesh.start(cart.port);
    mesh.add(other.port, { service: 'other', node });
    const headers = [{ name: 'x-role', values: ['admin'], isNot: false }];
    const access = accessRules([
      deny('p', { to: [operation({ paths: ['/inner/secret'] })] }),
      deny('h', { to: [operation({ headers })] }),
    ]);
    const { proxy } = node === 'a' ? mesh.a : mesh.b;
    proxy.apply({ version: 100, access });
    const backends = [to('other')];
    const rewrite = { path: { type: 'prefix', value: '/inner' } } as const;
    const set = { set: [['x-role', 'admin']], add: [], remove: [] } as const;
    const remove = { set: [], add: [], remove: ['x-role'] } as const;
    mesh.rule(
      routes(
        rule('path', { matches: [prefix('/out')], actions: { rewrite }, backends }),
        rule('set', { matches: [prefix('/set')], actions: { requestHeaders: set }, backends }),
        rule('remove', { matches: [prefix('/remove')], actions: { requestHeaders: remove }, backends }),
      ),
    );
    const status = async (path: string, asked = {}) => (await ask(mesh.port, { path, headers: asked })).status;
    expect(await status('/out/secret')).toBe(403);
    expect(await status('/out/open')).toBe(200);
    expect(await status('/set')).toBe(403);
    expect(await status('/remove', { 'x-role': 'admin' })).toBe(200);
    expect(await status('/out/open', { 'x-role': 'admin' })).toBe(403);
  },
);

test('a rule about one caller, method or header is met by those alone', async () => {
  await using cart = await statuses(200);
  await using mesh = await Mesh.start(cart.port);
  const headers = [{ name: 'x-beta', type: 'exact', value: '1', isNot: false }] as const;
  const respond = { status: 299, contentType: 'text/plain', body: '' };
  mesh.rule(routes(rule('beta', { matches: [match({ method: 'PUT', headers })], actions: { respond } }), rule('rest')));
  expect((await ask(mesh.port, { method: 'PUT', headers: { 'x-beta': '1' } })).status).toBe(299);
  expect((await ask(mesh.port, { headers: { 'x-beta': '1' } })).status).toBe(200);
});
