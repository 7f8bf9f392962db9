/** Opaque connections as streams of a tunnel, on real TLS: sharing, fairness, refusals, and peers that have no streams. @module */
import http from 'node:http';
import type net from 'node:net';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { ALPN } from '../../../proxy/snapshot.ts';
import { RESET } from '../../../proxy/streams/carrier.ts';
import { BYTES } from '../../../proxy/tunnel/byte-streams.ts';
import { KIND } from '../../../proxy/tunnel/frames.ts';
import { TRUST_DOMAIN } from '../../certs/trust.ts';
import { CART, eventually, Mesh, TestClient, TestServer } from '../mesh.ts';
import { frame, hello, Peer } from './peer.ts';

const TCP = { protocol: 'tcp' } as const;
const OPAQUE = String.fromCharCode(BYTES.opaque);

function echo(): Promise<TestServer> {
  return TestServer.tcp((socket) => socket.pipe(socket));
}

async function ping(port: number, text = 'ping'): Promise<TestClient> {
  const client = await TestClient.connect(port);
  client.send(text);
  await client.until(new RegExp(`${text}$`));
  return client;
}

async function upgraded(port: number): Promise<TestClient> {
  const client = await TestClient.connect(port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await client.until(/ 101 .*\r\n\r\n$/s);
  client.send('ping');
  await client.until(/ping$/);
  return client;
}

function handshakes(mesh: Mesh): number {
  return mesh.b.reader.counters().handshakesCompleted;
}

test('connections of a pair share one tunnel, and end apart', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  const clients = await Promise.all(Array.from({ length: 50 }, (_, i) => ping(mesh.port, `hello ${i}`)));
  expect(handshakes(mesh)).toBe(1);
  expect(app.accepted).toBe(50);
  const [first, ...others] = clients;
  first!.socket.resetAndDestroy();
  await eventually(() => app.sockets.size === 49);
  for (const client of others) {
    client.send('bye');
    await client.until(/bye$/);
    client.socket.end();
    await client.closed();
    expect(client.error).toBeUndefined();
  }
  expect(handshakes(mesh)).toBe(1);
});

test('a reader that stalls stops its own connection and none of ninety-nine others', async () => {
  const flood = Buffer.alloc(65_536, 1);
  await using app = await TestServer.tcp((socket) => {
    socket.once('data', (first) => {
      if (first.toString() !== 'flood') {
        socket.write(first);
        socket.pipe(socket);
        return;
      }
      const more = (): void => {
        while (socket.write(flood));
      };
      socket.on('drain', more);
      more();
    });
  });
  await using mesh = await Mesh.start(app.port, TCP);
  using stalled = await TestClient.connect(mesh.port);
  stalled.socket.pause();
  stalled.send('flood');
  const sent = (): number => mesh.b.reader.totals().bytesSent;
  let before = -1;
  for (let quiet = 0; quiet < 1_000; quiet = sent() === before ? quiet + 1 : 0) {
    before = sent();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const others = await Promise.all(Array.from({ length: 99 }, (_, i) => ping(mesh.port, `other ${i}`)));
  for (const client of others) client[Symbol.dispose]();
  expect(handshakes(mesh)).toBe(1);
});

test('where there is no room in tunnels, a connection has one of its own', async () => {
  await using app = await echo();
  const config = { tunnel: { maxStreams: 2 }, tcp: { maxTunnels: 2, maxWarm: 0 } };
  await using mesh = await Mesh.start(app.port, { ...TCP, config });
  const clients: TestClient[] = [];
  for (let opened = 0; opened < 6; opened++) clients.push(await ping(mesh.port));
  expect(handshakes(mesh)).toBe(4); // two tunnels of two, and two more
  for (const client of clients) client[Symbol.dispose]();
});

test('an application that takes no connection is left for another, and its agent says why', async () => {
  await using dead = await echo();
  const { port } = dead;
  await dead[Symbol.asyncDispose]();
  await using app = await echo();
  await using mesh = await Mesh.start(port, TCP);
  mesh.add(app.port);
  for (let opened = 0; opened < 8; opened++) (await ping(mesh.port))[Symbol.dispose]();
  expect(app.accepted).toBe(8);
  mesh.a.proxy.apply(mesh.update({ remove: [`b/cart-${app.port}/http`] }));
  using refused = await TestClient.connect(mesh.port);
  await refused.closed();
  expect(refused.error?.code).toBe('ECONNRESET');
  const { failures } = mesh.a.reader.series().find(({ labels }) => labels.protocol === 'tcp')!;
  expect(failures).toEqual({ 'app-unreachable': 1 });
});

test('an agent without streams is spoken to as it knows, on the connection that found it out', async () => {
  await using mesh = await Mesh.start(1, TCP);
  const { certificateChainPem: cert, privateKeyPem: key } = mesh.mint(CART, mesh.nodeB);
  const options = { cert, key, ALPNProtocols: [ALPN.tcpAhead], allowHalfOpen: true };
  const server = tls.createServer(options, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => socket.write(chunk.toString('latin1').replace('\x01', '')));
  });
  await using older = await TestServer.of(server);
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ tunnelPort: older.port })] }));
  (await ping(mesh.port))[Symbol.dispose]();
  expect(older.accepted).toBe(1);
  (await ping(mesh.port))[Symbol.dispose]();
  expect(mesh.failures()).toEqual({});
});

test('requests that turn into bytes share a tunnel as well', async () => {
  await using app = await TestServer.of(
    http.createServer().on('upgrade', (_request, socket: net.Socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.pipe(socket);
    }),
  );
  await using mesh = await Mesh.start(app.port);
  const clients: TestClient[] = [];
  for (let opened = 0; opened < 10; opened++) clients.push(await upgraded(mesh.port));
  expect(handshakes(mesh)).toBe(1);
  clients[0]!.socket.resetAndDestroy();
  await eventually(() => app.sockets.size === 9);
  for (const client of clients.slice(1)) {
    client.send('bye');
    await client.until(/bye$/);
    client.socket.end();
    await client.closed();
  }
});

test('no stream begins once the name stands for somebody else', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  using open = await ping(mesh.port);
  const other = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/other`;
  const cart = mesh.cart(mesh.mint(other, mesh.nodeB));
  mesh.b.proxy.apply(mesh.update({ workloads: [{ ...cart, identity: other }] }));
  using late = await TestClient.connect(mesh.port);
  await late.closed();
  expect(app.accepted).toBe(1);
  open.send('still');
  await open.until(/still/);
});

test('a stream that begins wrongly is reset, and the tunnel goes on', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  const peer = await Peer.dial(mesh, ALPN.tcpStreams);
  peer.send(hello(), frame(KIND.head, 1, '\x07'), frame(KIND.head, 2, `${OPAQUE}${OPAQUE}`));
  for (const stream of [1, 2]) expect(await peer.until(KIND.reset, stream)).toBe(String.fromCharCode(RESET.malformed));
  expect(app.accepted).toBe(0);
  peer.send(frame(KIND.head, 3, OPAQUE), frame(KIND.data, 3, 'ping'));
  expect(await peer.until(KIND.head, 3)).toBe('');
  expect(await peer.until(KIND.data, 3)).toBe('ping');
  peer.send(frame(KIND.head, 3, OPAQUE)); // a second head
  expect(await peer.until(KIND.reset, 3)).toBe(String.fromCharCode(RESET.malformed));
});

test('streams take places of the worker as connections do', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, { ...TCP, config: { maxConnections: 16 } });
  const peer = await Peer.dial(mesh, ALPN.tcpStreams);
  peer.send(hello());
  const last = 14; // with the tunnel, the last eighth: for others
  for (let stream = 1; stream < last; stream++) {
    peer.send(frame(KIND.head, stream, OPAQUE));
    expect(await peer.until(KIND.head, stream)).toBe('');
  }
  peer.send(frame(KIND.head, last, OPAQUE));
  expect(await peer.until(KIND.reset, last)).toBe(String.fromCharCode(RESET.refused));
  peer.send(frame(KIND.reset, 1, '\0'));
  await eventually(() => mesh.b.proxy.openConnections === last - 1);
  peer.send(frame(KIND.head, last + 1, OPAQUE));
  expect(await peer.until(KIND.head, last + 1)).toBe('');
});

test('who is revoked loses the connections that are open', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  using client = await ping(mesh.port);
  mesh.a.proxy.apply({ version: 9, revocations: [{ subject: CART, beforeMs: Date.now() }] });
  await client.closed();
  expect(client.error?.code).toBe('ECONNRESET');
});

test('an agent that leaves takes no more, and what is open goes on', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  using client = await ping(mesh.port);
  const closing = mesh.b.proxy.close(60_000);
  client.send('still');
  await client.until(/still/);
  client.socket.end();
  await client.closed();
  await closing;
  expect(client.error).toBeUndefined();
});

test('a peer that speaks no frames is cut off', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  const peer = await Peer.dial(mesh, ALPN.tcpStreams);
  peer.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  await peer.closed();
  expect(app.accepted).toBe(0);
});
