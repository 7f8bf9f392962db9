/** Capture against the real kernel: namespaces, nft and redirected connections. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Linux } from '../../agent/capture/linux.ts';
import { Namespace } from '../../agent/capture/namespace.ts';
import { readRules } from '../../agent/capture/nft.ts';
import { captureSockets } from '../../agent/capture/sockets.ts';
import { CaptureState } from '../../agent/capture/state.ts';
import { CaptureUnit, type CaptureUnitOptions } from '../../agent/capture/unit.ts';
import { Background, OBSTACLE, Pods, path, ruleset, runNode } from '../agent/capture/support.ts';

const linux = OBSTACLE === undefined ? Linux.load() : undefined!;

const WORKLOAD = { id: 'web', ports: [8080] };

function install(pods: Pods, options: Partial<CaptureUnitOptions> = {}, namespace = pods.pod): Promise<CaptureUnit> {
  const opened = Namespace.open(linux, { kind: 'path', path: path(namespace) });
  const state = CaptureState.load(join(pods.directory, 'captures.json'));
  return CaptureUnit.install(
    opened,
    { unit: namespace, scope: 'namespace', workloads: [WORKLOAD], workers: 1, ...options },
    { linux, state },
  );
}

/** Answers every connection with where it was going, by listener role. */
class Answering implements AsyncDisposable {
  readonly #servers: Server[] = [];

  static async start(unit: CaptureUnit, worker = 0): Promise<Answering> {
    const answering = new Answering();
    const { path: place, identity } = unit.namespace;
    const sockets = captureSockets([{ unit: unit.unit, path: place, identity }], linux);
    for (const { transport, fd, role, workload } of unit.take(worker)) {
      if (transport !== 'tcp') continue;
      const server = createServer((socket: Socket) => {
        const destination = sockets.originalDestination(socket);
        socket.end(JSON.stringify({ role, workload, ...destination }));
      });
      server.listen({ fd });
      await once(server, 'listening');
      answering.#servers.push(server);
    }
    return answering;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      const closed = once(server, 'close');
      server.close();
      await closed;
    }
  }
}

/** Source of a program that connects and prints what it is told, or the code of the error. */
const dialling = (address: string, port: number): string => `
  let text = '';
  const socket = require('net').connect(${port}, '${address}');
  socket.on('data', (chunk) => { text += chunk; });
  socket.on('error', (err) => console.log(JSON.stringify(err.code)));
  socket.on('end', () => console.log(text));`;

/** Source of a server that says its name to whoever connects. */
const serving = (address: string, port: number): string => `
  require('net').createServer((socket) => { socket.end(JSON.stringify('served')); })
    .listen(${port}, '${address}', () => console.log('ready'));`;

describe.skipIf(OBSTACLE !== undefined)('capture', () => {
  test.for([
    ['IPv4', '10.99.0.9'],
    ['IPv6', 'fd99::9'],
  ])('a connection out of the workload over %s arrives with the address it was meant for', async ([, address]) => {
    using pods = new Pods();
    await using unit = await install(pods);
    await using _ = await Answering.start(unit);
    expect(await runNode(pods.pod, dialling(address!, 4711))).toEqual({
      role: 'outbound',
      workload: 'web',
      address,
      port: 4711,
    });
  });

  test.for([
    ['IPv4', '10.88.0.1'],
    ['IPv6', 'fd88::1'],
  ])(
    'a connection to the workload over %s is redirected to the inbound listener, one to the tunnel is not',
    async ([, address]) => {
      using pods = new Pods();
      await using unit = await install(pods);
      await using _ = await Answering.start(unit);
      await using _application = await Background.start(pods.pod, serving('::', 8080));
      expect(await runNode(pods.outside, dialling(address!, 8080))).toEqual({ role: 'inbound', address, port: 8080 });
      expect(await runNode(pods.outside, dialling(address!, 15008))).toEqual({ role: 'tunnel', address, port: 15008 });
      expect(await runNode(pods.pod, dialling(address!, 8080))).toBe('served'); // itself, over loopback
    },
  );

  test('sockets of the agent leave the namespace as if there were no capture', async () => {
    using pods = new Pods();
    await using unit = await install(pods);
    await using server = await Background.start(pods.outside, serving('::', 4711));
    const { path: place, identity } = unit.namespace;
    using sockets = captureSockets([{ unit: 'pod', path: place, identity }], linux);
    for (const [family, address] of [
      [4, '10.88.0.2'],
      [6, 'fd88::2'],
    ] as const) {
      const socket = sockets.open('pod', family).connect(4711, address);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toBe('"served"');
      socket.destroy();
    }
    expect(server.pid).toBeGreaterThan(0);
  });

  test('excluded ports and networks, overlapping ones too, are reached directly', async () => {
    using pods = new Pods();
    const exclude = {
      outboundPorts: [4711],
      outboundCidrs: ['10.88.0.0/24', '10.88.0.2/32', 'fd88::/64'],
      inboundPorts: [9000],
    };
    await using unit = await install(pods, { workloads: [{ ...WORKLOAD, exclude }] });
    await using _ = await Answering.start(unit);
    await using _byNetwork = await Background.start(pods.outside, serving('::', 4712));
    await using _byPort = await Background.start(pods.outside, serving('::', 4711));
    await using _inbound = await Background.start(pods.pod, serving('::', 9000));
    expect(await runNode(pods.pod, dialling('10.88.0.2', 4712))).toBe('served');
    expect(await runNode(pods.pod, dialling('fd88::2', 4712))).toBe('served');
    expect(await runNode(pods.pod, dialling('10.99.0.2', 4711))).toBe('served');
    expect(await runNode(pods.pod, dialling('10.99.0.2', 4712))).toMatchObject({ role: 'outbound' });
    expect(await runNode(pods.outside, dialling('10.88.0.1', 9000))).toBe('served');
  });

  test('installing again replaces the rules, and closing removes every trace', async () => {
    using pods = new Pods();
    const first = await install(pods);
    const rules = ruleset(pods.pod);
    const taken = first.take(0);
    for (const { fd } of taken) linux.close(fd); // its process was killed: sockets gone, rules left
    await using second = await install(pods);
    expect(ruleset(pods.pod)).toBe(rules);
    expect(rules.match(/table inet weft/g)).toHaveLength(1);
    await second.close();
    await second.close();
    expect(ruleset(pods.pod)).toBe('');
    expect(CaptureState.load(join(pods.directory, 'captures.json')).entries()).toEqual([]);
    await first.close();
  });

  test('the rules can be read back', async () => {
    using pods = new Pods();
    await using unit = await install(pods);
    expect(await readRules(linux, unit.namespace.fd)).toContain('goto outbound_0 comment "web"');
    await unit.close();
    using namespace = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    expect(await readRules(linux, namespace.fd)).toBeUndefined();
  });
});
