/** The name in the first message of a client of TLS: those of real clients, cut anywhere, and bytes of all kinds. */

import { once } from 'node:events';
import tls from 'node:tls';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_HELLO_BYTES, serverNameOf } from '../../../proxy/outbound/server-name.ts';
import { TestServer } from '../mesh.ts';

/** What OpenSSL sends first. */
async function helloOf(servername: string | undefined): Promise<Buffer> {
  let told: (bytes: Buffer) => void = () => undefined;
  const bytes = new Promise<Buffer>((resolve) => {
    told = resolve;
  });
  await using server = await TestServer.tcp((socket) => socket.once('data', told));
  const client = tls.connect({ port: server.port, host: '127.0.0.1', servername: servername ?? '' });
  client.on('error', () => undefined);
  const hello = await bytes;
  client.destroy();
  await once(client, 'close');
  return hello;
}

/** The same message in records of other lengths. */
function recut(hello: Buffer, sizes: readonly number[]): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0, i = 0; at < message.length; i++) {
    const piece = message.subarray(at, at + sizes[i % sizes.length]!);
    const head = Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 0xff]);
    records.push(head, piece);
    at += piece.length;
  }
  return Buffer.concat(records);
}

const HELLO = await helloOf('Shop.Example.org');

test('the name a real client asks for, in lower case', () => {
  expect(serverNameOf(HELLO)).toEqual({ kind: 'name', name: 'shop.example.org' });
});

test('a client that asks for none', async () => {
  expect(serverNameOf(await helloOf(undefined))).toEqual({ kind: 'none' });
});

test('every beginning of a hello asks for more', () => {
  for (let end = 1; end < HELLO.length; end++) expect(serverNameOf(HELLO.subarray(0, end))).toEqual({ kind: 'more' });
});

test('records may be cut anywhere', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 12, max: 600 }), { minLength: 1, maxLength: 8 }), (sizes) => {
      expect(serverNameOf(recut(HELLO, sizes))).toEqual({ kind: 'name', name: 'shop.example.org' });
    }),
    { seed: 6 },
  );
});

test('any bytes are answered, and what follows a hello changes nothing', () => {
  const near = fc.tuple(fc.nat(HELLO.length - 1), fc.nat(255), fc.nat(HELLO.length)).map(([at, value, end]) => {
    const bytes = Buffer.from(HELLO);
    bytes[at] = value;
    return bytes.subarray(0, end);
  });
  const any = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(near, any), (bytes) => {
      const hello = serverNameOf(bytes);
      expect(['more', 'none', 'name']).toContain(hello.kind);
      if (hello.kind === 'name') expect(serverNameOf(Buffer.concat([bytes, Buffer.from('more')]))).toEqual(hello);
    }),
    { seed: 6, numRuns: 20_000 },
  );
});

test.each([
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
  ['a record of nothing', Buffer.from([22, 3, 1, 0, 0])],
  ['another message of the handshake', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
  ['a hello longer than any', Buffer.from([22, 3, 1, 64, 0, 1, 0, (MAX_HELLO_BYTES >> 8) + 1, 0])],
])('%s names nobody', (_name, bytes) => {
  expect(serverNameOf(bytes)).toEqual({ kind: 'none' });
});

test('a hello in more records than anybody needs names nobody', () => {
  expect(serverNameOf(recut(HELLO, [1]))).toEqual({ kind: 'none' });
});
