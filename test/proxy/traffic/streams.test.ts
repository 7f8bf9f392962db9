/** Connections that are not HTTP: by weights, by the name that a client of TLS asks for, and no more than there may be. */

import tls from 'node:tls';
import { expect, test } from 'vitest';
import { createSharedBuffer, SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { byPrecedence, ruleFor } from '../../../proxy/routing/stream-rules.ts';
import { type Backend, NO_TRAFFIC, type StreamRule, type TrafficRules } from '../../../proxy/traffic/rules.ts';
import { eventually, Mesh, ProxyUnderTest, TestClient, TestServer } from '../mesh.ts';
import { held, origin, policies, routesOf, settled, to } from './support.ts';

function stream(name: string, backends: readonly Backend[], changes: Partial<StreamRule> = {}): StreamRule {
  return { origin: origin('TLSRoute', name), createdAtMs: 0, position: 0, serverNames: [], backends, ...changes };
}

function streams(...rules: readonly StreamRule[]): TrafficRules {
  return { ...NO_TRAFFIC, routes: [routesOf([], { streams: rules })] };
}

function naming(name: string): Promise<TestServer> {
  return TestServer.tcp((socket) => {
    socket.write(`${name}\nand enough for a client of TLS to see that this is no handshake\n`);
    socket.resume().on('end', () => socket.end());
  });
}

async function greeting(port: number): Promise<string> {
  using client = await TestClient.connect(port);
  return (await client.until(/^(\w+)\n/))[1]!;
}

test('a TCPRoute shares connections by weight, and a port of theirs is not searched for HTTP', async () => {
  await using cart = await naming('cart');
  await using next = await naming('next');
  const dice = [0.05, 0.15, 0.95, 0.5];
  let thrown = 0;
  const random = () => dice[thrown++ % dice.length]!;
  await using mesh = await Mesh.start(cart.port, { protocol: 'auto', worker: { random } });
  mesh.add(next.port, { service: 'next', protocol: 'tcp' });
  mesh.rule(streams(stream('r', [to('cart', { weight: 9 }), to('next', { weight: 1 })])));
  const greeted: string[] = [];
  for (let i = 0; i < 8; i++) greeted.push(await greeting(mesh.port));
  expect(greeted.filter((name) => name === 'next').length).toBe(2);
  expect(mesh.a.reader.counters().sniffTimeouts).toBe(0);
});

test('a TLSRoute goes by the name; what none fits is reset', async () => {
  await using cart = await naming('cart');
  await using next = await naming('next');
  await using mesh = await Mesh.start(cart.port, { protocol: 'tcp' });
  mesh.add(next.port, { service: 'next', protocol: 'tcp' });
  mesh.rule(
    streams(
      stream('wild', [to('cart')], { serverNames: ['*.example.org'] }),
      stream('exact', [to('next')], { serverNames: ['shop.example.org'] }),
    ),
  );
  const reached = (servername: string) =>
    new Promise<string>((resolve) => {
      const socket = tls.connect({ port: mesh.port, host: '127.0.0.1', servername });
      // Whoever answers with a line instead of a handshake has been reached.
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    });
  expect(await reached('a.b.example.org')).not.toBe('ECONNRESET');
  expect([cart.accepted, next.accepted]).toEqual([1, 0]);
  expect(await reached('SHOP.example.org')).not.toBe('ECONNRESET');
  expect([cart.accepted, next.accepted]).toEqual([1, 1]);
  expect(await reached('example.org')).toBe('ECONNRESET');
  using plain = await TestClient.connect(mesh.port);
  plain.send('hello\n');
  await plain.closed();
  expect(plain.error?.code).toBe('ECONNRESET');
  expect([cart.accepted, next.accepted]).toEqual([1, 1]);
  expect(mesh.failures()).toEqual({ 'no-route': 2 });
  await settled(mesh);
});

test('a server that speaks first is reached where a rule takes any connection', async () => {
  await using cart = await naming('cart');
  await using mesh = await Mesh.start(cart.port, { protocol: 'tcp' });
  mesh.rule(streams(stream('any', [to('cart')]), stream('exact', [to('gone')], { serverNames: ['a.example'] })));
  expect(await greeting(mesh.port)).toBe('cart');
});

test('rules go by closeness, then age, name and position', () => {
  const named = (name: string, changes: Partial<StreamRule>) => stream(name, [], changes);
  const rules = byPrecedence([
    named('z', { serverNames: ['*.org'], createdAtMs: 1 }),
    named('any', { createdAtMs: 1 }),
    named('b', { serverNames: ['*.example.org'], createdAtMs: 2, position: 1 }),
    named('b', { serverNames: ['*.example.org'], createdAtMs: 2 }),
    named('a', { serverNames: ['*.example.org'], createdAtMs: 3 }),
    named('late', { serverNames: ['x.example.org'], createdAtMs: 9 }),
  ]);
  const found = (name: string | undefined) => {
    const rule = ruleFor(rules, name);
    return rule && `${rule.origin.name} ${rule.position}`;
  };
  expect(found('x.example.org')).toBe('late 0');
  expect(found('y.example.org')).toBe('b 0');
  expect(found('example.org')).toBe('z 0');
  expect(found('org')).toBe('any 0');
  expect(found(undefined)).toBe('any 0');
});

test('two workers that share their counts open no more connections than there may be', async () => {
  await using cart = await TestServer.tcp((socket) => socket.write('cart\n'));
  const buffer = createSharedBuffer(2);
  const worker = { shared: new SharedTable(buffer, 0) };
  await using mesh = await Mesh.start(cart.port, { protocol: 'tcp', worker });
  const second = new ProxyUnderTest('a', {}, undefined, { shared: new SharedTable(buffer, 1) });
  second.proxy.apply(mesh.update({ workloads: [mesh.web()], endpoints: [mesh.endpoint()] }));
  const traffic = policies({ circuit: { maxConnections: 3 } });
  mesh.rule(traffic);
  second.proxy.apply({ version: 100, traffic });
  const other = await mesh.listenExplicit('second', second);
  const ports = [mesh.port, other, mesh.port, other, mesh.port];
  const clients: TestClient[] = [];
  for (const port of ports) {
    const client = await TestClient.connect(port);
    clients.push(client);
    if (clients.length <= 3) await client.until(/^cart/);
    else await client.closed();
  }
  expect(held(mesh).connections).toBe(3);
  expect(clients.map(({ error }) => error?.code)).toEqual([
    undefined,
    undefined,
    undefined,
    'ECONNRESET',
    'ECONNRESET',
  ]);
  const failures = [mesh.a, second].flatMap(({ reader }) => reader.series().map((series) => series.failures));
  expect(failures).toEqual([{ overflow: 1 }, { overflow: 1 }]);
  for (const client of clients) client.socket.resetAndDestroy();
  await eventually(() => held(mesh).connections === 0);
  await second.proxy.close(0);
});
