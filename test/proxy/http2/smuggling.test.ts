/**
 * Requests over HTTP/2 that HTTP/1.1 would read as something else, sent through two proxies to an application of HTTP/1.1
 * that writes down every byte it gets. `/smuggled` must never arrive as a request, and what may not go on leaves no trace.
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Recorded, readStrict } from '../http1/strict-reader.ts';
import { Mesh, TestServer } from '../mesh.ts';
import { CODE, data, type Fields, headers, TYPE } from './frames.ts';
import { GET, Peer, POST, request } from './peer.ts';

const HIDDEN = 'GET /smuggled HTTP/1.1\r\nHost: cart.shop\r\n\r\n';
const CHUNKED = `0\r\n\r\n${HIDDEN}`;

let app: TestServer;
let mesh: Mesh;
const connections: { bytes: string; answered: number }[] = [];

beforeAll(async () => {
  app = await TestServer.tcp((socket) => {
    const connection = { bytes: '', answered: 0 };
    connections.push(connection);
    socket.on('data', (chunk) => {
      connection.bytes += chunk.toString('latin1');
      const { requests } = readStrict(connection.bytes);
      for (; connection.answered < requests.length; connection.answered++) {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      }
    });
  });
  mesh = await Mesh.start(app.port, { protocol: 'http' });
});
afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

/** Sends frames on stream 1. @returns what became of it: 'reset', or the status of its response */
async function outcome(...frames: Buffer[]): Promise<string> {
  using peer = await Peer.client(mesh.port);
  peer.send(...frames);
  const end = await peer.next(({ stream, type }) => stream === 1 && (type === TYPE.headers || type === TYPE.rstStream));
  const told =
    end.type === TYPE.headers
      ? (peer.fields(end).find(([name]) => name === ':status')?.[1] ?? '')
      : end.payload.readUInt32BE(0) === CODE.protocol
        ? 'reset'
        : 'another reset';
  await peer.alive();
  return told;
}

/** The requests that reached the application since, once a plain one has: nothing is on its way any more. */
async function arrived(): Promise<Recorded[]> {
  expect(await outcome(headers(1, request('/after')))).toBe('200');
  const requests = connections.flatMap(({ bytes }) => {
    const read = readStrict(bytes);
    expect(read.rest).not.toContain('/smuggled'); // of a request that was broken off
    return read.requests;
  });
  connections.splice(0);
  app.sockets.forEach((socket) => void socket.destroy());
  expect(requests.pop()?.target).toBe('/after');
  return requests;
}

const plus = (...fields: Fields): Buffer => headers(1, [...GET, ...fields]);
const upload = (fields: Fields, body: string): Buffer[] => [
  headers(1, [...POST, ...fields], { endStream: false }),
  data(1, body),
];
const replaced = (name: string, value: string): Buffer =>
  headers(
    1,
    GET.map(([key, old]) => [key, key === name ? value : old]),
  );
const without = (name: string, ...fields: Fields): Buffer =>
  headers(1, [...GET.filter(([key]) => key !== name), ...fields]);

describe('what could be read two ways is refused', () => {
  test.each<[string, string, Buffer[]]>([
    // Lengths.
    ['content-length 0 and a request in the data', 'reset', upload([['content-length', '0']], HIDDEN)],
    ['content-length shorter than the data', 'reset', upload([['content-length', '5']], `12345${HIDDEN}`)],
    ['content-length longer than the data', 'reset', upload([['content-length', '500']], 'short')],
    ['content-length and no data', 'reset', [plus(['content-length', '5'])]],
    [
      'two lengths',
      '400',
      upload(
        [
          ['content-length', '5'],
          ['content-length', '4'],
        ],
        '12345',
      ),
    ],
    [
      'a length twice',
      '400',
      upload(
        [
          ['content-length', '5'],
          ['content-length', '5'],
        ],
        '12345',
      ),
    ],
    ['a list of lengths', '400', upload([['content-length', '5, 5']], '12345')],
    ['a signed length', '400', upload([['content-length', '+5']], '12345')],
    ['a length in base 16', '400', upload([['content-length', '0x5']], '12345')],
    ['an empty length', '400', upload([['content-length', '']], '12345')],
    ['a length after a space', 'reset', upload([['content-length', ' 5']], '12345')],
    // Codings, and what speaks of the connection.
    ['transfer-encoding: chunked', 'reset', upload([['transfer-encoding', 'chunked']], CHUNKED)],
    ['transfer-encoding: identity', 'reset', upload([['transfer-encoding', 'identity']], CHUNKED)],
    [
      'both lengths',
      'reset',
      upload(
        [
          ['content-length', '4'],
          ['transfer-encoding', 'chunked'],
        ],
        CHUNKED,
      ),
    ],
    ['te: chunked', 'reset', upload([['te', 'chunked']], CHUNKED)],
    ['connection', 'reset', [plus(['connection', 'content-length'])]],
    ['keep-alive', 'reset', [plus(['keep-alive', 'timeout=5'])]],
    ['proxy-connection', 'reset', [plus(['proxy-connection', 'keep-alive'])]],
    ['upgrade to WebSocket', 'reset', [plus(['upgrade', 'websocket'])]],
    ['upgrade to h2c', 'reset', [plus(['upgrade', 'h2c'], ['http2-settings', 'AAMAAABkAAQAAP__'])]],
    // Line ends and their like in values.
    ['CRLF in a value', 'reset', upload([['foo', 'bar\r\nTransfer-Encoding: chunked']], CHUNKED)],
    ['a head in a value', 'reset', [plus(['foo', `bar\r\n\r\n${HIDDEN}`])]],
    ['CR in a value', 'reset', [plus(['foo', 'bar\rX: y'])]],
    ['LF in a value', 'reset', [plus(['foo', `bar\n${HIDDEN}`])]],
    ['NUL in a value', 'reset', [plus(['foo', 'bar\0'])]],
    ['DEL in a value', 'reset', [plus(['foo', 'bar\x7f'])]],
    ['a value that begins with a space', 'reset', [plus(['foo', ' bar'])]],
    ['a value that ends with a tab', 'reset', [plus(['foo', 'bar\t'])]],
    ['CRLF in a cookie', 'reset', [plus(['cookie', 'a=b\r\nX: y'])]],
    // Names.
    ['a name in upper case', 'reset', upload([['Transfer-Encoding', 'chunked']], CHUNKED)],
    ['a name with a colon', 'reset', upload([['transfer-encoding:chunked', '']], CHUNKED)],
    ['a name with a space', 'reset', upload([['transfer-encoding ', 'chunked']], CHUNKED)],
    ['a name with CRLF', 'reset', upload([['a: b\r\ntransfer-encoding', 'chunked']], CHUNKED)],
    ['a name with NUL', 'reset', [plus(['foo\0', 'bar'])]],
    ['an empty name', 'reset', [plus(['', 'bar'])]],
    ['a name beyond ASCII', 'reset', [plus(['caf\xe9', 'bar'])]],
    // The request line.
    ['a request in the path', 'reset', [replaced(':path', `/ HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`)]],
    ['a space in the path', 'reset', [replaced(':path', '/smuggled HTTP/1.1')]],
    ['a tab in the path', 'reset', [replaced(':path', '/smuggled\tHTTP/1.1')]],
    ['a fragment in the path', 'reset', [replaced(':path', '/a#/smuggled')]],
    ['a path that begins with no slash', 'reset', [replaced(':path', 'smuggled')]],
    ['a whole URL for a path', 'reset', [replaced(':path', 'http://cart.shop/smuggled')]],
    ['an asterisk that nobody may ask for', 'reset', [replaced(':path', '*')]],
    ['an empty path', 'reset', [replaced(':path', '')]],
    ['bytes beyond ASCII in the path', 'reset', [replaced(':path', '/\xff')]],
    ['a request in the method', 'reset', [replaced(':method', `GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nGET`)]],
    ['a space in the method', 'reset', [replaced(':method', 'GET /smuggled')]],
    ['an empty method', 'reset', [replaced(':method', '')]],
    ['CONNECT', 'reset', [replaced(':method', 'CONNECT')]],
    [
      'CONNECT to a host',
      'reset',
      [
        headers(1, [
          [':method', 'CONNECT'],
          [':authority', 'cart.shop:80'],
        ]),
      ],
    ],
    ['a URL in the scheme', 'reset', [replaced(':scheme', 'http://cart.shop/smuggled?')]],
    ['an unknown scheme', 'reset', [replaced(':scheme', 'ftp')]],
    // Who is asked.
    ['CRLF in the authority', 'reset', [replaced(':authority', 'cart.shop\r\nX: y')]],
    ['an empty authority', 'reset', [replaced(':authority', '')]],
    ['a user in the authority', '400', [replaced(':authority', 'cart.shop@evil')]],
    ['a path in the authority', '400', [replaced(':authority', 'cart.shop/smuggled')]],
    ['a space in the authority', '400', [replaced(':authority', 'cart.shop evil')]],
    ['a Host that is not the authority', 'reset', [plus(['host', 'evil'])]],
    ['a Host that is, and one that is not', 'reset', [plus(['host', 'cart.shop'], ['host', 'evil'])]],
    ['two Hosts and no authority', '400', [without(':authority', ['host', 'cart.shop'], ['host', 'cart.shop'])]],
    ['neither Host nor authority', '400', [without(':authority')]],
    // Pseudo-headers.
    ['two methods', 'reset', [headers(1, [...GET, [':method', 'POST']])]],
    ['two authorities', 'reset', [headers(1, [...GET, [':authority', 'evil']])]],
    ['a pseudo-header after a field', 'reset', [headers(1, [...GET.slice(1), ['a', 'b'], GET[0]!])]],
    ['a pseudo-header of responses', 'reset', [plus([':status', '200'])]],
    ['a pseudo-header of extended CONNECT', 'reset', [headers(1, [...GET, [':protocol', 'websocket']])]],
    ['an unknown pseudo-header', 'reset', [headers(1, [...GET, [':x', 'y']])]],
    ['no method', 'reset', [without(':method')]],
    ['TRACE with data', '400', [headers(1, request('/', 'TRACE'), { endStream: false }), data(1, HIDDEN)]],
    ['an expectation nobody knows', '417', upload([['expect', 'smuggled']], 'x')],
  ])('%s: %s', async (_what, told, frames) => {
    expect(await outcome(...frames)).toBe(told);
    // A refusal of the data may come when the head has been sent on; what was begun is then never completed.
    expect((await arrived()).map(({ target }) => target)).toEqual([]);
  });

  test.each<[string, Fields]>([
    ['a pseudo-header', [[':path', '/smuggled']]],
    ['CRLF in a value', [['x', `y\r\n\r\n${HIDDEN}`]]],
    ['a name in upper case', [['X', 'y']]],
    ['transfer-encoding', [['transfer-encoding', 'chunked']]],
    ['connection', [['connection', 'close']]],
  ])('trailers with %s', async (_what, trailers) => {
    const call = [headers(1, POST, { endStream: false }), data(1, 'body', { endStream: false }), headers(1, trailers)];
    expect(await outcome(...call)).toBe('reset');
    expect(await arrived()).toEqual([]);
  });
});

describe('what can be read one way only goes on', () => {
  test.each<[string, Buffer[], Partial<Recorded>]>([
    ['a request in the data', upload([], CHUNKED), { method: 'POST', target: '/', body: CHUNKED }],
    ['a request in data of a length', upload([['content-length', String(HIDDEN.length)]], HIDDEN), { body: HIDDEN }],
    ['data of a GET', [headers(1, GET, { endStream: false }), data(1, HIDDEN)], { method: 'GET', body: HIDDEN }],
    ['an end without data', [headers(1, POST, { endStream: false }), data(1, '')], { method: 'POST', body: '' }],
    ['a length of zero', [headers(1, [...POST, ['content-length', '0']])], { method: 'POST', body: '' }],
    ['a path of two slashes', [replaced(':path', '//evil/x?y=//z')], { target: '//evil/x?y=//z' }],
    ['OPTIONS *', [headers(1, request('*', 'OPTIONS'))], { method: 'OPTIONS', target: '*' }],
    ['a Host that is the authority', [plus(['host', 'CART.shop'])], { target: '/' }],
    ['a Host for an authority', [without(':authority', ['host', 'cart.shop'])], { target: '/' }],
    [
      'data in pieces',
      [headers(1, POST, { endStream: false }), data(1, 'a', { endStream: false }), data(1, 'b')],
      { body: 'ab' },
    ],
    [
      'trailers, without those that frame or route',
      [
        headers(1, POST, { endStream: false }),
        data(1, 'x', { endStream: false }),
        headers(1, [
          ['x-sum', '1'],
          ['content-length', '500'],
          ['host', 'evil'],
        ]),
      ],
      { body: 'x', trailers: [['x-sum', '1']] },
    ],
  ])('%s', async (_what, frames, wanted) => {
    expect(await outcome(...frames)).toBe('200');
    const [one, ...others] = await arrived();
    expect(others).toEqual([]);
    expect(one).toMatchObject(wanted);
    expect(one!.fields.filter(([name]) => name.toLowerCase() === 'host')).toHaveLength(1);
  });
});
