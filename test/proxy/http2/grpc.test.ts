/** A real gRPC client and server, two proxies between them. @module */

import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { eventually, Mesh } from '../mesh.ts';
import { data, headers, TYPE } from './frames.ts';
import { Peer, request } from './peer.ts';

const text = {
  requestSerialize: (value: string) => Buffer.from(value),
  requestDeserialize: String,
  responseSerialize: (value: string) => Buffer.from(value),
  responseDeserialize: String,
};
const DEFINITION = {
  unary: { path: '/shop.Echo/Unary', requestStream: false, responseStream: false, ...text },
  down: { path: '/shop.Echo/Down', requestStream: false, responseStream: true, ...text },
  up: { path: '/shop.Echo/Up', requestStream: true, responseStream: false, ...text },
  both: { path: '/shop.Echo/Both', requestStream: true, responseStream: true, ...text },
} as const;

/** Calls that the server was told are cancelled. */
let cancelled = 0;

const IMPLEMENTATION: grpc.UntypedServiceImplementation = {
  unary: (call: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) => {
    call.on('cancelled', () => cancelled++);
    if (call.request === 'never') return;
    if (call.request === 'trace') {
      done(null, JSON.stringify(call.metadata.getMap()));
      return;
    }
    if (call.request === 'away') {
      done({ code: grpc.status.UNAVAILABLE, details: 'away' });
      return;
    }
    if (call.request !== 'fail') {
      const trailers = new grpc.Metadata();
      trailers.set('x-sum', '42');
      done(null, `${call.metadata.get('x-who')} says ${call.request}`, trailers);
      return;
    }
    done({ code: grpc.status.FAILED_PRECONDITION, details: 'not today, ünd not here' });
  },
  down: (call: grpc.ServerWritableStream<string, string>) => {
    for (let i = 0; i < 1_000; i++) call.write(`${i}`);
    call.end();
  },
  up: (call: grpc.ServerReadableStream<string, string>, done: grpc.sendUnaryData<string>) => {
    let bytes = 0;
    call.on('data', (message: string) => {
      bytes += message.length;
    });
    call.on('end', () => done(null, String(bytes)));
  },
  both: (call: grpc.ServerDuplexStream<string, string>) => {
    call.on('data', (message: string) => call.write(message));
    call.on('end', () => call.end());
  },
};

async function start(config: NonNullable<Parameters<typeof Mesh.start>[1]>['config'] = {}): Promise<{
  server: grpc.Server;
  mesh: Mesh;
  client: grpc.Client;
}> {
  const server = new grpc.Server();
  server.addService(DEFINITION, IMPLEMENTATION);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const mesh = await Mesh.start(port, { protocol: 'http2', config });
  return { server, mesh, client: new grpc.Client(`127.0.0.1:${mesh.port}`, grpc.credentials.createInsecure()) };
}

function unary(
  client: grpc.Client,
  message: string,
  options: grpc.CallOptions = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<string> & { call: grpc.ClientUnaryCall } {
  const metadata = new grpc.Metadata();
  metadata.set('x-who', 'web');
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const { path, requestSerialize, responseDeserialize } = DEFINITION.unary;
  let call!: grpc.ClientUnaryCall;
  const answer = new Promise<string>((resolve, reject) => {
    call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      metadata,
      options,
      (error, value) => (error === null ? resolve(value!) : reject(error)),
    );
  });
  return Object.assign(answer, { call });
}

const both = (client: grpc.Client): grpc.ClientDuplexStream<string, string> => {
  const { path, requestSerialize, responseDeserialize } = DEFINITION.both;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new grpc.Metadata(), {});
};

describe('gRPC', () => {
  let server: grpc.Server;
  let mesh: Mesh;
  let client: grpc.Client;
  beforeAll(async () => {
    ({ server, mesh, client } = await start({ telemetry: { sampleRatio: 1, slowMs: 600_000, maxBatch: 10_000 } }));
  });
  afterAll(async () => {
    client.close();
    await mesh[Symbol.asyncDispose]();
    server.forceShutdown();
  });

  test('a unary call, with metadata and trailers', async () => {
    const answer = unary(client, 'hello');
    const trailers = once(answer.call, 'status');
    expect(await answer).toBe('web says hello');
    const [status] = (await trailers) as [grpc.StatusObject];
    expect(status.code).toBe(grpc.status.OK);
    expect(status.metadata.get('x-sum')).toEqual(['42']);
  });

  test('1,000 calls at a time on one connection, each answered with its own', async () => {
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => unary(client, `${i}`)));
    expect(answers).toEqual(Array.from({ length: 1_000 }, (_, i) => `web says ${i}`));
  });

  test('an error status with its details', async () => {
    await expect(unary(client, 'fail')).rejects.toMatchObject({
      code: grpc.status.FAILED_PRECONDITION,
      details: 'not today, ünd not here',
    });
  });

  test('a method that nobody implements', async () => {
    const { requestSerialize, responseDeserialize } = DEFINITION.unary;
    const answer = new Promise((resolve, reject) => {
      client.makeUnaryRequest('/shop.Echo/No', requestSerialize, responseDeserialize, '', (error, value) =>
        error === null ? resolve(value) : reject(error),
      );
    });
    await expect(answer).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });

  test('a stream of the server', async () => {
    const { path, requestSerialize, responseDeserialize } = DEFINITION.down;
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, 'go');
    const messages: string[] = [];
    for await (const message of call) messages.push(message as string);
    expect(messages).toEqual(Array.from({ length: 1_000 }, (_, i) => `${i}`));
  });

  test('a stream of the client', async () => {
    const { path, requestSerialize, responseDeserialize } = DEFINITION.up;
    const answer = new Promise<string>((resolve, reject) => {
      const call = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (error, value) =>
        error === null ? resolve(value!) : reject(error),
      );
      for (let i = 0; i < 100; i++) call.write('x'.repeat(10_000));
      call.end();
    });
    expect(await answer).toBe('1000000');
  });

  test('a conversation of 1,000 messages, each after the answer to the last', async () => {
    const call = both(client);
    const answers = call[Symbol.asyncIterator]();
    for (let i = 0; i < 1_000; i++) {
      call.write(`message ${i}`);
      expect((await answers.next()).value).toBe(`message ${i}`);
    }
    call.end();
    expect((await answers.next()).done).toBe(true);
  });

  test('a deadline ends the call at both ends', async () => {
    cancelled = 0;
    await expect(unary(client, 'never', { deadline: Date.now() + 200 })).rejects.toMatchObject({
      code: grpc.status.DEADLINE_EXCEEDED,
    });
    await eventually(() => cancelled === 1);
  });

  test('a cancelled call is cancelled at the server', async () => {
    cancelled = 0;
    const answer = unary(client, 'never');
    const refused = expect(answer).rejects.toMatchObject({ code: grpc.status.CANCELLED });
    await unary(client, 'after'); // the first is there, too
    answer.call.cancel();
    await refused;
    await eventually(() => cancelled === 1);
  });

  /** What both hops tell of a trace, once each has told of so many calls. */
  async function toldOf(traceId: string, calls = 1): Promise<readonly (readonly RequestRecord[])[]> {
    const told = () => [mesh.a, mesh.b].map(({ records }) => records.filter((record) => record.traceId === traceId));
    await eventually(() => told().every(({ length }) => length === calls));
    return told();
  }

  test('the status in the trailers is what both hops tell of a call, and some of them are failures', async () => {
    const traceId = '1'.repeat(32);
    const headers = { traceparent: `00-${traceId}-${'2'.repeat(16)}-01` };
    await expect(unary(client, 'fail', {}, headers)).rejects.toBeDefined();
    await expect(unary(client, 'away', {}, headers)).rejects.toBeDefined();
    await unary(client, 'hello', {}, headers);
    for (const records of await toldOf(traceId, 3)) {
      const told = records.map(({ path, protocol, method, status, grpcStatus, kept }) => [
        [path, protocol, method, status].join(' '),
        grpcStatus,
        kept.failed,
      ]);
      expect(told).toEqual([
        ['/shop.Echo/Unary grpc POST 200', grpc.status.FAILED_PRECONDITION, false],
        ['/shop.Echo/Unary grpc POST 200', grpc.status.UNAVAILABLE, true],
        ['/shop.Echo/Unary grpc POST 200', grpc.status.OK, false],
      ]);
    }
  });

  test('a call goes on with its place in a trace, in the fields that it came with', async () => {
    const spanId = 'b7ad6b7169203331';
    const seen = async (headers: Readonly<Record<string, string>>) => {
      const fields = JSON.parse(await unary(client, 'trace', {}, headers)) as Readonly<Record<string, string>>;
      const traceId = fields.traceparent!.slice(3, 35);
      const [[outbound], [inbound]] = (await toldOf(traceId)) as [[RequestRecord], [RequestRecord]];
      expect(fields.traceparent).toBe(`00-${traceId}-${inbound.spanId}-01`);
      expect(inbound.parentSpanId).toBe(outbound.spanId);
      return { fields, traceId, outbound, inbound };
    };
    const own = await seen({});
    expect([own.outbound.parentSpanId, own.fields.b3]).toEqual(['', undefined]);

    const w3c = await seen({ traceparent: `00-${'3'.repeat(32)}-${spanId}-01`, tracestate: 'a=1' });
    expect(w3c).toMatchObject({ traceId: '3'.repeat(32), outbound: { parentSpanId: spanId } });
    expect(w3c.fields.tracestate).toBe('a=1');

    const single = await seen({ b3: `${'4'.repeat(32)}-${spanId}-1` });
    expect(single).toMatchObject({ traceId: '4'.repeat(32), outbound: { parentSpanId: spanId } });
    expect(single.fields.b3).toBe(`${single.traceId}-${single.inbound.spanId}-1-${single.outbound.spanId}`);

    const multi = await seen({ 'x-b3-traceid': '5'.repeat(32), 'x-b3-spanid': spanId, 'x-b3-sampled': '1' });
    expect(multi).toMatchObject({ traceId: '5'.repeat(32), outbound: { parentSpanId: spanId } });
    expect(multi.fields).toMatchObject({
      'x-b3-traceid': multi.traceId,
      'x-b3-spanid': multi.inbound.spanId,
      'x-b3-parentspanid': multi.outbound.spanId,
      'x-b3-sampled': '1',
    });
  });

  test('a refusal of the mesh is a status that clients know', async () => {
    mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ state: 'draining' })] }));
    await expect(unary(client, 'hello')).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint()] }));
    expect(await unary(client, 'hello')).toBe('web says hello');
  });
});

const UPLOAD = request(DEFINITION.up.path, 'POST', [
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
  ['content-length', '10'],
]);

test('a conversation that is quiet for longer than an upload may be goes on', async () => {
  const { server, mesh, client } = await start({ http: { bodyTimeoutMs: 300 } });
  const call = both(client);
  const answers = call[Symbol.asyncIterator]();
  call.write('first');
  expect((await answers.next()).value).toBe('first');
  const quiet = both(client); // has not said a word yet
  // An upload of an announced length that stops takes longer to be refused than the conversation has been quiet.
  for (let i = 0; i < 2; i++) {
    using peer = await Peer.client(mesh.port);
    peer.send(headers(1, UPLOAD, { endStream: false }), data(1, 'half', { endStream: false }));
    expect(peer.fields(await peer.of(TYPE.headers, 1))[0]).toEqual([':status', '200']);
    expect(peer.fields(await peer.of(TYPE.headers, 1))[0]).toEqual(['grpc-status', '4']); // DEADLINE_EXCEEDED
  }
  call.write('second');
  expect((await answers.next()).value).toBe('second');
  quiet.write('at last');
  expect((await quiet[Symbol.asyncIterator]().next()).value).toBe('at last');
  call.end();
  quiet.end();
  client.close();
  await mesh[Symbol.asyncDispose]();
  server.forceShutdown();
});

test('a server that shuts down finishes its calls, and new ones are told that nobody serves', async () => {
  const { server, mesh, client } = await start();
  const call = both(client);
  const answers = call[Symbol.asyncIterator]();
  call.write('before');
  expect((await answers.next()).value).toBe('before');
  const down = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  call.write('after');
  expect((await answers.next()).value).toBe('after');
  await expect(unary(client, 'hello')).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  call.end();
  expect((await answers.next()).done).toBe(true);
  await down;
  client.close();
  await mesh[Symbol.asyncDispose]();
});
