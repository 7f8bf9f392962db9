/** Captured connections: where they were meant to go decides what becomes of them. @module */

import http from 'node:http';
import type net from 'node:net';
import { expect, test } from 'vitest';
import type { Sockets } from '../../../proxy/sockets.ts';
import { plainSockets } from '../../../proxy/sockets.ts';
import { TRUST_DOMAIN } from '../../certs/trust.ts';
import { CART, Mesh, ProxyUnderTest, SERVICE_PORT, TestClient, TestServer } from '../mesh.ts';

interface Original {
  address: string;
  port: number;
}

/** Plain sockets with a kernel that remembers: what capture does with getsockopt. */
function remembering(original: { current: Original | undefined | 'self' }): Sockets {
  return {
    ...plainSockets(),
    originalDestination: (socket: net.Socket) =>
      original.current === 'self' ? { address: socket.localAddress!, port: socket.localPort! } : original.current,
  };
}

async function setUp(app: TestServer) {
  const original: { current: Original | undefined | 'self' } = { current: undefined };
  const mesh = await Mesh.start(app.port);
  const outbound = new ProxyUnderTest('a', {}, remembering(original));
  outbound.proxy.apply({
    ...mesh.update({ workloads: [mesh.web()], endpoints: [mesh.endpoint()] }),
    services: {
      upsert: [
        {
          id: 'shop/cart',
          namespace: 'shop',
          service: 'cart',
          vips: ['10.96.0.7', 'fd00::7'],
          ports: [{ port: SERVICE_PORT, protocol: 'http' }],
        },
      ],
      remove: [],
    },
  });
  const { port } = await outbound.proxy.listen({
    id: 'out',
    role: 'outbound',
    unit: 'host',
    workload: 'web',
    transport: 'tcp',
  });
  return { mesh, outbound, original, port };
}

async function ask(port: number): Promise<{ text: string; error: string | undefined }> {
  using client = await TestClient.connect(port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n');
  await client.ended();
  return { text: client.received, error: client.error?.code };
}

test.each([
  ['a virtual address of a service', '10.96.0.7', SERVICE_PORT],
  ['its IPv6 twin', 'fd00::7', SERVICE_PORT],
])('%s leads through the mesh', async (_name, address, port) => {
  await using app = await TestServer.of(http.createServer((_request, response) => response.end('from cart')));
  const { mesh, outbound, original, port: out } = await setUp(app);
  original.current = { address, port };
  expect((await ask(out)).text).toContain('from cart');
  const series = mesh.b.reader.series().map(({ labels }) => labels);
  expect(series).toContainEqual(expect.objectContaining({ direction: 'inbound', destination: 'shop/cart' }));
  await outbound.proxy.close(0);
  await mesh[Symbol.asyncDispose]();
});

test('the address of an endpoint leads to that endpoint through the mesh', async () => {
  await using app = await TestServer.of(http.createServer((_request, response) => response.end('from cart')));
  const { mesh, outbound, original, port } = await setUp(app);
  original.current = { address: '127.0.0.1', port: app.port };
  expect((await ask(port)).text).toContain('from cart');
  expect(mesh.b.reader.counters().handshakesCompleted).toBe(1);
  await outbound.proxy.close(0);
  await mesh[Symbol.asyncDispose]();
});

test('anything outside the mesh is passed through as it is', async () => {
  await using app = await TestServer.of(http.createServer((_request, response) => response.end('from cart')));
  await using outside = await TestServer.tcp((socket) =>
    socket.once('data', (chunk) => socket.end(`saw ${chunk.toString('latin1')}`)),
  );
  const { mesh, outbound, original, port } = await setUp(app);
  original.current = { address: '127.0.0.1', port: outside.port };
  expect((await ask(port)).text).toBe('saw GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n');
  expect(outbound.reader.series().map(({ labels }) => labels.destination)).toEqual(['passthrough']);
  await outbound.proxy.close(0);
  await mesh[Symbol.asyncDispose]();
});

test('a destination that refuses is refused to the client as well', async () => {
  await using app = await TestServer.of(http.createServer());
  const { mesh, outbound, original, port } = await setUp(app);
  const gone = await TestServer.tcp(() => undefined);
  original.current = { address: '127.0.0.1', port: gone.port };
  await gone[Symbol.asyncDispose]();
  expect(await ask(port)).toEqual({ text: '', error: 'ECONNRESET' });
  await outbound.proxy.close(0);
  await mesh[Symbol.asyncDispose]();
});

test.each([
  ['to the listener itself', 'self' as const, 'loopRefused' as const],
  ['without a known destination', undefined, 'noDestination' as const],
  ['to a virtual address on a port nobody serves', { address: '10.96.0.7', port: 1 }, 'unknownService' as const],
])('a connection %s is refused and counted', async (_name, destination, counter) => {
  await using app = await TestServer.of(http.createServer());
  const { mesh, outbound, original, port } = await setUp(app);
  original.current = destination;
  expect(await ask(port)).toEqual({ text: '', error: 'ECONNRESET' });
  expect(outbound.reader.counters()[counter]).toBe(1);
  await outbound.proxy.close(0);
  await mesh[Symbol.asyncDispose]();
});

test('names of the mesh resolve to virtual addresses, others to nothing', async () => {
  const lookups: (readonly string[] | undefined)[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const { Proxy } = await import('../../../proxy/proxy.ts');
  const { proxyConfig } = await import('../../../proxy/config.ts');
  const { StatsWriter } = await import('../../../proxy/telemetry/stats-writer.ts');
  const { createStatsBuffer } = await import('../../../proxy/telemetry/stats-table.ts');
  const { SharedTable } = await import('../../../proxy/resilience/shared-table.ts');
  const { pino } = await import('pino');
  await using proxy = Proxy.start(proxyConfig.parse({ node: 'a' }), {
    sockets: plainSockets(),
    stats: new StatsWriter(createStatsBuffer(), () => undefined),
    shared: SharedTable.alone(),
    log: pino({ level: 'silent' }),
    random: Math.random,
    dns: async (_spec, lookup) => {
      for (const name of ['cart.shop.weft', 'CART.Shop.weft.', 'cart.shop.example', 'x.cart.shop.weft'])
        lookups.push(lookup(name));
      return {
        port: 5_353,
        [Symbol.asyncDispose]: async () => resolve(),
      };
    },
  });
  proxy.apply({
    version: 1,
    services: {
      upsert: [{ id: 'shop/cart', namespace: 'shop', service: 'cart', vips: ['10.96.0.7'], ports: [] }],
      remove: [],
    },
  });
  const spec = { id: 'dns', role: 'dns', unit: 'host', workload: 'web', transport: 'udp' } as const;
  expect(await proxy.listen(spec)).toEqual({ port: 5_353 });
  expect(lookups).toEqual([['10.96.0.7'], ['10.96.0.7'], undefined, undefined]);
  await proxy.close();
  await promise;
});

test('the identity of the caller is that of the listener, not what it says', async () => {
  await using app = await TestServer.of(http.createServer((_request, response) => response.end('ok')));
  const { mesh, outbound, original, port } = await setUp(app);
  original.current = { address: '10.96.0.7', port: SERVICE_PORT };
  await ask(port);
  const inbound = mesh.b.reader.series().find(({ labels }) => labels.direction === 'inbound');
  expect(inbound?.labels.source).toBe(`spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`);
  expect(inbound?.labels.source).not.toBe(CART);
  await outbound.proxy.close(0);
  await mesh[Symbol.asyncDispose]();
});
