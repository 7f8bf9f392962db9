/** HTTP/2 through two proxies, with node:http2 as client, as application, and as both; and HTTP/1.1 on either side. @module */

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { afterEach, describe, expect, test } from 'vitest';
import { eventually, Mesh, TestServer } from '../mesh.ts';
import { CODE, goaway, headers, ping, settings, TYPE } from './frames.ts';
import { GET, Peer, request } from './peer.ts';

const sessions: http2.ClientHttp2Session[] = [];
afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
});

function connect(port: number, options: http2.ClientSessionOptions = {}): http2.ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${port}`, options);
  session.on('error', () => undefined);
  sessions.push(session);
  return session;
}

interface Answer {
  readonly headers: http2.IncomingHttpHeaders;
  readonly trailers: http2.IncomingHttpHeaders;
  readonly body: Buffer;
}

async function ask(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: Buffer,
): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  let head: http2.IncomingHttpHeaders = {};
  let trailers: http2.IncomingHttpHeaders = {};
  const pieces: Buffer[] = [];
  stream.on('response', (received) => {
    head = received;
  });
  stream.on('trailers', (received) => {
    trailers = received;
  });
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  await once(stream, 'close');
  if (stream.rstCode !== 0) throw new Error(`reset with ${stream.rstCode}`);
  return { headers: head, trailers, body: Buffer.concat(pieces) };
}

/** An application that speaks HTTP/2 with prior knowledge, as gRPC servers do. */
function http2App(
  handler: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  options: http2.ServerOptions = {},
): Promise<TestServer> {
  const server = http2.createServer(options);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    handler(stream as http2.ServerHttp2Stream, headers);
  });
  return TestServer.of(server as unknown as http.Server);
}

/** Tells what it was asked and sends the body back. */
function echo(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): void {
  stream.respond({ ':status': 200, 'x-asked': `${headers[':method']} ${headers[':path']} ${headers[':authority']}` });
  stream.pipe(stream);
}

describe.each(['http2', 'http'] as const)('an application that speaks %s', (protocol) => {
  async function start(): Promise<{ app: TestServer; mesh: Mesh }> {
    const app =
      protocol === 'http2'
        ? await http2App(echo)
        : await TestServer.of(
            http.createServer((request, response) => {
              response.setHeader('x-asked', `${request.method} ${request.url} ${request.headers.host}`);
              request.pipe(response);
            }),
          );
    return { app, mesh: await Mesh.start(app.port, { protocol }) };
  }

  test('answers a client of HTTP/2', async () => {
    const { app, mesh } = await start();
    await using _app = app;
    await using _mesh = mesh;
    const answer = await ask(connect(mesh.port), { ':path': '/a?b=c', ':authority': 'cart.shop' });
    expect(answer.headers[':status']).toBe(200);
    expect(answer.headers['x-asked']).toBe('GET /a?b=c cart.shop');
    expect(answer.headers.connection).toBeUndefined();
    expect(answer.headers['transfer-encoding']).toBeUndefined();
  });

  test('answers a client of HTTP/1.1', async () => {
    const { app, mesh } = await start();
    await using _app = app;
    await using _mesh = mesh;
    const request = http.request({ port: mesh.port, host: '127.0.0.1', method: 'POST', path: '/p', agent: false });
    request.end('some body');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    expect(response.headers['x-asked']).toMatch(/^POST \/p 127\.0\.0\.1/);
    const body = (await response.toArray()).map(String).join('');
    expect(body).toBe('some body');
  });

  test('gets and gives bodies whole, many at a time', async () => {
    const { app, mesh } = await start();
    await using _app = app;
    await using _mesh = mesh;
    const session = connect(mesh.port);
    const bodies = Array.from({ length: 20 }, (_, i) => randomBytes(i * 50_000 + 1));
    const answers = await Promise.all(bodies.map((body) => ask(session, { ':method': 'POST', ':path': '/' }, body)));
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(answers.map(({ body }) => digest(body))).toEqual(bodies.map(digest));
  });
});

test('each stream of one connection is balanced by itself', async () => {
  await using one = await http2App((stream) => stream.respond({ ':status': 200, 'x-app': 'one' }, { endStream: true }));
  await using two = await http2App((stream) => stream.respond({ ':status': 200, 'x-app': 'two' }, { endStream: true }));
  await using mesh = await Mesh.start(one.port, { protocol: 'http2' });
  const cart = mesh.cart();
  const [port] = cart.ports;
  const second = { ...port!, endpointId: 'b/cart/two', port: two.port };
  mesh.b.proxy.apply(mesh.update({ workloads: [{ ...cart, ports: [port!, second] }] }));
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ id: 'b/cart/two', port: two.port })] }));
  const session = connect(mesh.port);
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(session, { ':path': '/' })));
  expect(new Set(answers.map(({ headers }) => headers['x-app']))).toEqual(new Set(['one', 'two']));
});

test('gRPC: te and trailers go through, also where the trailers are all there is', async () => {
  let te: unknown;
  await using app = await http2App((stream, headers) => {
    te = headers.te;
    if (headers[':path'] === '/only') {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true });
      return;
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }));
    stream.end('message');
  });
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  const session = connect(mesh.port);
  const call = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
  const answer = await ask(session, { ...call, ':path': '/say' }, Buffer.from('question'));
  expect(answer.body.toString()).toBe('message');
  expect(answer.trailers).toMatchObject({ 'grpc-status': '0', 'grpc-message': 'fine' });
  expect(te).toBe('trailers');
  expect((await ask(session, { ...call, ':path': '/only' }, Buffer.from('q'))).headers['grpc-status']).toBe('5');
});

test('a stream of a thousand messages is carried as it comes, both ways', async () => {
  await using app = await http2App((stream) => {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  const stream = connect(mesh.port).request({ ':method': 'POST', ':path': '/' });
  stream.setEncoding('latin1');
  let received = '';
  stream.on('data', (text: string) => {
    received += text;
  });
  for (let i = 0; i < 1_000; i++) {
    stream.write(`<${i}>`);
    // The next is sent once this one is back: nothing waits for the end of the stream.
    if (i % 100 === 0) await eventually(() => received.endsWith(`<${i}>`));
  }
  stream.end();
  await once(stream, 'end');
  expect(received).toBe(Array.from({ length: 1_000 }, (_, i) => `<${i}>`).join(''));
});

test('a reset by the client reaches the application', async () => {
  const open: http2.ServerHttp2Stream[] = [];
  await using app = await http2App((stream) => open.push(stream));
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  const stream = connect(mesh.port).request({ ':path': '/never' });
  stream.on('error', () => undefined);
  await eventually(() => open.length === 1);
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await eventually(() => open[0]!.closed);
  expect(open[0]!.rstCode).toBe(http2.constants.NGHTTP2_CANCEL);
});

test('a reset by the application in the middle of a response reaches the client', async () => {
  await using app = await http2App((stream) => {
    stream.respond({ ':status': 200 });
    stream.write('begin');
    setImmediate(() => stream.destroy(new Error('the application fails')));
  });
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  await expect(ask(connect(mesh.port), { ':path': '/' })).rejects.toThrow(/NGHTTP2_INTERNAL_ERROR|reset with 2/);
});

test('a stalled download stalls its own stream only', async () => {
  const large = Buffer.alloc(8 * 1_048_576, 0x61);
  await using app = await http2App((stream, headers) => {
    stream.respond({ ':status': 200 });
    stream.end(headers[':path'] === '/large' ? large : 'small');
  });
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  const session = connect(mesh.port);
  const stalled = session.request({ ':path': '/large' });
  await once(stalled, 'response');
  const others = await Promise.all(Array.from({ length: 30 }, () => ask(session, { ':path': '/small' })));
  expect(others.every(({ body }) => body.toString() === 'small')).toBe(true);
  let bytes = 0;
  stalled.on('data', (piece: Buffer) => {
    bytes += piece.length;
  });
  await once(stalled, 'end');
  expect(bytes).toBe(large.length);
});

test('a denial of the mesh comes as a response with its reason', async () => {
  await using app = await http2App(echo);
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ state: 'draining' })] }));
  const answer = await ask(connect(mesh.port), { ':path': '/' });
  expect(answer.headers[':status']).toBe(503);
  expect(answer.headers['weft-reason']).toBe('no-endpoint');
  expect(answer.body.toString()).toContain('no ready endpoint');
});

test('HEAD, 204 and 304 have no body, and cookies are one again', async () => {
  let cookie: unknown;
  await using app = await TestServer.of(
    http.createServer((request, response) => {
      cookie = request.headers.cookie;
      if (request.url === '/304') response.writeHead(304).end();
      else if (request.url === '/204') response.writeHead(204).end();
      else response.writeHead(200, { 'content-length': '5' }).end(request.method === 'HEAD' ? undefined : 'hello');
    }),
  );
  await using mesh = await Mesh.start(app.port);
  const session = connect(mesh.port);
  const head = await ask(session, { ':method': 'HEAD', ':path': '/', cookie: ['a=1', 'b=2'] });
  expect([head.headers['content-length'], head.body.length, cookie]).toEqual(['5', 0, 'a=1; b=2']);
  expect((await ask(session, { ':path': '/204' })).headers[':status']).toBe(204);
  expect((await ask(session, { ':path': '/304' })).headers[':status']).toBe(304);
  expect((await ask(session, { ':path': '/' })).body.toString()).toBe('hello');
});

describe('node:http2 at both ends, whatever its settings', () => {
  test.each<[string, http2.Settings]>([
    ['a table of no bytes', { headerTableSize: 0 }],
    ['windows of 100 bytes', { initialWindowSize: 100 }],
    ['windows of 10 MB', { initialWindowSize: 10_000_000 }],
    ['frames of 1 MB', { maxFrameSize: 1_048_576 }],
    ['no push', { enablePush: false }],
  ])('%s', async (_what, settings) => {
    await using app = await http2App(echo, { settings: { ...settings, enablePush: false } });
    await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
    const session = connect(mesh.port, { settings });
    const body = randomBytes(30_000);
    for (const path of ['/first', '/second']) {
      const answer = await ask(session, { ':method': 'POST', ':path': path, 'x-custom': 'value' }, body);
      expect(answer.headers['x-asked']).toContain(path);
      expect(answer.body.equals(body)).toBe(true);
    }
  });

  test('windows that change in the middle of a stream, in both directions', async () => {
    const sessions: http2.Http2Session[] = [];
    await using app = await http2App((stream, headers) => {
      if (!sessions.includes(stream.session!)) sessions.push(stream.session!);
      echo(stream, headers);
    });
    await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
    const session = connect(mesh.port);
    const body = randomBytes(3_000_000);
    const answer = ask(session, { ':method': 'POST', ':path': '/' }, body);
    await eventually(() => sessions.length === 1);
    for (const initialWindowSize of [10, 200_000, 0, 1_000_000, 65_535]) {
      await new Promise((resolve) => session.settings({ initialWindowSize }, resolve));
      await new Promise((resolve) => sessions[0]!.settings({ initialWindowSize }, resolve));
    }
    expect((await answer).body.equals(body)).toBe(true);
  });
});

test('heads that need CONTINUATION, both ways', async () => {
  await using app = await http2App((stream, headers) =>
    stream.respond({ ':status': 200, 'x-back': headers['x-long'] }, { endStream: true }),
  );
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  const long = 'x'.repeat(20_000);
  const answer = await ask(connect(mesh.port), { ':path': '/', 'x-long': long });
  expect(answer.headers['x-back']).toBe(long);
});

test('a head larger than it may be is refused, and the connection goes on', async () => {
  await using app = await http2App(echo);
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  const session = connect(mesh.port);
  const fields = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`x-${i}`, '']));
  expect((await ask(session, { ':path': '/', ...fields })).headers[':status']).toBe(431);
  expect((await ask(session, { ':path': '/' })).headers[':status']).toBe(200);
});

test.each(['http2', 'http'] as const)('100-continue, for an application that speaks %s', async (protocol) => {
  const continued = (request: unknown, response: { writeContinue(): void }): void => {
    response.writeContinue();
    (request as NodeJS.ReadableStream).pipe(response as unknown as NodeJS.WritableStream);
  };
  const server = protocol === 'http2' ? http2.createServer() : http.createServer();
  server.on('request', continued); // without this nobody asks the other
  server.on('checkContinue', continued);
  await using app = await TestServer.of(server as unknown as http.Server);
  await using mesh = await Mesh.start(app.port, { protocol });
  const stream = connect(mesh.port).request({ ':method': 'POST', ':path': '/', expect: '100-continue' });
  await once(stream, 'continue');
  stream.end('after it');
  expect((await stream.toArray()).join('')).toBe('after it');
});

test('a response that comes before its upload is whole, although its reader is slow and the application gone', async () => {
  const large = randomBytes(200_000);
  let closed = false;
  await using app = await http2App((stream) => {
    stream.respond({ ':status': 413 });
    stream.end(large);
    stream.on('finish', () => setImmediate(() => stream.close(http2.constants.NGHTTP2_NO_ERROR)));
    stream.on('close', () => {
      closed = true;
      stream.session?.destroy();
    });
  });
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  const stream = connect(mesh.port).request({ ':method': 'POST', ':path': '/' }, { endStream: false });
  stream.on('error', () => undefined);
  stream.write('the beginning');
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  expect(headers[':status']).toBe(413);
  stream.pause();
  await eventually(() => closed);
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  stream.resume();
  await once(stream, 'end');
  expect(Buffer.concat(pieces).equals(large)).toBe(true);
});

describe('leaving', () => {
  test('an application that says GOAWAY finishes what it has, and gets no more on that connection', async () => {
    const held: http2.ServerHttp2Stream[] = [];
    await using app = await http2App((stream, headers) => {
      if (headers[':path'] === '/held') held.push(stream);
      else stream.respond({ ':status': 200 }, { endStream: true });
    });
    await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
    const session = connect(mesh.port);
    const answer = ask(session, { ':path': '/held' });
    await eventually(() => held.length === 1);
    expect(app.accepted).toBe(1);
    held[0]!.session!.goaway(http2.constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1);
    // The proxy may not have read it yet; then the next goes the old way, and is answered all the same.
    while (app.accepted === 1) expect((await ask(session, { ':path': '/' })).headers[':status']).toBe(200);
    held[0]!.respond({ ':status': 200 });
    held[0]!.end('late');
    expect((await answer).body.toString()).toBe('late');
  });

  test('a request that the application never looked at is sent again elsewhere', async () => {
    let asked = 0;
    await using app = await TestServer.tcp((socket) => {
      const peer = new Peer(socket);
      const serve = async (): Promise<void> => {
        await peer.accept();
        peer.send(settings());
        await peer.greeted();
        const { stream } = await peer.of(TYPE.headers);
        asked++;
        if (asked === 1) peer.send(goaway(0, CODE.none));
        else peer.send(headers(stream, [[':status', '200']]));
      };
      void serve().catch(() => undefined);
    });
    await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
    expect((await ask(connect(mesh.port), { ':path': '/' })).headers[':status']).toBe(200);
    expect(asked).toBe(2);
  });

  test('a proxy that drains serves what was on its way, says what it serves, and closes after the last of it', async () => {
    const held: http.ServerResponse[] = [];
    await using app = await TestServer.of(
      http.createServer((request, response) => (request.url === '/held' ? held.push(response) : response.end('ok'))),
    );
    await using mesh = await Mesh.start(app.port);
    using peer = await Peer.client(mesh.port);
    peer.send(headers(1, request('/held')));
    await eventually(() => held.length === 1);
    const closing = mesh.a.proxy.close(20_000);
    const first = await peer.of(TYPE.goaway);
    expect(first.payload.readUInt32BE(0)).toBe(2 ** 31 - 1);
    peer.send(headers(3, GET)); // had been on its way
    expect(peer.fields(await peer.of(TYPE.headers, 3))[0]).toEqual([':status', '200']);
    const { payload } = peer.received.find(({ type }) => type === TYPE.ping)!;
    peer.send(ping(true, payload));
    expect((await peer.of(TYPE.goaway)).payload.readUInt32BE(0)).toBe(3);
    peer.send(headers(5, GET)); // knows better
    await peer.alive();
    held[0]!.end('late');
    expect(peer.fields(await peer.of(TYPE.headers, 1))[0]).toEqual([':status', '200']);
    await peer.ended();
    expect(peer.hasEnded).toBe(true);
    expect(peer.received.some(({ type, stream }) => stream === 5 && type === TYPE.headers)).toBe(false);
    peer.socket.end();
    await closing;
  });
});
