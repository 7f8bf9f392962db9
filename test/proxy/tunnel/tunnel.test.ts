/** Tunnels between two agents, on real TLS: sharing, fairness, leaving, and peers that do not keep to the protocol. @module */

import http from 'node:http';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { RESET } from '../../../proxy/streams/carrier.ts';
import { ENDS, KIND } from '../../../proxy/tunnel/frames.ts';
import { CART, eventually, Mesh, TestClient, TestServer } from '../mesh.ts';
import { frame, hello, Peer } from './peer.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: cart\r\n\r\n';

function get(port: number, path = '/'): Promise<{ status: number; reason: unknown; body: string }> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path, agent: false }, (response) => {
        let body = '';
        response.setEncoding('latin1').on('data', (text: string) => {
          body += text;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode!, reason: response.headers['weft-reason'], body }),
        );
      })
      .on('error', reject);
  });
}

function app(handler: http.RequestListener = (_request, response) => response.end('hello')): Promise<TestServer> {
  return TestServer.of(http.createServer(handler));
}

test('requests of many clients share one connection between the agents', async () => {
  const held: http.ServerResponse[] = [];
  await using backend = await app((_request, response) => held.push(response));
  await using mesh = await Mesh.start(backend.port);
  const requests = Array.from({ length: 50 }, () => get(mesh.port));
  await eventually(() => held.length === 50);
  expect(mesh.b.proxy.openConnections).toBe(1);
  for (const [i, response] of held.entries()) response.end(`answer ${i}`);
  const bodies = (await Promise.all(requests)).map(({ body }) => body);
  expect(new Set(bodies).size).toBe(50);
});

test('one client of a hundred that does not read stalls nobody else', async () => {
  const large = Buffer.alloc(32 * 1_048_576, 0x61);
  await using backend = await app((request, response) => response.end(request.url === '/large' ? large : 'small'));
  await using mesh = await Mesh.start(backend.port);
  using stalled = await TestClient.connect(mesh.port);
  stalled.socket.pause();
  stalled.send('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
  const others = await Promise.all(Array.from({ length: 99 }, () => get(mesh.port)));
  expect(others.every(({ status, body }) => status === 200 && body === 'small')).toBe(true);
  expect(mesh.b.proxy.openConnections).toBe(1);
  expect(stalled.received).toBe('');
});

test('when a tunnel is full another is opened, and when all are full requests wait', async () => {
  const held: http.ServerResponse[] = [];
  await using backend = await app((_request, response) => held.push(response));
  const config = { tunnel: { maxStreams: 2 }, upstream: { maxTunnels: 2 } };
  await using mesh = await Mesh.start(backend.port, { config });
  const requests = Array.from({ length: 5 }, () => get(mesh.port));
  await eventually(() => held.length === 4 && mesh.b.proxy.openConnections === 2);
  held[0]!.end('first');
  await eventually(() => held.length === 5);
  for (const response of held.slice(1)) response.end('other');
  expect((await Promise.all(requests)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
});

test('an agent that speaks HTTP/1.1 only is served all the same', async () => {
  await using backend = await app();
  await using mesh = await Mesh.start(backend.port);
  const { certificateChainPem: cert, privateKeyPem: key } = mesh.mint(CART, mesh.nodeB);
  const older = tls.createServer({
    cert,
    key,
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  const plain = http.createServer((_request, response) => response.end('from an older agent'));
  older.on('secureConnection', (socket) => plain.emit('connection', socket));
  await using _server = await TestServer.of(older);
  const { port: tunnelPort } = older.address() as { port: number };
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ tunnelPort })] }));
  const answers = [await get(mesh.port), await get(mesh.port)];
  expect(answers.map(({ body }) => body)).toEqual(['from an older agent', 'from an older agent']);
});

test('an agent that leaves serves what it was asked before, and is asked no more', async () => {
  const held: http.ServerResponse[] = [];
  await using backend = await app((_request, response) => held.push(response));
  await using mesh = await Mesh.start(backend.port);
  const request = get(mesh.port);
  await eventually(() => held.length === 1);
  const closing = mesh.b.proxy.close(10_000);
  mesh.a.proxy.apply(mesh.update({ remove: ['b/cart/http'] }));
  held[0]!.end('served');
  expect((await request).body).toBe('served');
  await closing;
});

test('a tunnel whose other side went silent is given up, and the request told so', async () => {
  await using backend = await app();
  const config = { tunnel: { pingIntervalMs: 100, pingTimeoutMs: 100 } };
  await using mesh = await Mesh.start(backend.port, { config });
  const { certificateChainPem: cert, privateKeyPem: key } = mesh.mint(CART, mesh.nodeB);
  const mute = tls.createServer({ cert, key, requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['weft/1'] });
  mute.on('secureConnection', (socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .write(hello()),
  );
  await using _server = await TestServer.of(mute);
  const { port: tunnelPort } = mute.address() as { port: number };
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ tunnelPort })] }));
  const answer = await get(mesh.port);
  expect(answer).toMatchObject({ status: 502, reason: 'upstream-closed' });
  expect(answer.body).toContain('no answer to a ping');
});

test('a peer that speaks the protocol by hand is served', async () => {
  await using backend = await app();
  await using mesh = await Mesh.start(backend.port);
  const peer = (await Peer.dial(mesh)).send(hello(), frame(KIND.head | ENDS, 1, REQUEST));
  expect(await peer.until(KIND.head, 1)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(await peer.until(KIND.data, 1)).toBe('hello');
});

test.each<[string, Buffer[]]>([
  ['a stream before its hello', [frame(KIND.head | ENDS, 1, REQUEST)]],
  ['a second hello', [hello(), hello()]],
  ['a hello that allows no stream', [hello(0)]],
  ['a stream out of turn', [hello(), frame(KIND.head | ENDS, 2, REQUEST)]],
  ['data of a stream that was never opened', [hello(), frame(KIND.data, 1, 'x')]],
  ['a goaway from who dialled', [hello(), frame(KIND.goaway, 0)]],
  ['a kind nobody knows', [hello(), frame(0x33, 0)]],
  ['HTTP', [Buffer.from(REQUEST)]],
])('a peer that sends %s is cut off', async (_what, frames) => {
  await using backend = await app();
  await using mesh = await Mesh.start(backend.port);
  const peer = (await Peer.dial(mesh)).send(...frames);
  await peer.closed();
  expect(peer.frames().some(({ kind }) => kind === KIND.head)).toBe(false);
  expect(backend.accepted).toBe(0);
});

const POST = 'POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 5\r\n\r\n';

test.each<[string, Buffer[], string]>([
  ['a head that is two', [frame(KIND.head | ENDS, 1, REQUEST + REQUEST)], 'bad-request-line'],
  ['half a head', [frame(KIND.head | ENDS, 1, REQUEST.slice(0, -2))], 'bad-request-line'],
  ['a folded header', [frame(KIND.head | ENDS, 1, 'GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n')], 'obs-fold'],
  [
    'two lengths',
    [frame(KIND.head, 1, POST.replace('Host: cart', 'Host: cart\r\nContent-Length: 6'))],
    'duplicate-length',
  ],
  ['more than it announced', [frame(KIND.head, 1, POST), frame(KIND.data, 1, '123456')], 'bad-length'],
  ['less than it announced', [frame(KIND.head, 1, POST), frame(KIND.data | ENDS, 1, '1234')], 'request-truncated'],
  ['no body where it announced one', [frame(KIND.head | ENDS, 1, POST)], 'request-truncated'],
  ['a body it did not announce', [frame(KIND.head, 1, REQUEST), frame(KIND.data | ENDS, 1, 'x')], 'bad-length'],
  [
    'trailers that are none',
    [
      frame(KIND.head, 1, POST.replace('Content-Length: 5', 'Transfer-Encoding: chunked')),
      frame(KIND.end, 1, 'x\r\n\r\n'),
    ],
    'bad-trailer',
  ],
])('a request with %s is refused, and the next one on the tunnel served', async (_what, frames, reason) => {
  await using backend = await app((request, response) => request.resume().on('end', () => response.end('hello')));
  await using mesh = await Mesh.start(backend.port);
  const peer = (await Peer.dial(mesh)).send(hello(), ...frames);
  expect(await peer.until(KIND.head, 1)).toContain(`weft-reason: ${reason}\r\n`);
  peer.send(frame(KIND.head | ENDS, 2, REQUEST));
  expect(await peer.until(KIND.head, 2)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
});

test('a peer that sends more than it has credit for loses that stream', async () => {
  await using backend = await app(() => undefined); // reads nothing
  await using mesh = await Mesh.start(backend.port);
  const head = POST.replace('Content-Length: 5', 'Content-Length: 100000000');
  const flood = Array.from({ length: 600 }, () => frame(KIND.data, 1, Buffer.alloc(65_536)));
  const peer = (await Peer.dial(mesh)).send(hello(), frame(KIND.head, 1, head), ...flood);
  expect(await peer.until(KIND.head, 1)).toContain('weft-reason: bad-length');
});

test('a peer that opens more streams than it may is refused those', async () => {
  const held: http.ServerResponse[] = [];
  await using backend = await app((_request, response) => held.push(response));
  await using mesh = await Mesh.start(backend.port, { config: { tunnel: { maxStreams: 2 } } });
  const heads = [1, 2, 3].map((id) => frame(KIND.head | ENDS, id, REQUEST));
  const peer = (await Peer.dial(mesh)).send(hello(), ...heads);
  expect(await peer.until(KIND.reset, 3)).toBe(String.fromCharCode(RESET.refused));
  await eventually(() => held.length === 2);
});

test('a peer that opens and resets streams without end is cut off', async () => {
  await using backend = await app(() => undefined);
  await using mesh = await Mesh.start(backend.port);
  const peer = await Peer.dial(mesh);
  peer.send(hello());
  for (let id = 1; id <= 4_000; id += 1) {
    peer.socket.write(Buffer.concat([frame(KIND.head | ENDS, id, REQUEST), frame(KIND.reset, id, '\0')]));
  }
  await peer.closed();
});

test('a reset by the caller reaches the application as one', async () => {
  await using backend = await app(() => undefined);
  await using mesh = await Mesh.start(backend.port);
  const peer = (await Peer.dial(mesh)).send(hello(), frame(KIND.head | ENDS, 1, REQUEST));
  await eventually(() => backend.sockets.size === 1);
  peer.send(frame(KIND.reset, 1, '\0'));
  await eventually(() => backend.sockets.size === 0);
  expect(peer.socket.closed).toBe(false);
});
