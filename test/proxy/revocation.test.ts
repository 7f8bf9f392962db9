/** A certificate that is called back while it is in use: open connections end, no new ones begin, all others go on. */
import { once } from 'node:events';
import http from 'node:http';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { afterRevocationMs } from '../../certs/revocation.ts';
import { mintSvid, type Svid } from '../../certs/svid.ts';
import { endpointServerName } from '../../proxy/snapshot.ts';
import { HOUR_MS, TRUST_DOMAIN } from '../certs/trust.ts';
import { CART, eventually, Mesh, type ProxyUnderTest, TestClient, TestServer, WEB } from './mesh.ts';

const NODE_A = `spiffe://${TRUST_DOMAIN}/node/a`;
const NODE_B = `spiffe://${TRUST_DOMAIN}/node/b`;

function hello(): Promise<TestServer> {
  return TestServer.of(http.createServer((_request, response) => response.end('hello')));
}

function revoke(side: ProxyUnderTest, mesh: Mesh, ...subjects: readonly string[]): void {
  const entries = subjects.map((subject) => ({ subject, beforeMs: Date.now() }));
  side.proxy.apply({ version: mesh.update({}).version, revocations: entries });
}

/** A caller of its own, with TLS of its own, that has been served once and stays connected. */
async function caller(mesh: Mesh, svid: Svid): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    port: mesh.tunnelPort,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername: endpointServerName(mesh.appPort, 'cart', 'shop'),
    ALPNProtocols: ['http/1.1'],
    cert: svid.certificateChainPem,
    key: svid.privateKeyPem,
  });
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve).once('close', resolve));
  return socket;
}

function status(mesh: Mesh): Promise<string> {
  return fetch(`http://127.0.0.1:${mesh.port}/`).then(
    async (response) => `${response.status} ${response.headers.get('weft-reason') ?? (await response.text())}`,
  );
}

test('a workload that is revoked loses its open connections and gets no new ones; others keep theirs', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const svid = mesh.mint(WEB);
  const revoked = await caller(mesh, svid);
  const other = await caller(mesh, mesh.mint(CART));
  revoke(mesh.b, mesh, WEB);
  if (!revoked.closed) await new Promise((resolve) => revoked.once('close', resolve));
  expect(mesh.b.reader.counters().sessionsCutRevoked).toBe(1);

  expect((await caller(mesh, svid)).bytesRead).toBe(0);
  expect(mesh.b.reader.counters().peersRefusedRevoked).toBe(1);
  other.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  expect(String(await once(other, 'data'))).toContain('200 OK');
  other.destroy();
});

test('a node that is revoked takes all its workloads with it, and opaque connections as well', async () => {
  await using app = await TestServer.tcp((socket) => socket.pipe(socket));
  await using mesh = await Mesh.start(app.port, { protocol: 'tcp' });
  using client = await TestClient.connect(mesh.port);
  client.send('ping');
  await client.until(/ping/);
  revoke(mesh.b, mesh, NODE_A);
  await client.closed();
  expect(client.error?.code).toBe('ECONNRESET');
  using again = await TestClient.connect(mesh.port);
  again.send('ping');
  await again.closed();
  expect([again.received, again.error?.code]).toEqual(['', 'ECONNRESET']);
});

test('pooled connections to a revoked node are cut, and it gets no request any more', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  expect(await status(mesh)).toBe('200 hello');
  const { upstreamReused } = mesh.a.reader.counters();
  expect(await status(mesh)).toBe('200 hello');
  expect(mesh.a.reader.counters().upstreamReused).toBe(upstreamReused + 1); // there is a pooled connection

  revoke(mesh.a, mesh, NODE_B);
  expect(mesh.a.reader.counters().sessionsCutRevoked).toBe(1);
  expect(await status(mesh)).toBe('503 identity-refused');
  expect(mesh.a.reader.counters().peersRefusedRevoked).toBe(1);
});

test('an SVID minted after the revocation is as good as ever, and so is one whose revocation was taken back', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const old = mesh.mint(WEB);
  revoke(mesh.b, mesh, WEB);
  const renewed = mintSvid(mesh.nodeA, WEB, { ttlMs: HOUR_MS / 2, nowMs: afterRevocationMs(Date.now()) });
  const [refused, served] = [await caller(mesh, old), await caller(mesh, renewed)];
  expect([refused.bytesRead > 0, served.bytesRead > 0]).toEqual([false, true]);
  revoke(mesh.b, mesh);
  const again = await caller(mesh, old);
  expect(again.bytesRead).toBeGreaterThan(0);
  for (const socket of [served, again]) socket.destroy();
});

test('a revocation that comes during the handshake counts for it', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const pending = status(mesh);
  await eventually(() => mesh.b.reader.counters().handshakesStarted > 0);
  revoke(mesh.a, mesh, NODE_B);
  expect(await pending).toBe('503 identity-refused');
});
