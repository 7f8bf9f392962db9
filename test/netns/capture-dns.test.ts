/** DNS inside a captured namespace, against resolvers in another one whose bytes are compared. */
import { createSocket, type Socket as Datagrams, type RemoteInfo } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { Linux } from '../../agent/capture/linux.ts';
import { Namespace } from '../../agent/capture/namespace.ts';
import { captureSockets } from '../../agent/capture/sockets.ts';
import { CaptureState } from '../../agent/capture/state.ts';
import { CaptureUnit } from '../../agent/capture/unit.ts';
import { DNS_LIMITS, type DnsLimits } from '../../proxy/dns/config.ts';
import { frame, MessageReader } from '../../proxy/dns/framing.ts';
import { dnsListeners } from '../../proxy/dns/server.ts';
import type { DnsOutcome } from '../../proxy/dns/stats.ts';
import { OBSTACLE, Pods, path, runNode } from '../agent/capture/support.ts';
import { query } from '../proxy/dns/support.ts';

const linux = OBSTACLE === undefined ? Linux.load() : undefined!;
const RESOLVER = { 4: '10.88.0.2', 6: 'fd88::2' } as const;
const ANY = { 4: '0.0.0.0', 6: '::' } as const;
const VIPS: Readonly<Record<string, readonly string[]>> = {
  'web.shop.weft': ['240.240.1.2', 'fd57:6566:7400::102'],
  'v4only.shop.weft': ['240.240.1.3'],
};

/** A captured pod whose DNS listeners run, and what they counted. */
class Scene implements AsyncDisposable {
  readonly pods = new Pods();
  readonly counted = new Map<DnsOutcome, number>();
  readonly #events = new EventEmitter();
  readonly #closers = new AsyncDisposableStack();

  static async start(limits: Partial<DnsLimits> = {}): Promise<Scene> {
    const scene = new Scene();
    scene.#closers.defer(() => scene.pods[Symbol.dispose]());
    const namespace = Namespace.open(linux, { kind: 'path', path: path(scene.pods.pod) });
    const state = CaptureState.load(join(scene.pods.directory, 'captures.json'));
    const options = { unit: 'pod', scope: 'namespace', workloads: [{ id: 'web', ports: [] }], workers: 1 } as const;
    const unit = scene.#closers.use(await CaptureUnit.install(namespace, options, { linux, state }));
    const { path: place, identity } = namespace;
    const sockets = scene.#closers.use(captureSockets([{ unit: 'pod', path: place, identity }], linux));
    const stats = { count: (outcome: DnsOutcome) => scene.#count(outcome) };
    const listen = dnsListeners({
      sockets,
      stats,
      log: pino({ level: 'silent' }),
      limits: { ...DNS_LIMITS, ...limits },
    });
    for (const spec of unit.take(0)) {
      if (spec.role === 'dns') scene.#closers.use(await listen(spec, (name) => VIPS[name]));
      else linux.close(spec.fd);
    }
    return scene;
  }

  /** A socket of a program in the pod. */
  async client(family: 4 | 6): Promise<Datagrams> {
    return this.#datagrams(this.pods.pod, family, ANY[family], 0);
  }

  /** A resolver outside. */
  async resolver(family: 4 | 6, address: string, answer: (query: Buffer) => Buffer | undefined): Promise<void> {
    const socket = await this.#datagrams(this.pods.outside, family, address, 53);
    socket.on('message', (message: Buffer, { address: from, port }: RemoteInfo) => {
      const answered = answer(message);
      if (answered !== undefined) socket.send(answered, port, from);
    });
  }

  async tcpResolver(family: 4 | 6, onConnection: (socket: Socket) => void): Promise<Server> {
    using namespace = Namespace.open(linux, { kind: 'path', path: path(this.pods.outside) });
    const fd = linux.openListener({ namespace: namespace.fd, family, address: RESOLVER[family], port: 53 });
    const server = createServer({ allowHalfOpen: true }, onConnection).listen({ fd });
    await once(server, 'listening');
    this.#closers.defer(async () => {
      server.close();
    });
    return server;
  }

  /** Resolves once an outcome was counted so many times. */
  async until(outcome: DnsOutcome, times = 1): Promise<void> {
    while ((this.counted.get(outcome) ?? 0) < times) await once(this.#events, 'counted');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closers.disposeAsync();
  }

  #count(outcome: DnsOutcome): void {
    this.counted.set(outcome, (this.counted.get(outcome) ?? 0) + 1);
    this.#events.emit('counted');
  }

  async #datagrams(name: string, family: 4 | 6, address: string, port: number): Promise<Datagrams> {
    using namespace = Namespace.open(linux, { kind: 'path', path: path(name) });
    const fd = linux.openUdp({ namespace: namespace.fd, family, address, port });
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
    const listening = once(socket, 'listening');
    socket.bind({ fd });
    await listening;
    this.#closers.defer(() => {
      socket.close();
    });
    return socket;
  }
}

async function ask(
  client: Datagrams,
  message: Buffer,
  resolver: string,
): Promise<{ answer: Buffer; from: RemoteInfo }> {
  const answered = once(client, 'message') as Promise<[Buffer, RemoteInfo]>;
  client.send(message, 53, resolver);
  const [answer, from] = await answered;
  return { answer, from };
}

/** Source of a program that resolves names with Node's own resolver, which is c-ares, and prints what it got. */
const resolving = (server: string, names: readonly string[]): string => `
  const resolver = new (require('dns').promises.Resolver)({ timeout: 2000, tries: 1 });
  resolver.setServers(['${server}']);
  const outcome = (promise) => promise.catch((err) => err.code);
  Promise.all(${JSON.stringify(names)}.map(async (name) => [name, await outcome(resolver.resolve4(name)), await outcome(resolver.resolve6(name))]))
    .then((answers) => console.log(JSON.stringify(answers)));`;

/** Source of a program that sends bytes over TCP to port 53, closes its side, and prints all it gets back. */
const sendingTcp = (server: string, bytes: Buffer): string => `
  const socket = require('net').connect({ port: 53, host: '${server}', allowHalfOpen: true });
  const chunks = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', (err) => console.log(JSON.stringify(err.code)));
  socket.on('end', () => console.log(JSON.stringify(Buffer.concat(chunks).toString('hex'))));
  socket.end(Buffer.from('${bytes.toString('hex')}', 'hex'));`;

function pattern(bytes: number, first: Buffer): Buffer {
  const message = Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 31) & 0xff));
  first.copy(message);
  return message;
}

describe.skipIf(OBSTACLE !== undefined)('dns in a captured namespace', () => {
  test.for(['10.88.0.2', '[fd88::2]', '127.0.0.53', '[::1]'])(
    'names of the mesh resolve whatever resolver is configured: %s',
    async (server) => {
      await using scene = await Scene.start();
      const names = ['web.shop.weft', 'WEB.Shop.WEFT', 'v4only.shop.weft', 'nothing.shop.weft'];
      expect(await runNode(scene.pods.pod, resolving(server, names))).toEqual([
        ['web.shop.weft', ['240.240.1.2'], ['fd57:6566:7400::102']],
        ['WEB.Shop.WEFT', ['240.240.1.2'], ['fd57:6566:7400::102']],
        ['v4only.shop.weft', ['240.240.1.3'], 'ENODATA'],
        ['nothing.shop.weft', 'ENOTFOUND', 'ENOTFOUND'],
      ]);
      expect(scene.counted.get('passed-on')).toBeUndefined();
    },
  );

  test.for([4, 6] as const)(
    'any other datagram goes to its resolver and back byte for byte, over IPv%i',
    async (family) => {
      await using scene = await Scene.start();
      const question = query('example.org', { id: 0x1234, edns: 4096 });
      const strange = Buffer.from('not dns at all, and longer than a header');
      const cut = pattern(512, Buffer.from([0x12, 0x34, 0x83, 0x80])); // TC set
      const large = pattern(4_000, Buffer.from([0x12, 0x34, 0x81, 0x80])); // in fragments on the wire
      const other = pattern(40, strange.subarray(0, 2));
      const seen: Buffer[] = [];
      const answers = [cut, large, other];
      await scene.resolver(family, RESOLVER[family], (message) => {
        seen.push(message);
        return answers[seen.length - 1];
      });
      const client = await scene.client(family);
      for (const [index, message] of [question, question, strange].entries()) {
        const { answer, from } = await ask(client, message, RESOLVER[family]);
        expect(answer.equals(answers[index]!)).toBe(true);
        expect(from).toMatchObject({ address: RESOLVER[family], port: 53 });
      }
      expect(seen.map((message) => message.toString('hex'))).toEqual(
        [question, question, strange].map((message) => message.toString('hex')),
      );
    },
  );

  test('one socket that asks two resolvers at once hears each from the address it asked', async () => {
    await using scene = await Scene.start();
    const reply = (name: string) => (message: Buffer) => Buffer.concat([message.subarray(0, 2), Buffer.from(name)]);
    await scene.resolver(4, '10.88.0.2', reply('first'));
    await scene.resolver(4, '10.99.0.2', reply('second'));
    const client = await scene.client(4);
    const heard: [string, string][] = [];
    const both = new Promise<void>((resolve) => {
      client.on('message', (answer: Buffer, { address }: RemoteInfo) => {
        heard.push([address, answer.toString('latin1', 2)]);
        if (heard.length === 2) resolve();
      });
    });
    client.send(query('example.org', { id: 7 }), 53, '10.88.0.2');
    client.send(query('example.org', { id: 7 }), 53, '10.99.0.2');
    await both;
    expect(heard.sort()).toEqual([
      ['10.88.0.2', 'first'],
      ['10.99.0.2', 'second'],
    ]);
  });

  test('an answer with a wrong id does not end the wait for the right one', async () => {
    await using scene = await Scene.start();
    const right = pattern(30, Buffer.from([0x12, 0x34]));
    const wrong = pattern(30, Buffer.from([0x99, 0x99]));
    const message = query('example.org', { id: 0x1234 });
    const answers = [wrong, right];
    await scene.resolver(4, RESOLVER[4], () => answers[0]);
    const misled = await scene.client(4);
    expect((await ask(misled, message, RESOLVER[4])).answer.equals(wrong)).toBe(true);
    expect(scene.counted.get('relayed')).toBeUndefined();
    answers.shift();
    const client = await scene.client(4);
    expect((await ask(client, message, RESOLVER[4])).answer.equals(right)).toBe(true);
    expect(scene.counted.get('relayed')).toBe(1);
  });

  test('a resolver that refuses is told at once, so that the client need not wait', async () => {
    await using scene = await Scene.start();
    const client = await scene.client(4);
    const { answer } = await ask(client, query('example.org', { id: 5 }), RESOLVER[4]); // nobody listens there
    expect(answer.readUInt16BE(0)).toBe(5);
    expect(answer[3]! & 0xf).toBe(2); // SERVFAIL
    expect(scene.counted.get('failed')).toBe(1);
  });

  test('a query sent to our own port is not passed on to ourselves', async () => {
    await using scene = await Scene.start();
    const client = await scene.client(4);
    client.send(query('example.org', { id: 1 }), 15053, '127.0.0.1');
    await scene.until('no-destination');
    expect(scene.counted.get('passed-on')).toBeUndefined();
  });

  test('too many queries at once cost the oldest', async () => {
    await using scene = await Scene.start({ maxPending: 2 });
    await scene.resolver(4, RESOLVER[4], () => undefined);
    const client = await scene.client(4);
    for (let id = 0; id < 4; id++) client.send(query('example.org', { id }), 53, RESOLVER[4]);
    await scene.until('crowded', 2);
    await scene.until('passed-on', 4);
  });

  test('a resolver that stays silent is given up', async () => {
    await using scene = await Scene.start({ answerTimeoutMs: 20 });
    await scene.resolver(4, RESOLVER[4], () => undefined);
    const client = await scene.client(4);
    for (let id = 0; id < 3; id++) client.send(query('example.org', { id }), 53, RESOLVER[4]);
    await scene.until('timed-out', 3);
    expect(scene.counted.get('passed-on')).toBe(3);
  });

  test.for([4, 6] as const)(
    'over TCP on IPv%i, messages of the mesh and of resolvers mix on one connection, of any size',
    async (family) => {
      await using scene = await Scene.start();
      const server = family === 4 ? RESOLVER[4] : RESOLVER[6];
      const large = pattern(65_535, Buffer.from([0, 2]));
      const seen: string[] = [];
      await scene.tcpResolver(family, (socket) => {
        const reader = new MessageReader();
        socket.on('data', (chunk: Buffer) => {
          for (const message of reader.read(chunk)) seen.push(message.toString('hex'));
        });
        socket.on('end', () => socket.end(frame(large)));
      });
      const foreign = query('example.org', { id: 2 });
      const sent = Buffer.concat([frame(foreign), frame(query('web.shop.weft', { id: 3 })), frame(foreign)]);
      const received = Buffer.from(String(await runNode(scene.pods.pod, sendingTcp(server, sent))), 'hex');
      const answers = [...new MessageReader().read(received)];
      expect(seen).toEqual([foreign.toString('hex'), foreign.toString('hex')]);
      expect(answers).toHaveLength(2);
      expect(answers[0]!.readUInt16BE(0)).toBe(3);
      expect(answers[1]!.equals(large)).toBe(true);
    },
  );

  test('over TCP, a resolver that refuses is a reset', async () => {
    await using scene = await Scene.start();
    const foreign = frame(query('example.org', { id: 2 }));
    expect(await runNode(scene.pods.pod, sendingTcp(RESOLVER[4], foreign))).toBe('ECONNRESET');
    expect(scene.counted.get('failed')).toBe(1);
  });
});
