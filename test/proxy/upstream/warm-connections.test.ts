/** Opaque connections made ahead of those who need them, over real sockets and certificates. */
import { once } from 'node:events';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { ALPN, endpointServerName } from '../../../proxy/snapshot.ts';
import { TRUST_DOMAIN } from '../../certs/trust.ts';
import { CART, eventually, Mesh, TestClient, TestServer, WEB } from '../mesh.ts';

const OTHER = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/other`;
/** Opaque connections have one of their own between the agents, as to agents without streams. */
const TCP = { protocol: 'tcp', config: { tcp: { maxTunnels: 0 } } } as const;

function echo(): Promise<TestServer> {
  return TestServer.tcp((socket) => socket.pipe(socket));
}

async function ping(mesh: Mesh): Promise<void> {
  using client = await TestClient.connect(mesh.port);
  client.send('ping');
  await client.until(/ping/);
}

function handshakes(mesh: Mesh): number {
  return mesh.b.reader.counters().handshakesCompleted;
}

/** A peer that has node a's certificates and speaks for itself. */
function dial(mesh: Mesh, protocol: string): tls.TLSSocket {
  const { certificateChainPem: cert, privateKeyPem: key } = mesh.mint(WEB);
  const servername = endpointServerName(mesh.appPort, 'cart', 'shop');
  const where = { port: mesh.tunnelPort, host: '127.0.0.1', rejectUnauthorized: false };
  return tls.connect({ ...where, servername, cert, key, ALPNProtocols: [protocol] });
}

test('the third connection of a pair finds one that is ready, and has it to itself', async () => {
  let reached = 0;
  await using app = await TestServer.tcp((socket) => {
    reached++;
    socket.pipe(socket);
  });
  await using mesh = await Mesh.start(app.port, TCP);
  await ping(mesh);
  expect(handshakes(mesh)).toBe(1);
  await ping(mesh);
  await eventually(() => handshakes(mesh) === 3); // one ahead
  expect(reached).toBe(2); // whose application has not been dialled
  await ping(mesh);
  expect(mesh.a.reader.counters().upstreamWarmed).toBe(1);
  expect(reached).toBe(3);
});

test('a server that speaks first is heard over a connection made ahead', async () => {
  await using app = await TestServer.tcp((socket) => socket.write('welcome'));
  await using mesh = await Mesh.start(app.port, TCP);
  for (let opened = 0; opened < 3; opened++) {
    await eventually(() => handshakes(mesh) === (opened === 2 ? 3 : opened));
    using client = await TestClient.connect(mesh.port);
    await client.until(/welcome/);
  }
  expect(mesh.a.reader.counters().upstreamWarmed).toBe(1);
});

test('none is kept where none may be', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, { ...TCP, config: { tcp: { maxTunnels: 0, maxWarm: 0 } } });
  for (let opened = 0; opened < 4; opened++) await ping(mesh);
  expect(handshakes(mesh)).toBe(4);
  expect(mesh.a.reader.counters().upstreamWarmed).toBe(0);
});

test('what is ready goes with its endpoint', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await ping(mesh);
  await ping(mesh);
  await eventually(() => handshakes(mesh) === 3);
  mesh.a.proxy.apply(mesh.update({ remove: ['b/cart/http'] }));
  using client = await TestClient.connect(mesh.port);
  await client.closed();
  expect(mesh.a.reader.counters().upstreamWarmed).toBe(0);
});

test('what is ready leads nowhere once its name stands for somebody else', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await ping(mesh);
  await ping(mesh);
  await eventually(() => handshakes(mesh) === 3);
  const { accepted } = app;
  const cart = mesh.cart(mesh.mint(OTHER, mesh.nodeB));
  mesh.b.proxy.apply(mesh.update({ workloads: [{ ...cart, identity: OTHER }] }));
  using client = await TestClient.connect(mesh.port);
  client.send('ping');
  await client.closed();
  expect(client.error?.code).toBe('ECONNRESET');
  expect(app.accepted).toBe(accepted);
});

test('what is ready is cut when the other side is revoked', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await ping(mesh);
  await ping(mesh);
  await eventually(() => handshakes(mesh) === 3);
  mesh.a.proxy.apply({ version: 9, revocations: [{ subject: CART, beforeMs: Date.now() }] });
  using client = await TestClient.connect(mesh.port);
  client.send('ping');
  await client.closed();
  expect(client.received).toBe('');
  expect(mesh.a.reader.counters().upstreamWarmed).toBe(0);
});

test('a peer that knows no beginning is served from its first byte', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  const socket = dial(mesh, ALPN.tcp);
  socket.write('ping');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toBe('ping');
  socket.destroy();
});

test('a connection that begins with anything else reaches nobody', async () => {
  let reached = 0;
  await using app = await TestServer.tcp(() => reached++);
  await using mesh = await Mesh.start(app.port, TCP);
  const socket = dial(mesh, ALPN.tcpAhead);
  socket.on('error', () => {});
  socket.write('ping');
  await once(socket, 'close');
  expect(reached).toBe(0);
});
