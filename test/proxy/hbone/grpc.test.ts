/** gRPC in the ways of an ambient mesh, both ways: a real client and server, streams within a connection within one CONNECT. */
import { once } from 'node:events';
import net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { HBONE, TUNNEL_LABEL } from '../../../proxy/snapshot.ts';
import { Mesh, WEB } from '../mesh.ts';
import { Ambient, ISTIO, Way } from './ambient.ts';

const text = {
  requestSerialize: (value: string) => Buffer.from(value),
  requestDeserialize: String,
  responseSerialize: (value: string) => Buffer.from(value),
  responseDeserialize: String,
};
const DEFINITION = {
  unary: { path: '/shop.Echo/Unary', requestStream: false, responseStream: false, ...text },
  both: { path: '/shop.Echo/Both', requestStream: true, responseStream: true, ...text },
} as const;
const IMPLEMENTATION: grpc.UntypedServiceImplementation = {
  unary: ({ request }: grpc.ServerUnaryCall<string, string>, done: grpc.sendUnaryData<string>) => {
    const trailers = new grpc.Metadata();
    trailers.set('x-sum', '42');
    if (request === 'away') done({ code: grpc.status.UNAVAILABLE, details: 'away' });
    else done(null, `says ${request}`, trailers);
  },
  both: (call: grpc.ServerDuplexStream<string, string>) => {
    call.on('data', (message: string) => call.write(message));
    call.on('end', () => call.end());
  },
};
const labels = { [TUNNEL_LABEL]: HBONE };

class EchoServer implements Disposable {
  readonly #server = new grpc.Server();
  port = 0;

  static async start(): Promise<EchoServer> {
    const echo = new EchoServer();
    const server = echo.#server;
    server.addService(DEFINITION, IMPLEMENTATION);
    echo.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    return echo;
  }

  [Symbol.dispose](): void {
    this.#server.forceShutdown();
  }
}

function unary(client: grpc.Client, message: string): Promise<{ text: string; sum: unknown }> {
  const { path, requestSerialize, responseDeserialize } = DEFINITION.unary;
  return new Promise((resolve, reject) => {
    let answer = '';
    client
      .makeUnaryRequest(path, requestSerialize, responseDeserialize, message, (error, value) => {
        if (error !== null) reject(error);
        answer = value!;
      })
      .on('status', ({ metadata }) => resolve({ text: answer, sum: metadata.get('x-sum')[0] }));
  });
}

/** What gRPC needs of a connection: many calls at a time, statuses and trailers, and messages both ways for long. */
async function converse(port: number): Promise<void> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  try {
    const calls = await Promise.all(Array.from({ length: 100 }, (_, nth) => unary(client, `${nth}`)));
    expect(calls).toEqual(Array.from({ length: 100 }, (_, nth) => ({ text: `says ${nth}`, sum: '42' })));
    await expect(unary(client, 'away')).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE, details: 'away' });
    const { path, requestSerialize, responseDeserialize } = DEFINITION.both;
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const answers = call[Symbol.asyncIterator]();
    for (let nth = 0; nth < 100; nth++) {
      const message = `${nth} ${'x'.repeat(nth * 100)}`;
      call.write(message);
      expect((await answers.next()).value).toBe(message);
    }
    call.end();
    expect((await answers.next()).done).toBe(true);
  } finally {
    client.close();
  }
}

/** Calls by their status of gRPC, as a proxy counted them. */
function counted({ reader }: Mesh['a'], source: string): Record<string, number> {
  const all: Record<string, number> = {};
  for (const { labels: row, grpcStatuses } of reader.series()) {
    if (row.source !== source) continue;
    for (const [status, count] of Object.entries(grpcStatuses)) all[status] = (all[status] ?? 0) + count;
  }
  return all;
}

const COUNTED = { [grpc.status.OK]: 101, [grpc.status.UNAVAILABLE]: 1 };

test('gRPC to an endpoint of an ambient mesh', async () => {
  using echo = await EchoServer.start();
  await using mesh = await Mesh.start(echo.port, { protocol: 'http2' });
  await using ambient = new Ambient(mesh);
  const authorities: string[] = [];
  const tunnelPort = await ambient.serve(ISTIO, (stream, headers) => {
    authorities.push(headers[':authority']!);
    stream.respond({ ':status': 200 });
    const app = net.connect({ port: echo.port, host: '127.0.0.1', allowHalfOpen: true });
    app.on('error', () => stream.close());
    stream.pipe(app).pipe(stream);
  });
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ identity: ISTIO, tunnelPort, labels })] }));
  await converse(mesh.port);
  expect(new Set(authorities)).toEqual(new Set([`127.0.0.1:${echo.port}`]));
  expect(ambient.served).toBe(1);
  expect(counted(mesh.a, WEB)).toEqual(COUNTED);
});

test('gRPC from a caller of an ambient mesh', async () => {
  using echo = await EchoServer.start();
  await using mesh = await Mesh.start(echo.port, { protocol: 'http2' });
  await using ambient = new Ambient(mesh);
  const session = await ambient.connect();
  // Its ztunnel, which takes the connections of a program into ways.
  const ztunnel = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    void Way.open(session, `127.0.0.1:${echo.port}`).then(({ stream }) => socket.pipe(stream).pipe(socket));
  });
  ztunnel.listen(0, '127.0.0.1');
  await once(ztunnel, 'listening');
  await converse((ztunnel.address() as net.AddressInfo).port);
  ztunnel.close();
  expect(counted(mesh.b, ISTIO)).toEqual(COUNTED);
});

test('gRPC between two agents that speak HBONE', async () => {
  using echo = await EchoServer.start();
  await using mesh = await Mesh.start(echo.port, { protocol: 'http2' });
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ labels })] }));
  await converse(mesh.port);
  expect([counted(mesh.a, WEB), counted(mesh.b, WEB)]).toEqual([COUNTED, COUNTED]);
});
