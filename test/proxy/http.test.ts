/** HTTP through two proxies: client, explicit listener, mTLS, tunnel listener, application. @module */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { eventually, Mesh, TestClient, TestServer } from './mesh.ts';

function get(
  port: number,
  path = '/',
  options: http.RequestOptions = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', path, ...options }, (response) => {
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    });
    request.on('error', reject);
    request.end();
  });
}

/** An application that answers with what it saw. */
function echo(): Promise<TestServer> {
  return TestServer.of(
    http.createServer((request, response) => {
      const hash = createHash('sha256');
      let bytes = 0;
      request.on('data', (chunk: Buffer) => {
        hash.update(chunk);
        bytes += chunk.length;
      });
      request.on('end', () => {
        response.setHeader('x-method', request.method!);
        response.end(JSON.stringify({ url: request.url, raw: request.rawHeaders, bytes, sha256: hash.digest('hex') }));
      });
    }),
  );
}

test('a GET reaches the application with its header names and order untouched', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send(
    'GET /a?b=c HTTP/1.1\r\nhOsT: cart\r\nX-One: 1\r\nx-two:   2\r\nConnection: X-Hop\r\nX-Hop: gone\r\n\r\n',
  );
  await client.until(/\r\n\r\n\{.*\}/);
  const seen = JSON.parse(client.received.slice(client.received.indexOf('{')));
  expect(seen.url).toBe('/a?b=c');
  expect(seen.raw).toEqual(['hOsT', 'cart', 'X-One', '1', 'x-two', '2']);
  expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(client.received).not.toMatch(/keep-alive/i);
});

test('requests of many connections share few, and keep-alive connections are reused', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => get(mesh.port, `/${i}`, { agent })));
  expect(answers.map(({ status }) => status)).toEqual(Array(40).fill(200));
  expect(app.accepted).toBeLessThanOrEqual(4);
  expect(mesh.a.reader.counters().upstreamReused).toBeGreaterThanOrEqual(36);
  expect(mesh.a.reader.totals().requests).toBe(40);
  agent.destroy();
});

test('chunked bodies and trailers pass in both directions', async () => {
  await using app = await TestServer.of(
    http.createServer((request, response) => {
      let body = '';
      request.setEncoding('latin1');
      request.on('data', (text: string) => {
        body += text;
      });
      request.on('end', () => {
        response.setHeader('Trailer', 'X-Sum');
        response.write(`[${body}]`);
        response.addTrailers({ 'X-Sum': String(request.trailers['x-check']) });
        response.end();
      });
    }),
  );
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('POST / HTTP/1.1\r\nHost: cart\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n');
  client.send('006\r\n world\r\n0\r\nX-Check: 11\r\nHost: evil\r\n\r\n');
  await client.until(/0\r\nX-Sum: 11\r\n\r\n$/);
  expect(client.received).toContain('\r\nd\r\n[hello world]\r\n');
});

test('pipelined requests are answered one after the other, in order', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send([1, 2, 3, 4, 5].map((n) => `GET /${n} HTTP/1.1\r\nHost: cart\r\n\r\n`).join(''));
  await client.until(/"\/5"/);
  expect([...client.received.matchAll(/"url":"\/(\d)"/g)].map((match) => match[1])).toEqual(['1', '2', '3', '4', '5']);
});

test('HEAD, 204 and 304 carry no body, and the connection goes on', async () => {
  await using app = await TestServer.of(
    http.createServer((request, response) => {
      response.statusCode = Number(request.url!.slice(1));
      response.setHeader('Content-Length', request.method === 'HEAD' ? 1000 : response.statusCode === 304 ? 500 : 2);
      if (response.statusCode === 204) response.removeHeader('Content-Length');
      response.end(request.method === 'HEAD' || response.statusCode !== 200 ? undefined : 'ok');
    }),
  );
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('HEAD /200 HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/Content-Length: 1000\r\n.*\r\n\r\n$/s);
  client.send('GET /204 HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/204 No Content\r\n.*\r\n\r\n$/s);
  client.send('GET /304 HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/304 Not Modified\r\n.*\r\n\r\n$/s);
  client.send('GET /200 HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/ok$/);
});

test('an HTTP/1.0 client gets a response that ends with the connection', async () => {
  await using app = await TestServer.of(
    http.createServer((_request, response) => {
      response.write('one ');
      response.end('two');
    }),
  );
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.0\r\n\r\n');
  await client.ended();
  expect(client.received).toMatch(/\r\nConnection: close\r\n\r\none two$/);
  expect(client.received).not.toMatch(/chunked/i);
});

test('100 (Continue) comes from the application, and other interim responses pass', async () => {
  await using app = await TestServer.of(
    http.createServer().on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.writeContinue();
      request.resume().on('end', () => response.end('done'));
    }),
  );
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('POST / HTTP/1.1\r\nHost: cart\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
  await client.until(/HTTP\/1\.1 103 Early Hints\r\n.*HTTP\/1\.1 100 Continue\r\n\r\n$/s);
  client.send('hello');
  await client.until(/200 OK.*done/s);
});

test('a large body streams through both ways, intact', async () => {
  const MIB = 1_048_576;
  const block = Buffer.alloc(MIB, 'weft');
  await using app = await TestServer.of(
    http.createServer((request, response) => {
      const hash = createHash('sha256');
      request.on('data', (chunk: Buffer) => hash.update(chunk));
      request.on('end', () => {
        response.setHeader('x-received', hash.digest('hex'));
        Readable.from(
          (function* () {
            for (let i = 0; i < 64; i++) yield block;
          })(),
        ).pipe(response);
      });
    }),
  );
  await using mesh = await Mesh.start(app.port);
  const request = http.request({ port: mesh.port, host: '127.0.0.1', method: 'PUT' });
  const sent = createHash('sha256');
  Readable.from(
    (function* () {
      for (let i = 0; i < 64; i++) {
        sent.update(block);
        yield block;
      }
    })(),
  ).pipe(request);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  expect(response.headers['x-received']).toBe(sent.digest('hex'));
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(response, 'end');
  expect(bytes).toBe(64 * MIB);
});

test('a client that does not read stops the application from being read', async () => {
  let written = 0;
  await using app = await TestServer.tcp((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n');
      const block = Buffer.alloc(65_536);
      const pump = (): void => {
        do written += block.length;
        while (socket.write(block) && written < 1_073_741_824);
      };
      socket.on('drain', pump);
      pump();
    });
  });
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.socket.removeAllListeners('data');
  client.socket.pause();
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  // The application gets rid of a few buffers' worth and then no more, however many turns go by.
  let last = -1;
  let quiet = 0;
  while (quiet < 200) {
    await new Promise((resolve) => setImmediate(resolve));
    quiet = written === last && written > 0 ? quiet + 1 : 0;
    last = written;
  }
  expect(written).toBeLessThan(48 * 1_048_576);
  const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
  expect(before).toBeLessThan(200 * 1_048_576);
});

test('WebSocket upgrades, then carries bytes both ways', async () => {
  await using app = await TestServer.of(
    http
      .createServer()
      .on('upgrade', (request: http.IncomingMessage, socket: import('node:net').Socket, head: Buffer) => {
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Key: ${request.headers['sec-websocket-key']}\r\n\r\n`,
        );
        if (head.length > 0) socket.write(`early:${head.toString('latin1')};`);
        socket.on('data', (chunk) => socket.write(`echo:${chunk.toString('latin1')};`));
        socket.on('end', () => socket.end());
      }),
  );
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send(
    'GET /ws HTTP/1.1\r\nHost: cart\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k1\r\n\r\n',
  );
  await client.until(/101 Switching Protocols\r\n.*X-Key: k1\r\n.*\r\n\r\n/s);
  expect(client.received).toMatch(/connection: upgrade/i);
  client.send('abc');
  await client.until(/echo:abc;$/);
  client.socket.end();
  await client.ended();
});

test('an upgrade that was not asked for is refused', async () => {
  await using app = await TestServer.tcp((socket) => {
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhi'),
    );
  });
  await using mesh = await Mesh.start(app.port);
  const answer = await get(mesh.port);
  expect(answer.status).toBe(502);
  expect(answer.headers['weft-reason']).toBe('upstream-unasked-upgrade');
  expect(answer.headers['weft-node']).toBe('b');
});

test('a response that comes before the upload is complete is delivered', async () => {
  await using app = await TestServer.of(
    http.createServer((_request, response) => {
      response.writeHead(413, { Connection: 'close' });
      response.end('too much');
    }),
  );
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 1000000000\r\n\r\nfirst bytes');
  await client.until(/^HTTP\/1\.1 413 .*too much/s);
});

test('a client that goes on with its upload after an early response keeps its connection', async () => {
  await using app = await TestServer.of(
    http.createServer((request, response) => {
      response.writeHead(request.url === '/early' ? 403 : 200);
      response.end(request.url);
    }),
  );
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('POST /early HTTP/1.1\r\nHost: cart\r\nContent-Length: 10\r\n\r\nfirst');
  await client.until(/403 Forbidden.*\/early/s);
  client.send('lastsGET /next HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/200 OK.*\/next/s);
});

test('an application that does not read stops the client from being read', async () => {
  await using app = await TestServer.tcp((socket) => socket.pause());
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 1073741824\r\n\r\n');
  const block = Buffer.alloc(65_536);
  let taken = 0;
  const pump = (): void => {
    do taken += block.length;
    while (client.socket.write(block) && taken < 1_073_741_824);
  };
  client.socket.on('drain', pump);
  pump();
  let last = -1;
  let quiet = 0;
  while (quiet < 200) {
    await new Promise((resolve) => setImmediate(resolve));
    quiet = taken === last ? quiet + 1 : 0;
    last = taken;
  }
  expect(taken).toBeLessThan(48 * 1_048_576);
});

test('a client that leaves in the middle of its upload takes the upstream connection with it', async () => {
  const closed: boolean[] = [];
  await using app = await TestServer.tcp((socket) => {
    socket.on('close', (hadError) => closed.push(hadError));
    socket.resume();
  });
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 1000\r\n\r\nhalf');
  await eventually(() => app.sockets.size === 1);
  client.socket.resetAndDestroy();
  await eventually(() => closed.length === 1);
  expect(mesh.failures()['client-aborted']).toBe(2);
});

test('an application that breaks off in the middle of a response cuts the client off', async () => {
  await using app = await TestServer.tcp((socket) => {
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart', () => socket.destroy());
    });
  });
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.ended();
  expect(client.received).toMatch(/part$/);
  expect(mesh.failures()['upstream-truncated']).toBe(2);
});

test('a pooled connection that turns out dead costs no request', async () => {
  let requests = 0;
  await using app = await TestServer.tcp((socket) => {
    let served = 0;
    socket.on('data', () => {
      requests++;
      // The second request on a connection is swallowed, as a server does that closes an idle connection.
      if (++served === 2) socket.resetAndDestroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  await using mesh = await Mesh.start(app.port);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (let i = 0; i < 6; i++) expect((await get(mesh.port, '/', { agent })).status).toBe(200);
  expect(requests).toBeGreaterThan(6);
  expect(mesh.b.reader.counters().upstreamReplayed).toBeGreaterThan(0);
  agent.destroy();
});

test('a POST is not repeated on another connection', async () => {
  await using app = await TestServer.tcp((socket) => {
    let served = 0;
    socket.on('data', () => {
      if (++served === 2) socket.resetAndDestroy();
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  await using mesh = await Mesh.start(app.port);
  expect((await get(mesh.port, '/', { method: 'POST' })).status).toBe(200);
  const second = await get(mesh.port, '/', { method: 'POST' });
  expect(second.status).toBe(502);
  expect(second.headers['weft-reason']).toMatch(/^upstream-(reset|closed)$/);
});

test('what cannot be read one way only is refused, and the connection is closed', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('POST / HTTP/1.1\r\nHost: cart\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  await client.ended();
  expect(client.received).toMatch(/^HTTP\/1\.1 400 /);
  expect(client.received).toContain('weft-reason: length-and-encoding\r\n');
  expect(client.received).toContain('weft-node: a\r\n');
  expect(app.accepted).toBe(0);
});

test('a body that turns out malformed is not completed upstream', async () => {
  let seen = '';
  await using app = await TestServer.tcp((socket) => {
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
    });
  });
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('POST / HTTP/1.1\r\nHost: cart\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  await eventually(() => seen.includes('hello'));
  client.send('zz\r\n');
  await client.ended();
  expect(client.received).toMatch(/^HTTP\/1\.1 400 .*weft-reason: bad-chunk-size\r\n/s);
  await eventually(() => app.sockets.size === 0);
  expect(seen).not.toMatch(/\r\n0\r\n\r\n$/);
});

test('a client that sends its request too slowly is told so', async () => {
  await using app = await echo();
  await using mesh = await Mesh.start(app.port, { config: { http: { requestHeadTimeoutMs: 100 } } });
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: ca');
  await client.ended();
  expect(client.received).toMatch(/^HTTP\/1\.1 408 .*weft-reason: request-timeout\r\n/s);
});

test('an unreadable response becomes 502, and its connection is not used again', async () => {
  await using app = await TestServer.tcp((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'));
  });
  await using mesh = await Mesh.start(app.port);
  const answer = await get(mesh.port);
  expect(answer.status).toBe(502);
  expect(answer.headers['weft-reason']).toBe('upstream-malformed');
  expect(answer.body).toContain('duplicate-length');
  await eventually(() => app.sockets.size === 0);
});

test('closing lets a request that is under way end, then closes', async () => {
  const { promise: release, resolve } = Promise.withResolvers<void>();
  let started = false;
  await using app = await TestServer.of(
    http.createServer((_request, response) => {
      started = true;
      void release.then(() => response.end('late but whole'));
    }),
  );
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await eventually(() => started);
  const closed = mesh.a.proxy.close(10_000);
  resolve();
  await client.until(/Connection: close\r\n.*late but whole/s);
  await client.ended();
  client.socket.end();
  await closed;
});
