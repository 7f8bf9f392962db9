/** HBONE from an ambient mesh: who may open which way to which port, and that the bytes on it are bytes. */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import type tls from 'node:tls';
import { expect, test } from 'vitest';
import { endpointServerName } from '../../../proxy/snapshot.ts';
import { TRUST_DOMAIN } from '../../certs/trust.ts';
import { deny, operation, rules, source } from '../access/policies.ts';
import { CART, eventually, Mesh, type MeshOptions, TestServer, WEB } from '../mesh.ts';
import { Ambient, ISTIO, Way } from './ambient.ts';

const TCP: MeshOptions = { protocol: 'tcp' };

function echo(): Promise<TestServer> {
  return TestServer.tcp((socket) => socket.pipe(socket));
}

function hello(): Promise<TestServer> {
  return TestServer.of(http.createServer((request, response) => response.end(`hello ${request.url}`)));
}

function at(mesh: Mesh): string {
  return `127.0.0.1:${mesh.appPort}`;
}

test('without a server name the workload of the unit is shown, and CONNECT leads to its port', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const session = await ambient.connect();
  const way = (await Way.open(session, at(mesh))).read();
  expect(way.status).toBe(200);
  way.stream.write('one');
  await eventually(() => way.received === 'one');
  const shown = (session.socket as tls.TLSSocket).getPeerX509Certificate();
  expect(shown?.subjectAltName).toContain(CART);
  expect(shown?.issuerCertificate?.issuerCertificate).toBeDefined(); // the whole chain came along
  const rows = mesh.b.reader.series().map(({ labels }) => labels);
  const labels = { direction: 'inbound', source: ISTIO, destination: 'shop/cart', protocol: 'tcp' };
  expect(rows).toEqual([{ ...labels, sourceService: '', version: '', route: '', method: '' }]);
});

test.each(['cart.istio.svc', 'outbound_.8080_._.cart.shop.svc.cluster.local'])(
  'a server name that is none of ours, %s, counts as none',
  async (servername) => {
    await using app = await echo();
    await using mesh = await Mesh.start(app.port, TCP);
    await using ambient = new Ambient(mesh);
    expect((await Way.open(await ambient.connect({ servername }), at(mesh))).status).toBe(200);
  },
);

test('a name of ours that nobody has is refused in the handshake', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const socket = ambient.dial({ servername: endpointServerName(1, 'cart', 'shop') });
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  expect(mesh.b.reader.counters().handshakesUnknownName).toBe(1);
});

test('an application that ends first, and a client that ends first, may both still read', async () => {
  await using app = await TestServer.tcp((socket) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text === 'bye') socket.end('last');
    });
    socket.on('end', () => socket.end(`got ${text}`));
  });
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const session = await ambient.connect();
  const first = (await Way.open(session, at(mesh))).read();
  first.stream.end('all of it');
  await eventually(() => first.hasEnded);
  expect(first.received).toBe('got all of it');
  const second = (await Way.open(session, at(mesh))).read();
  second.stream.write('bye');
  await eventually(() => second.hasEnded);
  expect(second.received).toBe('last');
  const [server] = app.sockets;
  second.stream.end('more');
  await once(server!, 'end');
  await second.closed();
  expect(second.stream.rstCode).toBe(0);
  await eventually(() => app.sockets.size === 0);
});

test('a reset is passed on as a reset, both ways', async () => {
  await using app = await TestServer.tcp((socket) => socket.on('data', (chunk: Buffer) => socket.write(chunk)));
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const session = await ambient.connect();
  const way = (await Way.open(session, at(mesh))).read();
  way.stream.write('x');
  await eventually(() => way.received === 'x');
  const [server] = app.sockets;
  const failed = once(server!, 'error') as Promise<[NodeJS.ErrnoException]>;
  way.stream.close(http2.constants.NGHTTP2_CANCEL); // node:http2 ends the stream before it resets it
  await once(server!, 'end');
  await eventually(() => server!.destroyed || !server!.write('anybody?'));
  expect((await failed)[0].code).toMatch(/ECONNRESET|EPIPE/);
  const other = (await Way.open(session, at(mesh))).read();
  other.stream.write('y');
  await eventually(() => other.received === 'y');
  [...app.sockets].at(-1)!.resetAndDestroy();
  await other.closed();
  expect(other.stream.rstCode).toBe(http2.constants.NGHTTP2_CONNECT_ERROR); // RFC 9113 §8.5
});

test('a slow reader on either side stops its own stream and no other', async () => {
  const stalled: net.Socket[] = [];
  const block = Buffer.alloc(65_536);
  let written = 0;
  await using app = await TestServer.tcp((socket) => {
    socket.once('data', (first: Buffer) => {
      if (first.toString() === 'e') socket.pipe(socket).write(first);
      else if (first.toString() === 's') stalled.push(socket.pause());
      else {
        const fill = (): void => {
          do written += block.length;
          while (socket.write(block) && written < 64 * 1_048_576);
        };
        socket.on('drain', fill);
        fill();
      }
    });
  });
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const session = await ambient.connect();
  // The application writes all it can to a client that does not read.
  const down = await Way.open(session, at(mesh));
  down.stream.pause();
  down.stream.write('w');
  // The client writes all it can to an application that does not read.
  const up = await Way.open(session, at(mesh));
  up.stream.write('s');
  let sent = 0;
  const fill = (): void => {
    do sent += block.length;
    while (up.stream.write(block) && sent < 64 * 1_048_576);
  };
  up.stream.on('drain', fill);
  await eventually(() => stalled.length === 1);
  fill();
  const third = (await Way.open(session, at(mesh))).read();
  third.stream.write('e');
  await eventually(() => third.bytes === 1);
  for (let round = 0; round < 200; round++) {
    const before = third.bytes;
    third.stream.write(block);
    await eventually(() => third.bytes === before + block.length);
  }
  expect(written).toBeLessThan(24 * 1_048_576); // kernel buffers of loopback, and a window
  expect(sent).toBeLessThan(24 * 1_048_576);
  // Both go on where they were.
  let got = 0;
  down.stream.on('data', (chunk: Buffer) => (got += chunk.length));
  down.stream.resume();
  await eventually(() => got > 32 * 1_048_576);
  let taken = 0;
  stalled[0]!.on('data', (chunk: Buffer) => (taken += chunk.length)).resume();
  await eventually(() => taken > 32 * 1_048_576);
}, 60_000);

test('what is no port of this unit does not exist here', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const session = await ambient.connect();
  const answer = async (authority: string): Promise<string> => {
    const way = await Way.open(session, authority);
    await way.closed();
    return `${way.status} ${way.headers['weft-reason']}`;
  };
  expect(await answer('127.0.0.1:1')).toBe('404 no-such-port');
  expect(await answer(`127.0.0.2:${mesh.appPort}`)).toBe('404 no-such-port');
  expect(await answer(`192.0.2.1:${mesh.appPort}`)).toBe('404 no-such-port');
  expect(await answer(`cart.other.weft:${mesh.appPort}`)).toBe('404 no-such-port');
  expect(await answer('127.0.0.1')).toBe('400 bad-host');
  expect(await answer('127.0.0.1:99999')).toBe('400 bad-host');
  expect(await answer('[::1]')).toBe('400 bad-host');
  expect((await Way.open(session, `cart.shop.weft:${mesh.appPort}`)).status).toBe(200);
  expect(app.accepted).toBe(1);
});

test('who was shown one workload gets no other of the unit', async () => {
  await using app = await echo();
  await using other = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const cart = mesh.cart();
  const port = { ...cart.ports[0]!, endpointId: 'b/web/tcp', port: other.port };
  const web = { ...mesh.web(mesh.mint(WEB, mesh.nodeB)), ports: [port] };
  mesh.b.proxy.apply(mesh.update({ workloads: [web] }));
  const servername = endpointServerName(mesh.appPort, 'cart', 'shop');
  const session = await ambient.connect({ servername });
  const way = await Way.open(session, `127.0.0.1:${other.port}`);
  expect(`${way.status} ${way.headers['weft-reason']}`).toBe('421 misdirected');
  expect((await Way.open(session, at(mesh))).status).toBe(200);
  // Two workloads at one address: without a name nobody knows whose certificate to show.
  const unnamed = ambient.dial();
  await new Promise<void>((resolve) => unnamed.once('close', () => resolve()));
  expect(mesh.b.reader.counters().handshakesUnknownName).toBe(1);
  expect(other.accepted).toBe(0);
});

test('a connection that rules deny is refused with the rule, one that nobody answers with the reason', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const session = await ambient.connect();
  const open = await Way.open(session, at(mesh));
  expect(open.status).toBe(200);
  const access = rules([deny('istio', { from: [source({ namespaces: ['istio'] })] })]);
  mesh.b.proxy.apply({ version: 100, access });
  await open.closed(); // what is open is cut
  const denied = await Way.open(session, at(mesh));
  expect(denied.status).toBe(403);
  expect(denied.headers).toMatchObject({ 'weft-reason': 'access-denied', 'weft-policy': 'shop/istio/r0' });
  mesh.b.proxy.apply({ version: 101, access: rules([]) });
  await app[Symbol.asyncDispose]();
  const alone = await Way.open(session, at(mesh));
  expect(`${alone.status} ${alone.headers['weft-reason']}`).toBe('503 app-unreachable');
});

test('CONNECT to a port that speaks HTTP is no way around rules about requests', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port, { protocol: 'http' });
  await using ambient = new Ambient(mesh);
  const access = rules([deny('admin', { to: [operation({ paths: ['/admin'] })] })]);
  mesh.b.proxy.apply({ version: 100, access });
  const way = (await Way.open(await ambient.connect(), at(mesh))).read();
  expect(way.status).toBe(200);
  way.stream.write('GET /shop HTTP/1.1\r\nHost: cart\r\n\r\n');
  await eventually(() => way.received.endsWith('hello /shop'));
  way.stream.write('GET /admin HTTP/1.1\r\nHost: cart\r\n\r\n');
  await eventually(() => way.received.includes('weft-policy: shop/admin/r0'));
  way.stream.write('GET /%61dmin HTTP/1.1\r\nHost: cart\r\n\r\n');
  await eventually(() => way.received.split('weft-policy: shop/admin/r0').length === 3);
  way.stream.end('SSH-2.0-not http at all\r\n\r\n');
  await way.closed();
  expect(way.received).not.toContain('hello /admin');
  expect(way.received).toContain('weft-reason: bad-'); // what is not HTTP does not reach it
});

test('requests other than CONNECT need a server name', async () => {
  await using app = await hello();
  await using mesh = await Mesh.start(app.port, { protocol: 'http' });
  await using ambient = new Ambient(mesh);
  const status = async (options: object): Promise<string> => {
    const session = await ambient.connect(options);
    const stream = session.request({ ':path': '/x', ':authority': 'cart' });
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    stream.resume();
    await new Promise<void>((resolve) => stream.once('close', () => resolve()));
    return `${headers[':status']} ${headers['weft-reason'] ?? ''}`;
  };
  expect(await status({})).toBe('400 connect-only');
  expect(await status({ servername: endpointServerName(mesh.appPort, 'cart', 'shop') })).toBe('200 ');
});

test('an issuer outside its grant, or not listed, gets nothing', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const refused = async (spiffeId: string): Promise<void> => {
    const socket = ambient.dial(ambient.credentials(spiffeId));
    await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  };
  await refused(`spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`);
  expect(mesh.b.reader.counters().peersRefusedGrant).toBe(1);
  mesh.foreignIssuers = [];
  mesh.b.proxy.apply(mesh.update({}));
  await refused(ISTIO);
  expect(mesh.b.reader.counters().peersRefusedIdentity).toBe(1);
  expect(app.accepted).toBe(0);
});

test('a revocation cuts the ways that are open', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const way = await Way.open(await ambient.connect(), at(mesh));
  expect(way.status).toBe(200);
  mesh.b.proxy.apply({ version: 100, revocations: [{ subject: ISTIO, beforeMs: Date.now() }] });
  await way.closed();
  await eventually(() => app.sockets.size === 0);
});

test('the end of a connection is a reset to each application behind it', async () => {
  const failures: string[] = [];
  await using app = await TestServer.tcp((socket) => {
    socket.on('error', (error: NodeJS.ErrnoException) => failures.push(error.code ?? ''));
    socket.pipe(socket);
  });
  await using mesh = await Mesh.start(app.port, TCP);
  await using ambient = new Ambient(mesh);
  const session = await ambient.connect();
  for (let n = 0; n < 3; n++) expect((await Way.open(session, at(mesh))).status).toBe(200);
  await eventually(() => app.accepted === 3);
  session.destroy();
  await eventually(() => app.sockets.size === 0);
  expect(failures).toEqual(['ECONNRESET', 'ECONNRESET', 'ECONNRESET']);
});
