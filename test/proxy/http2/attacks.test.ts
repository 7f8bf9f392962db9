/** What a hostile client, or application, may try over HTTP/2, and the limit it meets (docs/adr/0015). @module */

import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, Mesh, TestServer } from '../mesh.ts';
import {
  block,
  CODE,
  continuation,
  data,
  headers,
  PREFACE,
  ping,
  raw,
  rstStream,
  SETTING,
  settings,
  TYPE,
  windowUpdate,
} from './frames.ts';
import { GET, Peer, POST, request } from './peer.ts';

/** Costly frames in a second that are borne; docs/adr/0015. */
const BORNE = 2_000;
const LARGE_BYTES = 64 * 1_048_576;

let app: TestServer;
let mesh: Mesh;
/** Requests that the application has got and not answered. */
let pending = 0;
/** Body bytes that left the application. */
let sent = 0;

beforeAll(async () => {
  app = await TestServer.of(
    http.createServer((incoming, outgoing) => {
      incoming.on('error', () => undefined);
      if (incoming.url === '/never') {
        pending++;
        outgoing.on('close', () => pending--);
      } else if (incoming.url === '/large') sendLarge(outgoing);
      else if (incoming.url === '/early') outgoing.end('enough');
      else incoming.resume().on('end', () => outgoing.end('hello world'));
    }),
  );
  mesh = await Mesh.start(app.port, { protocol: 'http' });
});
afterAll(async () => {
  await mesh[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

/** Writes as fast as it is taken. */
function sendLarge(outgoing: http.ServerResponse): void {
  const piece = Buffer.alloc(65_536, 'x');
  let left = LARGE_BYTES;
  const more = (): void => {
    while (left > 0) {
      left -= piece.length;
      sent += piece.length;
      if (!outgoing.write(piece)) return void outgoing.once('drain', more);
    }
    outgoing.end();
  };
  more();
}

const streamIds = (count: number): number[] => Array.from({ length: count }, (_, i) => 2 * i + 1);
const never = (id: number): Buffer => headers(id, request('/never'));
const times = (count: number, frame: Buffer): Buffer[] => Array.from({ length: count }, () => frame);

async function isCutOff(peer: Peer, code: number): Promise<void> {
  expect((await peer.of(TYPE.goaway)).payload.readUInt32BE(4)).toBe(code);
  await peer.ended();
  expect(peer.hasEnded).toBe(true);
}

describe('frames that cost us and not the client: so many are borne in a second, and one more ends the connection', () => {
  test.each<[string, (count: number) => Buffer[]]>([
    [
      'streams opened and reset (CVE-2023-44487)',
      (n) => streamIds(n).flatMap((id) => [never(id), rstStream(id, CODE.cancel)]),
    ],
    ['streams that we are made to reset', (n) => streamIds(n).flatMap((id) => [never(id), windowUpdate(id, 0)])],
    ['requests that cannot be read', (n) => streamIds(n).map((id) => headers(id, []))],
    ['resets of a stream that has ended', (n) => [never(1), ...times(n, rstStream(1, CODE.cancel))]],
    ['pings', (n) => times(n, ping())],
    ['settings', (n) => times(n, settings())],
    ['empty data', (n) => [headers(1, POST, { endStream: false }), ...times(n, data(1, '', { endStream: false }))]],
    [
      'padding only',
      (n) => [headers(1, POST, { endStream: false }), ...times(n, data(1, '', { endStream: false, padding: 9 }))],
    ],
    ['window updates of the connection', (n) => times(n, windowUpdate(0, 1))],
    ['window updates of a stream', (n) => [never(1), ...times(n, windowUpdate(1, 1))]],
  ])('%s', async (_what, frames) => {
    using patient = await Peer.client(mesh.port);
    patient.send(...frames(BORNE - 10));
    await patient.alive();
    using peer = await Peer.client(mesh.port);
    peer.send(...frames(BORNE + 10));
    await isCutOff(peer, CODE.enhanceYourCalm);
    await eventually(() => pending <= 1);
  });

  test('streams over the limit', async () => {
    using peer = await Peer.client(mesh.port);
    peer.send(...streamIds(128 + BORNE + 10).map(never));
    expect((await peer.of(TYPE.rstStream)).payload.readUInt32BE(0)).toBe(CODE.refusedStream);
    await isCutOff(peer, CODE.enhanceYourCalm);
    await eventually(() => pending === 0);
  });

  test('but a client that reads a download may ping and update windows as it reads', async () => {
    using peer = await Peer.client(mesh.port);
    peer.send(windowUpdate(0, LARGE_BYTES), headers(1, request('/large')));
    for (let frames = 0; frames < 2 * BORNE; frames++) {
      const { payload } = await peer.of(TYPE.data, 1);
      peer.forget();
      peer.send(windowUpdate(1, payload.length), windowUpdate(0, 1), ping());
    }
    peer.send(rstStream(1, CODE.cancel));
    await peer.alive(Buffer.from('all read'));
  });
});

describe('header blocks', () => {
  test.each<[string, Buffer[]]>([
    ['in too many pieces', times(17, continuation(1, Buffer.of(), false))],
    ['in small pieces without end', times(40, continuation(1, block([['a', 'b']]), false))],
    ['larger than a head may be', times(3, continuation(1, block([['a', 'x'.repeat(16_000)]]), false))],
  ])('%s end the connection before they are whole', async (_what, pieces) => {
    using peer = await Peer.client(mesh.port);
    peer.send(headers(1, GET, { endHeaders: false }), ...pieces);
    await isCutOff(peer, CODE.enhanceYourCalm);
  });

  test('that a small block makes large are refused, and the connection stays in step', async () => {
    using peer = await Peer.client(mesh.port);
    // One field of 4,000 bytes to the table, named 10,000 times in another block: 40 MB of head in 10 kB.
    const toTable = Buffer.concat([Buffer.of(0x40), block([['bomb', 'x'.repeat(3_900)]]).subarray(1)]);
    peer.send(headers(1, Buffer.concat([block(GET), toTable])));
    expect(peer.fields(await peer.of(TYPE.headers, 1))[0]).toEqual([':status', '200']);
    peer.send(headers(3, Buffer.concat([block(GET), Buffer.alloc(10_000, 0xbe)])));
    expect(peer.fields(await peer.of(TYPE.headers, 3))[0]).toEqual([':status', '431']);
    peer.send(headers(5, Buffer.concat([block(GET), Buffer.of(0xbe)])));
    expect(peer.fields(await peer.of(TYPE.headers, 5))[0]).toEqual([':status', '200']);
  });

  test('of many small fields are refused', async () => {
    using peer = await Peer.client(mesh.port);
    peer.send(headers(1, [...GET, ...Array.from({ length: 200 }, () => ['a', ''] as const)]));
    expect(peer.fields(await peer.of(TYPE.headers, 1))[0]).toEqual([':status', '431']);
    await peer.alive();
  });
});

describe('clients that dawdle', () => {
  const config = { http2: { settingsTimeoutMs: 100 }, http: { requestHeadTimeoutMs: 100 } };
  let strict: Mesh;
  beforeAll(async () => {
    strict = await Mesh.start(app.port, { protocol: 'http', config });
  });
  afterAll(() => strict[Symbol.asyncDispose]());

  test('without settings are told so', async () => {
    using peer = await Peer.connect(strict.port);
    peer.send(PREFACE);
    await isCutOff(peer, CODE.settingsTimeout);
  });

  test('with something else in place of settings are cut off', async () => {
    using peer = await Peer.connect(mesh.port);
    peer.send(PREFACE, headers(1, GET));
    await isCutOff(peer, CODE.protocol);
  });

  test('in the middle of a head are cut off', async () => {
    using peer = await Peer.client(strict.port);
    peer.send(headers(1, GET, { endHeaders: false }));
    await isCutOff(peer, CODE.enhanceYourCalm);
  });

  test('in the middle of a frame of a head are cut off', async () => {
    using peer = await Peer.client(strict.port);
    peer.send(headers(1, GET).subarray(0, 20));
    await isCutOff(peer, CODE.enhanceYourCalm);
  });
});

describe('small windows', () => {
  test('of zero hold the data back at its source', async () => {
    using peer = await Peer.client(mesh.port, [SETTING.initialWindowSize, 0]);
    sent = 0;
    const before = process.memoryUsage().arrayBuffers;
    const ids = streamIds(100);
    peer.send(...ids.map((id) => headers(id, request('/large'))));
    for (const _ of ids) await peer.of(TYPE.headers);
    // Until nothing moves any more.
    let last = -1;
    while (last !== sent) {
      last = sent;
      for (let i = 0; i < 200; i++) await peer.alive();
    }
    // 6.4 GB are asked for; each stream may hold a window at either proxy.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1_048_576);
    expect(peer.received.some(({ type }) => type === TYPE.data)).toBe(false);
  });

  test('of one byte get one byte at a time', async () => {
    using peer = await Peer.client(mesh.port, [SETTING.initialWindowSize, 1]);
    peer.send(headers(1, GET));
    let body = '';
    for (;;) {
      const { payload, flags } = await peer.of(TYPE.data, 1);
      expect(payload.length).toBeLessThanOrEqual(1);
      body += payload.toString();
      if ((flags & 1) === 1) break;
      peer.send(windowUpdate(1, 1));
    }
    expect(body).toBe('hello world');
  });

  test('of the connection are shared by all streams', async () => {
    using peer = await Peer.client(mesh.port, [SETTING.initialWindowSize, 1_048_576]);
    peer.send(headers(1, request('/large')), headers(3, request('/large')));
    let bytes = 0;
    while (bytes < 65_535) bytes += (await peer.of(TYPE.data)).payload.length;
    expect(bytes).toBe(65_535);
    peer.send(windowUpdate(0, 10));
    while (bytes < 65_545) bytes += (await peer.of(TYPE.data)).payload.length;
    expect(bytes).toBe(65_545);
  });

  test('that become negative are filled before anything is sent', async () => {
    using peer = await Peer.client(mesh.port, [SETTING.initialWindowSize, 1_000]);
    peer.send(headers(1, request('/large')));
    let bytes = 0;
    while (bytes < 1_000) bytes += (await peer.of(TYPE.data)).payload.length;
    peer.send(settings([SETTING.initialWindowSize, 400]), windowUpdate(1, 600)); // -600, then 0
    await peer.alive();
    peer.send(windowUpdate(1, 7));
    expect((await peer.of(TYPE.data)).payload.length).toBe(7);
  });

  test('that a change of settings makes too large end the connection', async () => {
    using peer = await Peer.client(mesh.port);
    peer.send(never(1), windowUpdate(1, 2 ** 31 - 1 - 65_535), settings([SETTING.initialWindowSize, 65_536]));
    await isCutOff(peer, CODE.flowControl);
  });
});

describe('a client that ignores its windows', () => {
  test('loses the stream that overran', async () => {
    using peer = await Peer.client(mesh.port);
    peer.send(headers(1, request('/never', 'POST'), { endStream: false }));
    // The application does not read: what it was sent fills the way there, and then the window.
    const piece = data(1, Buffer.alloc(16_384), { endStream: false });
    let code: number | undefined;
    const told = peer.of(TYPE.rstStream, 1).then(({ payload }) => {
      code = payload.readUInt32BE(0);
    });
    while (code === undefined) {
      peer.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await told;
    expect(code).toBe(CODE.flowControl);
    await peer.alive();
  });
});

describe('what is still on its way when a stream has ended here', () => {
  test('is passed over: the rest of an upload that was answered early', async () => {
    using peer = await Peer.client(mesh.port);
    peer.send(headers(1, request('/early', 'POST'), { endStream: false }), data(1, 'some', { endStream: false }));
    await peer.next(({ type, stream, flags }) => type === TYPE.data && stream === 1 && (flags & 1) === 1);
    expect((await peer.of(TYPE.rstStream, 1)).payload.readUInt32BE(0)).toBe(CODE.none);
    peer.send(data(1, 'more', { endStream: false }), headers(1, [['x-sum', '1']]));
    await peer.alive();
    peer.send(data(1, 'after its end'));
    await isCutOff(peer, CODE.streamClosed);
  });

  test('is passed over: the data of a request that was refused', async () => {
    using peer = await Peer.client(mesh.port);
    const ids = streamIds(129);
    peer.send(...ids.map((id) => headers(id, request('/never', 'POST'), { endStream: false })));
    await peer.of(TYPE.rstStream, 257);
    peer.send(data(257, 'late'));
    await peer.alive();
    expect(peer.received.some(({ type }) => type === TYPE.goaway)).toBe(false);
  });
});

test('a client that goes on sending is told why it is cut off all the same', async () => {
  using peer = await Peer.client(mesh.port);
  peer.send(raw(TYPE.ping, 0, 1, Buffer.alloc(8)), ...times(50, data(1, Buffer.alloc(16_000), { endStream: false })));
  await isCutOff(peer, CODE.protocol);
  peer.send(...times(5, data(1, Buffer.alloc(16_000), { endStream: false })));
  peer.socket.end();
  await new Promise((resolve) => peer.socket.once('close', resolve));
  expect(peer.error).toBeUndefined(); // no reset, which would throw away what was not read
});

test('a client that pings and never reads is cut off before answers pile up', async () => {
  using peer = await Peer.client(mesh.port, [SETTING.initialWindowSize, 2 ** 31 - 1]);
  peer.send(windowUpdate(0, 2 ** 30));
  peer.socket.pause();
  peer.send(headers(1, request('/large')));
  let isClosed = false;
  peer.socket.on('close', () => {
    isClosed = true;
  });
  // Slower than what is borne in a second, but without end.
  for (let i = 0; i < 40 && !isClosed; i++) {
    peer.send(...times(100, ping(false, Buffer.from('pingping'))));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  peer.socket.resume();
  await isCutOff(peer, CODE.enhanceYourCalm);
});

test('unknown frames and priorities are read over, however many', async () => {
  using peer = await Peer.client(mesh.port);
  peer.send(...times(5_000, raw(0x16, 0xff, 7, 'ffff')), ...times(5_000, raw(TYPE.priority, 0, 9, '00000000ff')));
  await peer.alive();
});
