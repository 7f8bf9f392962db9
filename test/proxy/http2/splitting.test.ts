/** Responses over HTTP/2 that HTTP/1.1 would read as something else, from an application by hand to a client of HTTP/1.1. @module */

import type net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Mesh, TestClient, TestServer } from '../mesh.ts';
import { data, type Fields, headers, settings, TYPE } from './frames.ts';
import { Peer } from './peer.ts';

const HIDDEN = 'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled';

let app: TestServer;
let mesh: Mesh;
/** Frames of the response to each request. */
let answer: (stream: number) => Buffer[] = () => [];
/** Requests that the application got. */
let asked = 0;

beforeAll(async () => {
  app = await TestServer.tcp((socket) => void serve(socket).catch(() => undefined));
  mesh = await Mesh.start(app.port, { protocol: 'http2' });
});
afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

async function serve(socket: net.Socket): Promise<void> {
  using peer = new Peer(socket);
  await peer.accept();
  peer.send(settings());
  await peer.greeted();
  for (;;) {
    const { stream } = await peer.of(TYPE.headers);
    asked++;
    peer.send(...answer(stream));
  }
}

const OK: Fields = [[':status', '200']];

describe('what could be read two ways becomes a 502', () => {
  test.each<[string, (stream: number) => Buffer[]]>([
    ['CRLF in a value', (id) => [headers(id, [...OK, ['a', `b\r\n\r\n${HIDDEN}`]])]],
    ['LF in a value', (id) => [headers(id, [...OK, ['a', 'b\nc: d']])]],
    ['NUL in a value', (id) => [headers(id, [...OK, ['a', 'b\0']])]],
    ['white space around a value', (id) => [headers(id, [...OK, ['a', ' b']])]],
    ['CRLF in a name', (id) => [headers(id, [...OK, ['a: b\r\nc', 'd']])]],
    ['a name in upper case', (id) => [headers(id, [...OK, ['Content-Length', '0']])]],
    ['transfer-encoding', (id) => [headers(id, [...OK, ['transfer-encoding', 'chunked']])]],
    ['connection', (id) => [headers(id, [...OK, ['connection', 'close']])]],
    [
      'upgrade',
      (id) => [
        headers(
          id,
          [
            [':status', '101'],
            ['upgrade', 'websocket'],
          ],
          { endStream: false },
        ),
      ],
    ],
    ['a status that is a line', (id) => [headers(id, [[':status', `200 OK\r\n\r\n${HIDDEN}`]])]],
    ['a status of two digits', (id) => [headers(id, [[':status', '20']])]],
    ['no status', (id) => [headers(id, [['a', 'b']])]],
    ['two statuses', (id) => [headers(id, [...OK, ...OK])]],
    ['a pseudo-header of requests', (id) => [headers(id, [...OK, [':path', '/']])]],
    ['two lengths', (id) => [headers(id, [...OK, ['content-length', '1'], ['content-length', '2']])]],
    ['a length that is none', (id) => [headers(id, [...OK, ['content-length', '1x']])]],
    ['a length and no data', (id) => [headers(id, [...OK, ['content-length', '8']])]],
    ['data without a head', (id) => [data(id, HIDDEN)]],
    ['an interim response that ends', (id) => [headers(id, [[':status', '103']])]],
  ])('%s', async (_what, frames) => {
    answer = frames;
    asked = 0;
    using client = await TestClient.connect(mesh.port);
    client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
    await client.until(/^HTTP\/1\.1 502 [\s\S]*\r\nweft-reason: upstream-malformed\r\n[\s\S]*\r\n\r\nweft: .*\n/);
    expect(asked).toBe(1); // and nobody is asked again
    answer = (id) => [headers(id, [...OK, ['x-next', 'yes']])];
    client.send('GET /next HTTP/1.1\r\nHost: cart\r\n\r\n');
    await client.until(/\nHTTP\/1\.1 200 [\s\S]*x-next: yes\r\n/);
    expect(client.received).not.toContain('smuggled');
  });
});

describe('what is found too late for that cuts the response off', () => {
  test.each<[string, (stream: number) => Buffer[]]>([
    [
      'more data than announced',
      (id) => [headers(id, [...OK, ['content-length', '2']], { endStream: false }), data(id, `ok${HIDDEN}`)],
    ],
    [
      'less data than announced',
      (id) => [headers(id, [...OK, ['content-length', '200']], { endStream: false }), data(id, 'ok')],
    ],
    ['data where there is none', (id) => [headers(id, [[':status', '204']], { endStream: false }), data(id, HIDDEN)]],
    [
      'trailers that are a head',
      (id) => [
        headers(id, OK, { endStream: false }),
        data(id, 'ok', { endStream: false }),
        headers(id, [[':status', '200']]),
      ],
    ],
    [
      'trailers with CRLF',
      (id) => [
        headers(id, OK, { endStream: false }),
        data(id, 'ok', { endStream: false }),
        headers(id, [['a', `b\r\n\r\n${HIDDEN}`]]),
      ],
    ],
  ])('%s', async (_what, frames) => {
    answer = frames;
    using client = await TestClient.connect(mesh.port);
    client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
    await client.ended();
    // The head may not have left before; what has left is not made whole.
    expect(client.received).not.toContain('smuggled');
    expect(client.received).not.toMatch(/\r\n0\r\n/);
  });
});

test('a response to HEAD keeps its length, and one without a body needs none', async () => {
  answer = (id) => [headers(id, [...OK, ['content-length', '500']])];
  using client = await TestClient.connect(mesh.port);
  client.send('HEAD / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/^HTTP\/1\.1 200 [\s\S]*content-length: 500\r\n\r\n$/);
  answer = (id) => [headers(id, OK)];
  client.send('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await client.until(/\nHTTP\/1\.1 200 [\s\S]*\r\n\r\n0\r\n\r\n$/);
});
