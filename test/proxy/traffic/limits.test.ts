/** Rate limits on real connections: where they are counted, what callers are told, and that they are exact. @module */

import http from 'node:http';
import * as grpc from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { RateLimit } from '../../../proxy/traffic/rules.ts';
import { source } from '../access/policies.ts';
import { CART, Mesh, SERVICE_PORT, TestServer, WEB } from '../mesh.ts';
import { backend, rule } from '../routing/support.ts';
import { ask, besides, limit, type Told, target, tell } from './policies.ts';

function hello(): Promise<TestServer> {
  return TestServer.of(http.createServer((_request, response) => response.end('hello')));
}

function times<T>(count: number, make: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => make(i)));
}

function statuses(told: readonly Told[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of told) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

test.each(['workload', 'caller', 'target'] as const)('a limit per %s is exact over many connections', async (per) => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  tell([mesh.a, mesh.b], mesh, { limits: [limit(per, 37)] });
  const told = await times(90, () => ask(mesh.port));
  expect(statuses(told)).toEqual({ 200: 37, 429: 53 });
  const side = per === 'target' ? mesh.a : mesh.b; // counted where it is refused
  expect([mesh.a, mesh.b].map(({ reader }) => reader.counters().rateLimited)).toEqual(
    side === mesh.a ? [53, 0] : [0, 53],
  );
  expect(mesh.failures()).toEqual({ 'rate-limited': 53 });
  const { headers, reason } = told.find(({ status }) => status === 429)!;
  expect(reason).toBe('rate-limited');
  expect(Number(headers['retry-after'])).toBeGreaterThan(90);
  expect(headers['ratelimit-policy']).toBe(`"${per}";q=37;w=3700`);
  expect(headers.ratelimit).toMatch(new RegExp(`^"${per}";r=0;t=\\d+$`));
});

test('tunnel and same node take from one bucket of a workload, and each caller has its own', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const there = target({ ports: [SERVICE_PORT] });
  const local = await besides(mesh, WEB);
  tell([mesh.b], mesh, { limits: [limit('workload', 4, { target: there })] });
  await ask(mesh.port);
  await ask(local);
  expect(statuses(await times(6, (i) => ask(i % 2 === 0 ? mesh.port : local)))).toEqual({ 200: 2, 429: 4 });
  tell([mesh.b], mesh, { limits: [limit('caller', 3)] });
  const other = await besides(mesh, CART);
  expect(statuses(await times(5, (i) => ask(i % 2 === 0 ? mesh.port : local)))).toEqual({ 200: 3, 429: 2 });
  expect(statuses(await times(5, () => ask(other)))).toEqual({ 200: 3, 429: 2 });
  expect(mesh.b.reader.counters().handshakesStarted).toBeGreaterThan(0);
});

test('a limit that is about another port, service or caller does not hold', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const others: Partial<RateLimit>[] = [
    { target: target({ ports: [SERVICE_PORT + 1] }) },
    { target: target({ services: ['web'] }) },
    { target: target({ namespace: 'bank' }) },
    { target: target({ from: [source({ identities: [CART] })] }) },
  ];
  const limits = others.flatMap((part) =>
    (['workload', 'caller', 'target'] as const).map((per) => limit(per, 1, part)),
  );
  tell([mesh.a, mesh.b], mesh, { limits });
  expect(statuses(await times(10, () => ask(mesh.port)))).toEqual({ 200: 10 });
});

test('each route has its bucket, and routes that a limit does not name have none', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const routes = ['a', 'b', 'c'].map((name) =>
    rule({
      name,
      matches: [{ path: { type: 'prefix', value: `/${name}` }, headers: [], query: [], cookies: [], sources: [] }],
      backends: [backend('shop/cart', { port: SERVICE_PORT })],
    }),
  );
  const nameOf = (i: number): string => {
    const { kind, namespace, name } = routes[i]!.origin;
    return `${kind}/${namespace}/${name}`;
  };
  const service = { service: 'shop/cart', port: SERVICE_PORT, http: routes, streams: [] };
  const onRoutes = async (limits: readonly RateLimit[]) => {
    tell([mesh.a, mesh.b], mesh, { routes: [service], limits });
    const told = await Promise.all(['/a', '/b', '/c'].map((path) => times(6, () => ask(mesh.port, { path }))));
    return told.map((one) => statuses(one)[200]);
  };
  const named = { target: target({ routes: [nameOf(0), nameOf(1)] }) };
  expect(await onRoutes([limit('route', 2)])).toEqual([2, 2, 2]);
  expect(await onRoutes([limit('route', 3, named)])).toEqual([1, 1, 6]); // 2 of each are used up: the revision is the same
  const [a = 0, b = 0, c] = await onRoutes([limit('target', 4, named)]);
  expect([a + b, c]).toEqual([4, 6]); // one bucket for both
});

test.each(['workload', 'target'] as const)('in shadow mode a limit per %s counts and refuses nothing', async (per) => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  tell([mesh.a, mesh.b], mesh, { limits: [limit(per, 3, { isShadow: true })] });
  expect(statuses(await times(10, () => ask(mesh.port)))).toEqual({ 200: 10 });
  const { rateLimited, rateLimitedShadow } = (per === 'target' ? mesh.a : mesh.b).reader.counters();
  expect([rateLimited, rateLimitedShadow]).toEqual([0, 7]);
});

test('a bucket outlives a change of other rules, and a limit that is gone refuses nobody', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const next = async (): Promise<number> => (await ask(mesh.port, { agent })).status;
  const limits = [limit('caller', 2)];
  tell([mesh.b], mesh, { limits });
  expect([await next(), await next(), await next()]).toEqual([200, 200, 429]);
  tell([mesh.b], mesh, { limits, cookieSecret: 'another' });
  expect(await next()).toBe(429);
  tell([mesh.b], mesh, {});
  expect(await next()).toBe(200);
  agent.destroy();
});

test.each(['workload', 'target'] as const)('gRPC is told RESOURCE_EXHAUSTED by a limit per %s', async (per) => {
  const text = (value: string): Buffer => Buffer.from(value);
  const path = '/shop.Echo/Unary';
  const types = {
    requestSerialize: text,
    requestDeserialize: String,
    responseSerialize: text,
    responseDeserialize: String,
  };
  const server = new grpc.Server();
  const unary = (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) =>
    done(null, call.request);
  server.addService({ unary: { path, requestStream: false, responseStream: false, ...types } }, { unary });
  const port = await new Promise<number>((resolve, reject) => {
    const bound = (error: Error | null, port: number) => (error === null ? resolve(port) : reject(error));
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), bound);
  });
  await using mesh = await Mesh.start(port, { protocol: 'http2' });
  tell([mesh.a, mesh.b], mesh, { limits: [limit(per, 1)] });
  const client = new grpc.Client(`127.0.0.1:${mesh.port}`, grpc.credentials.createInsecure());
  const call = () =>
    new Promise<{ code: number; retryAfters: unknown }>((resolve) => {
      let metadata: grpc.Metadata | undefined;
      const sent = client.makeUnaryRequest(path, text, String, 'hello', () => undefined);
      sent.on('metadata', (headers) => (metadata = headers));
      sent.on('status', ({ code }) => resolve({ code, retryAfters: metadata?.get('retry-after').length }));
    });
  expect([await call(), await call()]).toEqual([
    { code: grpc.status.OK, retryAfters: 0 },
    { code: grpc.status.RESOURCE_EXHAUSTED, retryAfters: 1 },
  ]);
  client.close();
  server.forceShutdown();
});
