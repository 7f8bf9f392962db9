/** The server on loopback, without capture: what any machine can run. */
import { createSocket } from 'node:dgram';
import { promises } from 'node:dns';
import { once } from 'node:events';
import { connect, createServer, type Server, Socket } from 'node:net';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { DNS_LIMITS, type DnsLimits } from '../../../proxy/dns/config.ts';
import { frame, MessageReader } from '../../../proxy/dns/framing.ts';
import { DnsServer } from '../../../proxy/dns/server.ts';
import type { DnsSockets, ResolverAddress } from '../../../proxy/dns/sockets.ts';
import type { DnsOutcome } from '../../../proxy/dns/stats.ts';
import { query } from './support.ts';

interface Running extends AsyncDisposable {
  readonly port: number;
  readonly counted: DnsOutcome[];
}

/** Nothing is redirected on loopback; a TCP connection may be said to have been. */
function loopbackSockets(resolver: ResolverAddress | undefined): DnsSockets {
  return {
    open: () => new Socket({ allowHalfOpen: true }),
    originalDestination: () => resolver,
    openUdp: () => {
      throw new Error('not on loopback');
    },
    originalUdpDestination: () => undefined,
  };
}

async function run(
  transport: 'tcp' | 'udp',
  options: { resolver?: ResolverAddress; limits?: Partial<DnsLimits>; bind?: ResolverAddress } = {},
): Promise<Running> {
  const counted: DnsOutcome[] = [];
  const server = await DnsServer.start({
    spec: { id: 'dns', unit: 'host', transport, ...(options.bind ?? { address: '127.0.0.1', port: 0 }) },
    lookup: (name) => (name === 'web.shop.weft' ? ['240.240.1.2'] : undefined),
    sockets: loopbackSockets(options.resolver),
    stats: { count: (outcome) => void counted.push(outcome) },
    log: pino({ level: 'silent' }),
    limits: { ...DNS_LIMITS, ...options.limits },
  });
  return { port: server.port, counted, [Symbol.asyncDispose]: () => server.close() };
}

async function startResolver(
  onConnection: (socket: Socket) => void,
): Promise<{ server: Server; address: ResolverAddress }> {
  const server = createServer({ allowHalfOpen: true }, onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { server, address: { address: '127.0.0.1', port: typeof address === 'object' ? address!.port : 0 } };
}

async function everything(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

test('a name of the mesh resolves over UDP', async () => {
  await using server = await run('udp');
  const resolver = new promises.Resolver();
  resolver.setServers([`127.0.0.1:${server.port}`]);
  expect(await resolver.resolve4('web.shop.weft', { ttl: true })).toEqual([{ address: '240.240.1.2', ttl: 5 }]);
  await expect(resolver.resolve4('cart.shop.weft')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  expect(server.counted).toEqual(['answered', 'no-name']);
});

test('what was meant for nobody is dropped and counted, garbage and empty datagrams too', async () => {
  await using server = await run('udp');
  const client = createSocket('udp4');
  for (const message of [query('example.org'), Buffer.alloc(0), Buffer.alloc(2_000, 0xff)]) {
    client.send(message, server.port, '127.0.0.1');
  }
  const answered = once(client, 'message');
  client.send(query('web.shop.weft'), server.port, '127.0.0.1');
  await answered;
  expect(server.counted).toEqual(['no-destination', 'no-destination', 'no-destination', 'answered']);
  client.close();
});

test('what came before it was closed is answered', async () => {
  const bind = { address: '127.0.53.1', port: 15_053 }; // as capture does: the kernel lets go of ports that it chose
  const server = await run('udp', { bind });
  const client = createSocket('udp4');
  const answers: number[] = [];
  client.on('message', (answer) => answers.push(answer.readUInt16BE(0)));
  client.connect(bind.port, bind.address);
  await once(client, 'connect');
  const ids = [1, 2, 3, 4, 5];
  for (const id of ids) client.send(query('web.shop.weft', { id })); // there at once, and nobody has had a turn to read it
  client.send(query('example.org'));
  await server[Symbol.asyncDispose]();
  await expect.poll(() => answers).toEqual(ids);
  expect(server.counted).toEqual(ids.map(() => 'answered'));
  client.close();
});

test('pipelined queries over TCP are answered in one connection, byte by byte too', async () => {
  await using server = await run('tcp');
  const client = connect(server.port, '127.0.0.1');
  const received = everything(client);
  const stream = Buffer.concat([1, 2, 3].map((id) => frame(query('web.shop.weft', { id }))));
  for (const byte of stream) client.write(Buffer.from([byte]));
  client.end();
  const answers = [...new MessageReader().read(await received)];
  expect(answers.map((answer) => answer.readUInt16BE(0))).toEqual([1, 2, 3]);
});

test('a resolver that ends early ends the client, with all it said', async () => {
  const { server: resolver, address } = await startResolver((socket) => {
    socket.once('data', () => socket.end(Buffer.from([0, 9, 1, 2]))); // announces nine bytes, sends two
  });
  await using server = await run('tcp', { resolver: address });
  const client = connect(server.port, '127.0.0.1');
  client.write(frame(query('example.org')));
  expect(await everything(client)).toEqual(Buffer.from([0, 9, 1, 2]));
  resolver.close();
});

test('a client that does not read stops the resolver, and gets all once it reads', async () => {
  const messages = 400;
  let sent = 0;
  const { server: resolver, address } = await startResolver((socket) => {
    const message = frame(Buffer.alloc(65_535, 7));
    const send = (): void => {
      while (sent < messages) {
        sent++;
        if (!socket.write(message)) return;
      }
      socket.end();
    };
    socket.on('drain', send);
    socket.once('data', send);
  });
  await using server = await run('tcp', { resolver: address });
  const client = connect(server.port, '127.0.0.1');
  await once(client, 'connect');
  client.pause();
  client.write(frame(query('example.org')));
  await quiet(() => sent);
  expect(sent).toBeLessThan(messages); // 26 MB do not fit in socket buffers
  client.resume();
  expect((await everything(client)).length).toBe(messages * 65_537);
  resolver.close();
});

test('more connections than allowed are reset and counted', async () => {
  await using server = await run('tcp', { limits: { maxConnections: 1 } });
  const first = connect(server.port, '127.0.0.1');
  first.write(frame(query('web.shop.weft')));
  await once(first, 'data');
  const second = connect(server.port, '127.0.0.1');
  const [err] = (await once(second, 'error')) as [NodeJS.ErrnoException];
  expect(err.code).toBe('ECONNRESET');
  expect(server.counted).toContain('crowded');
  first.destroy();
});

test('a silent connection is closed', async () => {
  await using server = await run('tcp', { limits: { idleTimeoutMs: 20 } });
  const client = connect(server.port, '127.0.0.1');
  await once(client, 'connect');
  client.resume();
  await once(client, 'close');
});

test('a resolver that is not there resets the client', async () => {
  const { server: resolver, address } = await startResolver(() => {});
  resolver.close();
  await once(resolver, 'close');
  await using server = await run('tcp', { resolver: address });
  const client = connect(server.port, '127.0.0.1');
  client.write(frame(query('example.org')));
  await expect(once(client, 'data')).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(server.counted).toEqual(['passed-on', 'failed']);
});

test('an address in use is an error, and closing twice is fine', async () => {
  await using server = await run('udp');
  const second = DnsServer.start({
    spec: { id: 'dns', unit: 'host', transport: 'udp', address: '127.0.0.1', port: server.port },
    lookup: () => undefined,
    sockets: loopbackSockets(undefined),
    stats: { count: () => {} },
    log: pino({ level: 'silent' }),
  });
  await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await server[Symbol.asyncDispose]();
});

/** Resolves once a number has stopped changing: the event loop has nothing left to do about it. */
async function quiet(read: () => number): Promise<void> {
  for (let last = -1, same = 0; same < 50; ) {
    await new Promise((resolve) => setImmediate(resolve));
    same = read() === last ? same + 1 : 0;
    last = read();
  }
}
