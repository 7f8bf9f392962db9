/**
 * TLS sessions that are resumed, on real sockets: by clients of the tests, which may do with a ticket what they like, and
 * between two proxies.
 */
import http from 'node:http';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { mintSvid, type Svid } from '../../certs/svid.ts';
import { CLOCK_SKEW_MS } from '../../certs/verify.ts';
import { endpointServerName } from '../../proxy/snapshot.ts';
import { makeNode, TemporaryDirectory, TRUST_DOMAIN } from '../certs/trust.ts';
import { CART, Mesh, TestClient, TestServer, WEB } from './mesh.ts';

const OTHER = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/other`;

function hello(): Promise<TestServer> {
  return TestServer.of(http.createServer((_request, response) => response.end('hello')));
}

interface Call {
  readonly isResumed: boolean;
  readonly text: string;
  readonly code: string | undefined;
  readonly session: Buffer | undefined;
}

/** One request by a caller of the test, and the first ticket it was given. */
async function call(mesh: Mesh, svid: Svid, session?: Buffer): Promise<Call> {
  const socket = tls.connect({
    port: mesh.tunnelPort,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername: endpointServerName(mesh.appPort, 'cart', 'shop'),
    ALPNProtocols: ['http/1.1'],
    cert: svid.certificateChainPem,
    key: svid.privateKeyPem,
    session,
  });
  let [isResumed, text]: [boolean, string] = [false, ''];
  let code: string | undefined;
  let ticket: Buffer | undefined;
  socket.on('secureConnect', () => {
    isResumed = socket.isSessionReused();
    socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  });
  socket.once('session', (offered: Buffer) => {
    ticket = offered;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code;
  });
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (text.endsWith('hello')) socket.end();
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return { isResumed, text, code, session: ticket };
}

const NOT_RESUMED = { isResumed: false, text: '', code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' };

/** Requests by caller, as the second proxy counts them. */
function callers(mesh: Mesh): Record<string, number> {
  const inbound = mesh.b.reader.series().filter(({ labels }) => labels.direction === 'inbound');
  return Object.fromEntries(
    inbound.map(({ labels, requests }) => [labels.source, requests.reduce((sum, count) => sum + count, 0)]),
  );
}

test('a session is resumed, and as often as its ticket is shown', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const svid = mesh.mint(WEB);
  const { session } = await call(mesh, svid);
  for (let i = 0; i < 3; i++) {
    const resumed = await call(mesh, svid, session);
    expect(resumed).toMatchObject({ isResumed: true, session: undefined }); // no ticket for a ticket
    expect(resumed.text).toContain('200 OK');
  }
  expect(mesh.b.reader.counters()).toMatchObject({ handshakesCompleted: 4, handshakesResumed: 3, ticketsRefused: 0 });
});

test('who resumes is who made the full handshake, whatever certificate it has at hand', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const [web, other] = [mesh.mint(WEB), mesh.mint(OTHER)];
  const [ofWeb, ofOther] = [await call(mesh, web), await call(mesh, other)];
  expect(callers(mesh)).toEqual({ [WEB]: 1, [OTHER]: 1 });
  for (let i = 0; i < 2; i++) expect(await call(mesh, web, ofOther.session)).toMatchObject({ isResumed: true });
  expect(callers(mesh)).toEqual({ [WEB]: 1, [OTHER]: 3 });
  expect(await call(mesh, other, ofWeb.session)).toMatchObject({ isResumed: true });
  expect(callers(mesh)).toEqual({ [WEB]: 2, [OTHER]: 3 });
});

test('a peer that was revoked does not get in by a ticket, nor by a handshake after it', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const svid = mesh.mint(WEB);
  const { session } = await call(mesh, svid);
  mesh.b.proxy.apply({ version: 9, revocations: [{ subject: WEB, beforeMs: Date.now() }] });
  expect(await call(mesh, svid, session)).toMatchObject(NOT_RESUMED);
  expect(mesh.b.reader.counters().ticketsRefused).toBe(1);
  expect(await call(mesh, svid)).toMatchObject({ isResumed: false, text: '' });
  expect(mesh.b.reader.counters().peersRefusedRevoked).toBe(1);
  expect(callers(mesh)).toEqual({ [WEB]: 1 });
  mesh.b.proxy.apply({ version: 10, revocations: [] });
  expect(await call(mesh, svid, session)).toMatchObject({ isResumed: true }); // taken back
});

test('a peer whose root was retired does not get in by a ticket', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  using elsewhere = new TemporaryDirectory();
  const { roots } = makeNode(elsewhere, { name: 'next' }).trust;
  const svid = mesh.mint(WEB);
  const { session } = await call(mesh, svid);
  const trust = (pems: readonly { toString(): string }[]) => ({
    version: 9,
    trust: { trustDomain: TRUST_DOMAIN, rootsPem: pems.map(String) },
  });
  mesh.b.proxy.apply(trust([...mesh.nodeA.trust.roots, ...roots]));
  expect(await call(mesh, svid, session)).toMatchObject({ isResumed: true });
  mesh.b.proxy.apply(trust(roots));
  expect(await call(mesh, svid, session)).toMatchObject(NOT_RESUMED);
  expect(callers(mesh)).toEqual({ [WEB]: 2 });
});

test('a peer does not get in by a ticket after its certificate has expired', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const ttlMs = 3_000;
  const svid = mintSvid(mesh.nodeA, WEB, { ttlMs, nowMs: Date.now() - CLOCK_SKEW_MS });
  const { session } = await call(mesh, svid);
  let last = await call(mesh, svid, session);
  expect(last).toMatchObject({ isResumed: true });
  while (last.isResumed) last = await call(mesh, svid, session); // for at most `ttlMs`
  expect(last).toMatchObject(NOT_RESUMED);
  expect(await call(mesh, svid)).toMatchObject({ isResumed: false, text: '' });
  expect(mesh.b.reader.counters().peersRefusedExpired).toBe(1);
});

test('a ticket is worth nothing once its server name stands for another workload', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const svid = mesh.mint(WEB);
  const { session } = await call(mesh, svid);
  const cart = mesh.cart(mesh.mint(OTHER, mesh.nodeB));
  mesh.b.proxy.apply(mesh.update({ workloads: [{ ...cart, identity: OTHER }] }));
  expect(await call(mesh, svid, session)).toMatchObject(NOT_RESUMED);
  const anew = await call(mesh, svid);
  expect(anew.text).toContain('200 OK');
  expect((await call(mesh, svid, session)).isResumed).toBe(false); // there are other keys now
  mesh.b.proxy.apply(mesh.update({ workloads: [mesh.cart()] }));
  expect((await call(mesh, svid, session)).isResumed).toBe(false);
});

test('a ticket is worth nothing to a server with other keys, nor to one that resumes nothing', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  await using other = await Mesh.start(app.port, { config: { tunnel: { resumeMs: 0 } } });
  const svid = mesh.mint(WEB);
  const { session } = await call(mesh, svid);
  expect((await call(other, other.mint(WEB), session)).isResumed).toBe(false);
  const ofOther = await call(other, other.mint(WEB));
  expect((await call(other, other.mint(WEB), ofOther.session)).isResumed).toBe(false);
});

/** A mesh whose proxies make a connection, and so a handshake, for each client, and none ahead. */
async function opaque(): Promise<{ app: TestServer; mesh: Mesh; ask: () => Promise<string> } & AsyncDisposable> {
  const app = await TestServer.tcp((socket) => socket.pipe(socket));
  const mesh = await Mesh.start(app.port, { protocol: 'tcp', config: { tcp: { maxTunnels: 0, maxWarm: 0 } } });
  const ask = async (): Promise<string> => {
    using client = await TestClient.connect(mesh.port);
    client.socket.end('ping');
    await client.closed();
    return client.error?.code ?? client.received;
  };
  const dispose = async (): Promise<void> => {
    await mesh[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  };
  return { app, mesh, ask, [Symbol.asyncDispose]: dispose };
}

test('between proxies the first handshake is full and the others resume it, until a certificate is renewed', async () => {
  await using world = await opaque();
  const { mesh, ask } = world;
  for (let i = 0; i < 4; i++) expect(await ask()).toBe('ping');
  expect(mesh.a.reader.counters()).toMatchObject({ upstreamHandshakesResumed: 3, upstreamSessionsRefused: 0 });
  expect(mesh.b.reader.counters()).toMatchObject({ handshakesResumed: 3, ticketsRefused: 0 });
  mesh.a.proxy.apply(mesh.update({ workloads: [mesh.web(mesh.mint(WEB))] }));
  expect(await ask()).toBe('ping');
  expect(mesh.a.reader.counters().upstreamHandshakesResumed).toBe(3);
  expect(await ask()).toBe('ping');
  expect(mesh.a.reader.counters().upstreamHandshakesResumed).toBe(4);
});

test('an endpoint that was revoked is not talked to over a resumed session', async () => {
  await using world = await opaque();
  const { app, mesh, ask } = world;
  for (let i = 0; i < 2; i++) expect(await ask()).toBe('ping');
  mesh.a.proxy.apply({ version: 9, revocations: [{ subject: CART, beforeMs: Date.now() }] });
  const { accepted } = app;
  expect(await ask()).toBe('ECONNRESET');
  expect(mesh.a.reader.counters()).toMatchObject({
    upstreamHandshakesResumed: 1,
    upstreamSessionsRefused: 1, // then it dialled once more, without a session, and was shown the same
    peersRefusedRevoked: 1,
  });
  expect(mesh.failures()['identity-refused']).toBe(1);
  expect(app.accepted - accepted).toBeLessThanOrEqual(2); // reached by the other proxy, but no byte was sent
});

test('a session that the other side will not resume costs a second handshake and no connection', async () => {
  await using world = await opaque();
  const { mesh, ask } = world;
  for (let i = 0; i < 2; i++) expect(await ask()).toBe('ping');
  const cart = mesh.cart(mesh.mint(OTHER, mesh.nodeB));
  mesh.b.proxy.apply(mesh.update({ workloads: [{ ...cart, identity: OTHER }] }));
  expect(await ask()).toBe('ECONNRESET'); // it is somebody else
  expect(mesh.a.reader.counters()).toMatchObject({ upstreamSessionsRefused: 1, peersRefusedIdentity: 1 });
  expect(mesh.b.reader.counters().ticketsRefused).toBe(1);
  mesh.b.proxy.apply(mesh.update({ workloads: [mesh.cart()] }));
  for (let i = 0; i < 2; i++) expect(await ask()).toBe('ping');
  expect(mesh.a.reader.counters().upstreamHandshakesResumed).toBe(2);
});
