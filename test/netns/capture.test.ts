/** Capture against the real kernel: namespaces, nft and redirected connections. */
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { Linux } from '../../agent/capture/linux.ts';
import { Namespace } from '../../agent/capture/namespace.ts';
import { readRules } from '../../agent/capture/nft.ts';
import { captureSockets } from '../../agent/capture/sockets.ts';
import { CaptureState, recoverCaptures } from '../../agent/capture/state.ts';
import { type CaptureListener, CaptureUnit, type CaptureUnitOptions } from '../../agent/capture/unit.ts';
import { Background, ip, OBSTACLE, Pods, path, ruleset, runIn, runNode } from '../agent/capture/support.ts';

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

  static start(unit: CaptureUnit, worker = 0): Promise<Answering> {
    return Answering.from(unit, unit.take(worker));
  }

  static async from(unit: CaptureUnit, listeners: readonly CaptureListener[]): Promise<Answering> {
    const answering = new Answering();
    const { path: place, identity } = unit.namespace;
    const sockets = captureSockets([{ unit: unit.unit, path: place, identity }], linux);
    for (const { transport, fd, role, workload } of listeners) {
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

  test('no thread of the agent stays behind in a namespace it captured', async () => {
    using pods = new Pods();
    await using unit = await install(pods);
    unit.namespace.addresses(linux);
    await readRules(linux, unit.namespace.fd);
    const places = readdirSync('/proc/self/task').map((task) => readlinkSync(`/proc/self/task/${task}/ns/net`));
    expect(new Set(places)).toEqual(new Set([`net:[${linux.homeIdentity.inode}]`]));
  });

  test('the rules can be read back', async () => {
    using pods = new Pods();
    await using unit = await install(pods);
    expect(await readRules(linux, unit.namespace.fd)).toContain('goto outbound_0 comment "web"');
    await unit.close();
    using namespace = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    expect(await readRules(linux, namespace.fd)).toBeUndefined();
  });

  test('workloads that share a namespace are told apart by their user, and others are left alone', async () => {
    using pods = new Pods();
    const workloads = [
      { id: 'web', uid: 1001, ports: [8080] },
      { id: 'cart', uid: 1002, ports: [8081] },
    ];
    await using unit = await install(pods, { scope: 'host', workloads });
    await using _ = await Answering.start(unit);
    await using _outside = await Background.start(pods.outside, serving('::', 4711));
    const dial = dialling('10.99.0.2', 4711);
    expect(await runNode(pods.pod, dial, { uid: 1001 })).toMatchObject({ role: 'outbound', workload: 'web' });
    expect(await runNode(pods.pod, dial, { uid: 1002 })).toMatchObject({ role: 'outbound', workload: 'cart' });
    expect(await runNode(pods.pod, dial, { uid: 1003 })).toBe('served');
  });

  test('on a shared machine only the ports of workloads are redirected', async () => {
    using pods = new Pods();
    await using unit = await install(pods, { scope: 'host', workloads: [{ id: 'web', uid: 1001, ports: [8080] }] });
    await using _ = await Answering.start(unit);
    await using _other = await Background.start(pods.pod, serving('::', 8081));
    expect(await runNode(pods.outside, dialling('10.88.0.1', 8080))).toMatchObject({ role: 'inbound', port: 8080 });
    expect(await runNode(pods.outside, dialling('fd88::1', 8080))).toMatchObject({ role: 'inbound', port: 8080 });
    expect(await runNode(pods.outside, dialling('10.88.0.1', 8081))).toBe('served');
  });

  test('workloads come and go in a shared namespace without touching the others', async () => {
    using pods = new Pods();
    const web = { id: 'web', uid: 1001, ports: [8080] };
    const cart = { id: 'cart', uid: 1002, ports: [8081] };
    await using unit = await install(pods, { scope: 'host', workloads: [web] });
    await using _ = await Answering.start(unit);
    expect(await unit.update([web, cart])).toEqual([]);
    await using _added = await Answering.start(unit);
    const dial = dialling('10.99.0.2', 4711);
    expect(await runNode(pods.pod, dial, { uid: 1001 })).toMatchObject({ workload: 'web' });
    expect(await runNode(pods.pod, dial, { uid: 1002 })).toMatchObject({ workload: 'cart' });
    const useless = await unit.update([cart]);
    expect(useless.length).toBeGreaterThan(0);
    expect(useless.every((id) => id.includes(':web:'))).toBe(true);
    expect(await runNode(pods.pod, dial, { uid: 1002 })).toMatchObject({ workload: 'cart' });
    await expect(unit.update([cart, { ...web, uid: 1002 }])).rejects.toMatchObject({ code: 'WEFT_CAPTURE_SPEC' });
    expect(await runNode(pods.pod, dial, { uid: 1002 })).toMatchObject({ workload: 'cart' });
  });

  test('two namespaces listen on the same ports, each for itself', async () => {
    using pods = new Pods();
    await using first = await install(pods);
    await using second = await install(pods, {}, pods.outside);
    await using _a = await Answering.start(first);
    await using _b = await Answering.start(second);
    const dial = dialling('10.88.0.9', 4711);
    expect(await runNode(pods.pod, dial)).toMatchObject({ role: 'outbound' });
    expect(await runNode(pods.outside, dial)).toMatchObject({ role: 'outbound' });
  });

  test('every worker has sockets of its own, and one that was started again gets new ones', async () => {
    using pods = new Pods();
    await using unit = await install(pods, { workers: 2 });
    const [first, second] = [unit.take(0), unit.take(1)];
    expect(first.map(({ id }) => id)).toEqual(second.map(({ id }) => id));
    expect(unit.take(0)).toEqual([]);
    for (const { fd } of [...first, ...second]) linux.close(fd); // both died
    const again = unit.reopen(0);
    expect(again.map(({ fd: _, ...listener }) => listener)).toEqual(first.map(({ fd: _, ...listener }) => listener));
    for (const { fd } of again) linux.close(fd);
    await using _ = await Answering.from(unit, unit.reopen(1));
    expect(await runNode(pods.pod, dialling('10.99.0.9', 80))).toMatchObject({ role: 'outbound' });
  });

  test('a port in use is named, other rules stay, and a takeover shares it', async () => {
    using pods = new Pods();
    await using first = await install(pods);
    const rules = ruleset(pods.pod);
    await expect(install(pods)).rejects.toMatchObject({
      code: 'WEFT_CAPTURE_PORT_IN_USE',
      message: expect.stringMatching(/0\.0\.0\.0 port 15006.*ss -lntup/),
    });
    expect(ruleset(pods.pod)).toBe(rules);
    await using successor = await install(pods, { isTakeover: true });
    expect(successor.take(0)).toHaveLength(first.take(0).length);
  });

  test('a namespace without IPv6 is captured over IPv4, and one without loopback is refused', async () => {
    using pods = new Pods();
    runIn(pods.pod, 'sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1');
    await using unit = await install(pods);
    await using _ = await Answering.start(unit);
    expect(await runNode(pods.pod, dialling('10.99.0.9', 80))).toMatchObject({ role: 'outbound' });
    ip('-n', pods.outside, 'link', 'set', 'lo', 'down');
    await expect(install(pods, {}, pods.outside)).rejects.toMatchObject({ code: 'WEFT_CAPTURE_LOOPBACK_DOWN' });
    expect(ruleset(pods.outside)).toBe('');
  });

  test('after a kill -9, rules of workloads that are gone are removed and those of others stay', async () => {
    using pods = new Pods();
    const stateFile = join(pods.directory, 'captures.json');
    const agent = await Background.start(undefined, capturing([pods.pod, pods.outside], stateFile));
    await agent[Symbol.asyncDispose](); // SIGKILL
    expect(ruleset(pods.pod)).toContain('table inet weft');
    expect(ruleset(pods.outside)).toContain('table inet weft');

    using wanted = Namespace.open(linux, { kind: 'path', path: path(pods.pod) });
    const state = CaptureState.load(stateFile);
    const recovery = await recoverCaptures(linux, { state, wanted: [wanted.identity] });
    expect(recovery.kept.map(({ unit }) => unit)).toEqual([pods.pod]);
    expect(recovery.removed.map(({ unit }) => unit)).toEqual([pods.outside]);
    expect(recovery.failed).toEqual([]);
    expect(ruleset(pods.pod)).toContain('table inet weft');
    expect(ruleset(pods.outside)).toBe('');
    expect(await runNode(pods.pod, dialling('10.99.0.2', 80))).toBe('ECONNREFUSED'); // closed until captured anew

    const unit = await install(pods);
    await unit.close();
    expect(ruleset(pods.pod)).toBe('');
    expect(CaptureState.load(stateFile).entries()).toEqual([]);
  });

  test('a namespace whose name is gone is found by a process that lives in it, and one that is gone is forgotten', async () => {
    using pods = new Pods();
    const stateFile = join(pods.directory, 'captures.json');
    await using _program = await Background.start(pods.pod, serving('127.0.0.1', 8080));
    const agent = await Background.start(undefined, capturing([pods.pod], stateFile));
    await agent[Symbol.asyncDispose]();
    ip('netns', 'attach', `${pods.pod}x`, String(_program.pid));
    try {
      ip('netns', 'del', pods.pod);
      const state = CaptureState.load(stateFile);
      await state.put({
        unit: 'lost',
        identity: { device: 4, inode: 1 },
        locator: { kind: 'path', path: '/run/netns/lost' },
      });
      const recovery = await recoverCaptures(linux, { state, wanted: [] });
      expect(recovery.removed.map(({ unit }) => unit)).toEqual([pods.pod]);
      expect(recovery.gone.map(({ unit }) => unit)).toEqual(['lost']);
      expect(ruleset(`${pods.pod}x`)).toBe('');
      expect(state.entries()).toEqual([]);
    } finally {
      ip('netns', 'attach', pods.pod, String(_program.pid));
      ip('netns', 'del', `${pods.pod}x`);
    }
  });

  test('a worker thread opens sockets in the namespace from plain data', async () => {
    using pods = new Pods();
    await using unit = await install(pods);
    await using _server = await Background.start(pods.outside, serving('::', 4711));
    const { path: place, identity } = unit.namespace;
    const source = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { captureSockets } = await import('${new URL('../../agent/capture/sockets.ts', import.meta.url)}');
      using sockets = captureSockets([workerData]);
      const socket = sockets.open('pod', 6).connect(4711, 'fd88::2');
      socket.on('data', (chunk) => parentPort.postMessage(chunk.toString()));`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      workerData: { unit: 'pod', path: place, identity },
    });
    expect(await once(worker, 'message')).toEqual(['"served"']);
    await worker.terminate();
  });

  test('a descriptor that became another namespace meanwhile is noticed', async () => {
    using pods = new Pods();
    await using unit = await install(pods);
    const { identity } = unit.namespace;
    expect(() => captureSockets([{ unit: 'pod', path: path(pods.outside), identity }], linux)).toThrow(
      expect.objectContaining({ code: 'WEFT_CAPTURE_NAMESPACE_GONE' }),
    );
  });
});

/** Source of an agent that captures namespaces, says so, and hangs. */
function capturing(namespaces: readonly string[], stateFile: string): string {
  const from = (file: string): string => new URL(`../../agent/capture/${file}`, import.meta.url).pathname;
  return `(async () => {
    const { Linux } = await import('${from('linux.ts')}');
    const { Namespace } = await import('${from('namespace.ts')}');
    const { CaptureState } = await import('${from('state.ts')}');
    const { CaptureUnit } = await import('${from('unit.ts')}');
    const linux = Linux.load();
    const state = CaptureState.load('${stateFile}');
    for (const name of ${JSON.stringify(namespaces)}) {
      const namespace = Namespace.open(linux, { kind: 'path', path: '/run/netns/' + name });
      const workloads = [{ id: 'web', ports: [8080] }];
      await CaptureUnit.install(namespace, { unit: name, scope: 'namespace', workloads, workers: 2 }, { linux, state });
    }
    console.log('captured');
    setInterval(() => {}, 1000);
  })();`;
}
