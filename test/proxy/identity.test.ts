/** Who may talk to whom: certificates on both sides, renewal under traffic, and everything that must stay out. @module */

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { endpointServerName } from '../../proxy/snapshot.ts';
import { makeNode, TemporaryDirectory } from '../certs/trust.ts';
import { CART, eventually, Mesh, TestClient, TestServer, WEB } from './mesh.ts';

function hello(): Promise<TestServer> {
  return TestServer.of(http.createServer((_request, response) => response.end('hello')));
}

interface DialOptions {
  readonly svid?: { readonly certificateChainPem: string; readonly privateKeyPem: string };
  readonly servername?: string;
  readonly alpn?: readonly string[];
  readonly maxVersion?: tls.SecureVersion;
}

/** What a stranger can do to a tunnel listener. Resolves with what came back, '' if nothing did. */
async function dial(mesh: Mesh, options: DialOptions): Promise<{ text: string; code: string }> {
  const { svid, servername = endpointServerName(mesh.appPort, 'cart', 'shop'), alpn = ['http/1.1'] } = options;
  const socket = tls.connect({
    port: mesh.tunnelPort,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername,
    ALPNProtocols: [...alpn],
    ...(svid === undefined ? {} : { cert: svid.certificateChainPem, key: svid.privateKeyPem }),
    ...(options.maxVersion === undefined ? {} : { maxVersion: options.maxVersion }),
  });
  let text = '';
  let code = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    if (text.includes('hello')) socket.destroy();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? error.message;
  });
  socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await once(socket, 'close').catch(() => undefined);
  return { text, code };
}

test('a workload of the mesh is served', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  expect((await dial(mesh, { svid: mesh.mint(WEB) })).text).toContain('hello');
  const inbound = mesh.b.reader.series().find(({ labels }) => labels.direction === 'inbound');
  expect(inbound?.labels).toMatchObject({ source: WEB, destination: 'shop/cart', protocol: 'http' });
});

test('a peer without a certificate, of another root, or that is no workload gets nothing', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  using elsewhere = new TemporaryDirectory();
  const rogue = makeNode(elsewhere, { name: 'rogue' });
  expect((await dial(mesh, {})).text).toBe('');
  expect((await dial(mesh, { svid: mesh.mint(WEB, rogue) })).text).toBe('');
  const node = {
    certificateChainPem: mesh.nodeA.chain.map((certificate) => certificate.toString()).join(''),
    privateKeyPem: mesh.nodeA.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
  expect((await dial(mesh, { svid: node })).text).toBe('');
  const counters = mesh.b.reader.counters();
  expect(counters.peersRefusedNoCertificate).toBe(1);
  expect(counters.peersRefusedUntrustedRoot).toBe(1);
  expect(counters.peersRefusedIdentity).toBe(1);
  expect(app.accepted).toBe(0);
});

test('unknown names, unknown protocols and old TLS end in the handshake', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const svid = mesh.mint(WEB);
  expect((await dial(mesh, { svid, servername: '1.nobody.shop.weft' })).text).toBe('');
  expect((await dial(mesh, { svid, alpn: ['h3'] })).text).toBe('');
  expect((await dial(mesh, { svid, maxVersion: 'TLSv1.2' })).text).toBe('');
  const counters = mesh.b.reader.counters();
  expect(counters.handshakesUnknownName).toBe(1);
  expect(counters.handshakesUnknownProtocol).toBe(1);
  expect(counters.handshakesFailed).toBeGreaterThanOrEqual(3);
  await eventually(() => mesh.b.proxy.openConnections === 0);
});

test('an endpoint that presents another identity than the register names is not talked to', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ identity: WEB })] }));
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/weft-reason: identity-refused\r\n/);
  expect(client.received).toMatch(/^HTTP\/1\.1 503 /);
  expect(app.accepted).toBe(0);
  expect(mesh.a.reader.counters().peersRefusedIdentity).toBe(1);
});

test('certificates are renewed on both sides under traffic, and no request notices', async () => {
  await using app = await TestServer.of(
    http.createServer((_request, response) => {
      response.write('start ');
      setImmediate(() => response.end('end'));
    }),
  );
  await using mesh = await Mesh.start(app.port);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  let served = 0;
  let failed = 0;
  let goOn = true;
  const client = async (): Promise<void> => {
    while (goOn) {
      const request = http.get({ port: mesh.port, host: '127.0.0.1', agent });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      let body = '';
      response.setEncoding('latin1').on('data', (text: string) => {
        body += text;
      });
      await once(response, 'end');
      if (response.statusCode === 200 && body === 'start end') served++;
      else failed++;
    }
  };
  const clients = Promise.all([client(), client(), client(), client()]);
  for (let round = 0; round < 3; round++) {
    const target = served + 40;
    await eventually(() => served >= target);
    mesh.a.proxy.apply(mesh.update({ workloads: [mesh.web(mesh.mint(WEB))] }));
    mesh.b.proxy.apply(mesh.update({ workloads: [mesh.cart(mesh.mint(CART, mesh.nodeB))] }));
  }
  const before = mesh.b.reader.counters().handshakesCompleted;
  const target = served + 40;
  await eventually(() => served >= target);
  goOn = false;
  await clients;
  agent.destroy();
  expect(failed).toBe(0);
  expect(mesh.b.reader.counters().handshakesCompleted).toBe(before); // open connections stayed
  // What is presented from now on is the renewed certificate.
  const renewed = mesh.mint(CART, mesh.nodeB);
  mesh.b.proxy.apply(mesh.update({ workloads: [mesh.cart(renewed)] }));
  const svid = mesh.mint(WEB);
  const socket = tls.connect({
    port: mesh.tunnelPort,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername: endpointServerName(mesh.appPort, 'cart', 'shop'),
    ALPNProtocols: ['http/1.1'],
    cert: svid.certificateChainPem,
    key: svid.privateKeyPem,
  });
  await once(socket, 'secureConnect');
  expect(renewed.certificateChainPem).toContain(socket.getPeerX509Certificate()!.toString().trim());
  socket.destroy();
});

test('an SVID that cannot be used is refused, and the workload keeps the one it had', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const svid = mesh.mint(WEB);
  mesh.a.proxy.apply(mesh.update({ workloads: [mesh.web({ ...svid, privateKeyPem: 'nonsense' })] }));
  expect(mesh.a.reader.counters().updatesRefused).toBe(1);
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/hello/);
});

test('two callers never share a connection to the application', async () => {
  const byConnection = new Map<number | undefined, Set<string>>();
  await using app = await TestServer.of(
    http.createServer((request, response) => {
      const callers = byConnection.get(request.socket.remotePort) ?? new Set();
      byConnection.set(request.socket.remotePort, callers.add(request.url!));
      response.end('hello');
    }),
  );
  await using mesh = await Mesh.start(app.port);
  for (const identity of [WEB, CART, WEB, CART]) await dial(mesh, { svid: mesh.mint(identity) });
  expect(byConnection.size).toBe(2);
});

test('plaintext on an inbound listener is refused without being read', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port);
  const { port } = await mesh.b.proxy.listen({ id: 'plain', role: 'inbound', unit: 'host', transport: 'tcp' });
  using client = await TestClient.connect(port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.closed();
  expect(client.error?.code).toBe('ECONNRESET');
  expect(client.received).toBe('');
  expect(mesh.b.reader.counters().plaintextRefused).toBe(1);
});

test('garbage on every listener is closed and counted, and the proxies go on', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port, {
    config: { tunnel: { handshakeTimeoutMs: 100 }, http: { requestHeadTimeoutMs: 100 } },
  });
  for (const garbage of ['\0\0\0\0', 'GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00\x01', '\xff'.repeat(5_000)]) {
    using tunnel = await TestClient.connect(mesh.tunnelPort);
    tunnel.send(garbage);
    await tunnel.ended();
    using explicit = await TestClient.connect(mesh.port);
    explicit.send(garbage);
    await explicit.ended();
    expect(explicit.received).toMatch(/^(HTTP\/1\.1 4\d\d .*|)$/s);
  }
  const silent = net.connect(mesh.tunnelPort, '127.0.0.1');
  await once(silent.resume(), 'close');
  const counters = mesh.b.reader.counters();
  expect(counters.handshakesFailed + counters.handshakesTimedOut).toBe(5);
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/hello/);
});

test('handshakes and connections are bounded', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port, { config: { tunnel: { maxHandshakes: 2 }, maxConnections: 16 } });
  const idle = await Promise.all([1, 2].map(() => TestClient.connect(mesh.tunnelPort)));
  await eventually(() => mesh.b.reader.counters().handshakesStarted === 2);
  using third = await TestClient.connect(mesh.tunnelPort);
  await third.closed();
  expect(mesh.b.reader.counters().handshakesRefusedLimit).toBe(1);
  // All listeners are of one unit, and the last eighth is for others.
  const many = await Promise.all(Array.from({ length: 14 }, () => TestClient.connect(mesh.port)));
  await eventually(() => mesh.a.proxy.openConnections === 14);
  using over = await TestClient.connect(mesh.port);
  await over.closed();
  expect(mesh.a.reader.counters().connectionsRefusedLimit).toBe(1);
  for (const client of [...idle, ...many]) client[Symbol.dispose]();
});
