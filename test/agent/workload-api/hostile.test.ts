/** What a hostile workload may do to the Workload API, and to its neighbours through it: little. */

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CALLER_LIMITS } from '../../../agent/workload-api/limits.ts';
import { SECURITY_HEADER, type Stream, WorkloadClient } from './client.ts';
import { World } from './world.ts';

const { status } = grpc;

let world: World;
let opened: { destroy(): void }[];
beforeEach(async () => {
  opened = [];
  world = await new World().start({ slowReaderMs: 100 });
  world.place('web');
});
afterEach(async () => {
  for (const thing of opened) thing.destroy();
  await world[Symbol.asyncDispose]();
});

function raw(to = world): Socket {
  const socket = connect(to.socket);
  socket.on('error', () => {});
  opened.push(socket);
  return socket;
}

function session(settings: { initialWindowSize?: number } = {}, to = world): ClientHttp2Session {
  const made = connectHttp2('http://agent', { createConnection: () => raw(to), settings });
  made.on('error', () => {});
  opened.push(made);
  return made;
}

function request(over: ClientHttp2Session) {
  const stream = over.request({
    ':method': 'POST',
    ':path': '/SpiffeWorkloadAPI/FetchX509SVID',
    'content-type': 'application/grpc',
    ...SECURITY_HEADER,
  });
  stream.on('error', () => {});
  return stream;
}

/** The messages of a gRPC stream: a zero byte, four of length, the message. */
async function* messagesOf(stream: ClientHttp2Stream): AsyncGenerator<Buffer> {
  let bytes: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      yield bytes.subarray(5, end);
      bytes = bytes.subarray(end);
    }
  }
}

async function isServed(): Promise<boolean> {
  using client = new WorkloadClient(world.socket);
  return (await client.svids().next()).kind === 'message';
}

test('one connection too many is closed, and room is made by one that ends', async () => {
  const sockets: Socket[] = [];
  for (let i = 0; i < CALLER_LIMITS.connections; i++) {
    const socket = raw();
    await once(socket, 'data'); // the server's settings: it was let in
    sockets.push(socket);
  }
  await once(raw().resume(), 'close');
  sockets[0]!.destroy();
  await expect.poll(isServed).toBe(true); // once the agent has noticed
});

test('calls beyond the rate are told to keep a stream open', async () => {
  let nowMs = 0;
  await using still = await new World().start({ nowMs: () => nowMs });
  still.place('web');
  using client = new WorkloadClient(still.socket);
  const answer = async (): Promise<number | undefined> => {
    const stream: Stream<unknown> = client.svids();
    const event = await stream.next();
    stream.cancel();
    return event.kind === 'end' ? event.code : undefined;
  };
  for (let i = 1; i < CALLER_LIMITS.burst; i++) expect(await answer()).toBeUndefined(); // its connection was the first
  for (let i = 0; i < 20; i++) expect(await answer()).toBe(status.RESOURCE_EXHAUSTED);
  nowMs += 1_000;
  for (let i = 0; i < CALLER_LIMITS.callsPerSecond; i++) expect(await answer()).toBeUndefined();
  expect(await answer()).toBe(status.RESOURCE_EXHAUSTED);
});

test('streams beyond their number are refused', async () => {
  const answers: unknown[] = [];
  for (let made = 0; made <= CALLER_LIMITS.streams; ) {
    const over = session();
    for (let i = 0; i < 16 && made <= CALLER_LIMITS.streams; i++, made++) {
      const stream = request(over);
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      answers.push(headers['grpc-status']);
    }
  }
  const exhausted = String(status.RESOURCE_EXHAUSTED);
  expect(answers).toEqual([...Array(CALLER_LIMITS.streams).fill(undefined), exhausted]);
});

test('who does not read is cut off, connection and all', async () => {
  const over = session({ initialWindowSize: 0 });
  request(over);
  await once(over, 'close');
  expect(await isServed()).toBe(true);
});

test('a connection without a call is closed, one with a call is not', async () => {
  await using brief = await new World().start({ idleMs: 100 });
  brief.place('web');
  const busy = session({}, brief);
  await once(request(busy), 'response');
  await once(raw(brief).resume(), 'close'); // says nothing for as long as the other
  expect(busy.closed).toBe(false);
});

test('a reader that is slow gets the newest, not every one in between', async () => {
  await using patient = await new World().start();
  const spiffeId = patient.place('web');
  const over = session({ initialWindowSize: 0 }, patient);
  const stream = request(over);
  await once(stream, 'response');
  for (let i = 0; i < 5; i++) {
    patient.renew(spiffeId);
    await new Promise(setImmediate);
  }
  over.settings({ initialWindowSize: 65_535 });
  const newest = new X509Certificate(patient.svids.svids()[0]!.certificateChainPem);
  const messages = messagesOf(stream);
  await messages.next(); // the one that was under way
  const { value } = await messages.next();
  expect((value as Buffer).includes(newest.raw)).toBe(true);
});

test('a request without end is reset', async () => {
  const stream = request(session());
  stream.write(Buffer.alloc(64 * 1024));
  await new Promise((resolve) => stream.once('close', resolve));
  expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

test.each([
  ['no HTTP/2 at all', Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')],
  ['frames of nonsense', Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.alloc(4_096, 0xff)])],
])('%s ends that connection and nothing else', async (_what, bytes) => {
  using neighbour = new WorkloadClient(world.socket);
  const stream = neighbour.svids();
  await stream.message();
  const socket = raw();
  socket.resume().write(bytes);
  await once(socket, 'close');
  world.renew(world.ids[0]!);
  await stream.message();
});
