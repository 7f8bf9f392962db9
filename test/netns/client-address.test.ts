/** What an application sees of its client, on real agents and against the real kernel; and two pods of one node. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Linux } from '../../agent/capture/linux.ts';
import { Namespace } from '../../agent/capture/namespace.ts';
import { captureSockets } from '../../agent/capture/sockets.ts';
import { CaptureState, recoverCaptures } from '../../agent/capture/state.ts';
import { CaptureUnit } from '../../agent/capture/unit.ts';
import type { LabPod } from '../../agent/lab/lab.ts';
import { type LabAgent, MeshLab } from '../../agent/lab/mesh-lab.ts';
import { labObstacle } from '../../agent/lab/support.ts';
import { proxyConfig } from '../../proxy/config.ts';
import { SharedReader } from '../../proxy/listeners/shared-reader.ts';
import { StatsReader } from '../../proxy/telemetry/stats-reader.ts';
import { createStatsBuffer } from '../../proxy/telemetry/stats-table.ts';
import { StatsWriter } from '../../proxy/telemetry/stats-writer.ts';
import { type DialResult, dialTcp } from '../../proxy/upstream/dial.ts';
import { Background, OBSTACLE, Pods, path, ruleset, runIn } from '../agent/capture/support.ts';
import { weftAt } from './operator.ts';

const obstacle = await labObstacle();
const linux = OBSTACLE === undefined ? Linux.load() : undefined!;
const [HTTP_APP, PEER, DIALOGUE] = ['http-app', 'peer', 'dialogue'].map((name) =>
  join(import.meta.dirname, 'programs', `${name}.ts`),
) as [string, string, string];
const HTTP_PORT = { name: 'http', port: 8080, servicePort: 80, appProtocol: 'http' };
const TCP_PORT = { name: 'peer', port: 2525, appProtocol: 'tcp' };

/** All that keeping addresses puts into a namespace, as `ip` and `nft` tell it. */
function traces(namespace: string): string {
  const ask = (...args: string[]): string => execFileSync('ip', ['-n', namespace, ...args], { encoding: 'utf8' });
  const tables = ['-4', '-6'].flatMap((family) => [ask(family, 'rule'), ask(family, 'route', 'show', 'table', 'all')]);
  return [
    ...tables
      .join('')
      .split('\n')
      .filter((line) => /0x111|table 100/.test(line)),
    ruleset(namespace),
  ]
    .join('\n')
    .trim();
}

describe.skipIf(obstacle !== undefined)(
  `the address of a client${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    let mesh: MeshLab;
    let agents: LabAgent[];
    let client: LabPod;
    let server: LabPod;
    let near: LabPod;

    beforeAll(async () => {
      mesh = await MeshLab.create({ name: 'caddr', nodes: 2 });
      const [n1, n2] = [mesh.lab.node(1), mesh.lab.node(2)];
      client = await mesh.addPod(n1, { name: 'client' });
      near = await mesh.addPod(n1, { name: 'near', ports: [HTTP_PORT, TCP_PORT] });
      server = await mesh.addPod(n2, { name: 'web', ports: [HTTP_PORT, TCP_PORT] });
      for (const [pod, name] of [
        [near, 'near'],
        [server, 'web'],
      ] as const) {
        await mesh.serve(pod, HTTP_APP, 8080, name);
        await mesh.serve(pod, PEER, 2525);
      }
      agents = await mesh.startAgents();
      await mesh.untilRouted(agents, ['near', 'web']);
    });
    afterAll(() => mesh?.close());

    async function who(service: string): Promise<{ name: string; client: string }> {
      const { code, body, stderr } = await mesh.curl(client, `http://${service}.shop.weft/who`);
      expect([code, stderr]).toEqual([0, '']);
      return JSON.parse(body);
    }

    /** The sum of an agent's metrics whose line matches. */
    async function metric(agent: LabAgent, pattern: RegExp): Promise<number> {
      const lines = (await agent.metrics()).split('\n').filter((line) => !line.startsWith('#') && pattern.test(line));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    }

    test.each(['web', 'near'])('%s sees the address of the pod that asks', async (service) => {
      expect(await who(service)).toEqual({ name: service, client: `::ffff:${client.address4}` });
      const told = await mesh.ask<{ received: string }>(client, DIALOGUE, `${service}.shop.weft`, 2525, '-', '');
      expect(told.received).toBe(`::ffff:${client.address4}\n`);
    });

    test('two pods of one node talk without TLS, and both rows are counted', async () => {
      const count = (direction: string): Promise<number> =>
        metric(agents[0]!, new RegExp(`^weft_proxy_requests_total\\{(?=.*"${direction}")(?=.*"shop/near")`));
      const before = await Promise.all([count('inbound'), count('outbound'), metric(agents[0]!, /handshakes_started/)]);
      for (let i = 0; i < 3; i++) await who('near');
      const after = await Promise.all([count('inbound'), count('outbound'), metric(agents[0]!, /handshakes_started/)]);
      expect(after.map((value, i) => value - before[i]!)).toEqual([3, 3, 0]);
    });

    test('a policy that denies is asked between two pods of one node', async () => {
      const file = join(mesh.directory, 'deny.yaml');
      const spec = {
        action: 'DENY',
        target: { services: ['near'] },
        rules: [{ name: 'all', from: [{ identities: ['ns/shop/sa/client'] }] }],
      };
      const metadata = { name: 'no-client', namespace: 'shop' };
      writeFileSync(file, stringify({ apiVersion: 'weft.dev/v1alpha1', kind: 'AccessPolicy', metadata, spec }));
      const weft = async (...argv: readonly string[]) => (await weftAt(mesh, agents[1]!, ...argv)).code;
      expect(await weft('apply', '-f', file)).toBe(0);
      const head = async (): Promise<string> => (await mesh.curl(client, '-i', 'http://near.shop.weft/who')).body;
      await agents[0]!.until('a denial', async () => (await head()).startsWith('HTTP/1.1 403'));
      expect(await head()).toMatch(/^weft-policy: shop\/no-client\/all\r?$/m);
      const told = await mesh.ask<{ received: string; error?: string }>(
        client,
        DIALOGUE,
        'near.shop.weft',
        2525,
        '-',
        '',
      );
      expect(told).toMatchObject({ received: '', error: 'ECONNRESET' });
      expect(await metric(agents[0]!, /inbound.*access-denied|access-denied.*inbound/)).toBeGreaterThan(0);
      expect(await weft('delete', 'AccessPolicy', 'no-client', '-n', 'shop')).toBe(0);
      await agents[0]!.until('an answer', async () => (await head()).startsWith('HTTP/1.1 200'));
    });

    test('a download goes on when its workload leaves the mesh, and nothing is left when it has ended', async () => {
      expect(traces(server.namespace)).toContain('lookup 100');
      const bytes = 60_000_000;
      const argv = [
        'curl',
        '--silent',
        '--limit-rate',
        '30M',
        '--output',
        '/dev/null',
        '--write-out',
        '%{size_download}',
      ];
      const url = `http://${server.address4}:8080/download?bytes=${bytes}`;
      const download = mesh.lab.exec(client.namespace, [...argv, url], { timeoutMs: 60_000 });
      const established = (): string =>
        execFileSync(
          'ip',
          ['netns', 'exec', server.namespace, 'ss', '-Htn', 'state', 'established', 'src', client.address4],
          { encoding: 'utf8' },
        );
      await agents[1]!.until('the download', async () => established() !== '');
      rmSync(mesh.workloadFile(mesh.lab.node(2), 'web'));
      await mesh.untilRouted(agents, ['near']);
      expect((await download).stdout).toBe(String(bytes));
      await agents[1]!.until('nothing left', async () => traces(server.namespace) === '');
    });

    test('an agent that stops takes everything with it', async () => {
      expect(await agents[0]!.close()).toBe(0);
      for (const pod of [client, near]) expect(traces(pod.namespace)).toBe('');
    });
  },
);

describe.skipIf(OBSTACLE !== undefined)('sockets in the name of a client', () => {
  const SERVER = `require('net').createServer((socket) => socket.write(socket.remoteAddress + ' ' + socket.remotePort))
    .listen(8080, '::', () => console.log('ready'));`;

  function install(pods: Pods, keepsClientAddress = true): Promise<CaptureUnit> {
    const workloads = [{ id: 'web', ports: [8080] }];
    return CaptureUnit.install(
      Namespace.open(linux, { kind: 'path', path: path(pods.pod) }),
      { unit: 'pod', scope: 'namespace', workloads, workers: 1, keepsClientAddress },
      { linux, state: CaptureState.load(join(pods.directory, 'captures.json')) },
    );
  }

  function socketsOf({ namespace: { path: place, identity }, keepsClientAddress }: CaptureUnit) {
    return captureSockets([{ unit: 'pod', path: place, identity, keepsClientAddress }], linux);
  }

  const open: net.Socket[] = [];
  afterEach(() => {
    for (const socket of open.splice(0)) socket.destroy();
  });

  /** A connection to the application, open until the end of the test; what it saw, and addresses given up meanwhile. */
  async function dial(unit: CaptureUnit, address: string, source: string): Promise<{ seen: string; lost: number }> {
    using sockets = socketsOf(unit);
    const reader = new StatsReader();
    const buffer = createStatsBuffer(8);
    reader.attach('0', buffer);
    const stats = new StatsWriter(buffer, () => undefined);
    const { upstream: config } = proxyConfig.parse({ node: 'n' });
    const context = { sockets, reader: new SharedReader(), config, stats };
    const result = await new Promise<DialResult>((resolve) =>
      dialTcp({ unit: 'pod', address, port: 8080, failure: 'app-unreachable', source }, context, resolve),
    );
    if (!result.ok) throw new Error(`${result.reason}: ${result.detail}`);
    const [chunk] = (await once(result.socket, 'data')) as [Buffer];
    open.push(result.socket);
    return { seen: chunk.toString(), lost: reader.counters().clientAddressesLost };
  }

  test.each([
    ['IPv4', '10.88.0.1', '10.77.0.5', '::ffff:10.77.0.5'],
    ['IPv6', 'fd88::1', 'fd77::5', 'fd77::5'],
  ])(
    'the application sees a foreign %s address, and its own where that is switched off',
    async (_family, address, source, seen) => {
      using pods = new Pods();
      await using _server = await Background.start(pods.pod, SERVER);
      {
        await using unit = await install(pods);
        expect((await dial(unit, address, source)).seen.split(' ')[0]).toBe(seen);
      }
      await using off = await install(pods, false);
      expect((await dial(off, address, source)).seen).toContain(address);
    },
  );

  test('rules and routes are put in place once, however often, and are gone at the end', async () => {
    using pods = new Pods();
    {
      await using unit = await install(pods);
      const before = traces(pods.pod);
      expect(before.match(/lookup 100/g)).toHaveLength(2);
      await unit.update([{ id: 'web', ports: [8080] }]);
      expect(traces(pods.pod)).toBe(before);
    }
    expect(traces(pods.pod)).toBe('');
  });

  test('what a killed agent left is cleaned away, and a rule that is not ours stays', async () => {
    using pods = new Pods();
    runIn(pods.pod, 'ip', 'rule', 'add', 'fwmark', '0x112', 'pref', '32763', 'lookup', '100');
    const foreign = traces(pods.pod);
    const unit = await install(pods);
    for (const { fd } of unit.take(0)) linux.close(fd);
    const state = CaptureState.load(join(pods.directory, 'captures.json'));
    const { removed } = await recoverCaptures(linux, { state, wanted: [] });
    expect([removed.length, traces(pods.pod)]).toEqual([1, foreign]);
    unit.namespace.close();
  });

  test('a client that is connected from the same port is no obstacle; without a port left, the address is given up', async () => {
    using pods = new Pods();
    await using _server = await Background.start(pods.pod, SERVER);
    await using unit = await install(pods);
    runIn(pods.pod, 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=40000 40001');
    const inbound = unit.take(0).filter(({ role, transport }) => role === 'inbound' && transport === 'tcp');
    const plaintext: net.Socket[] = [];
    const servers = inbound.map(({ fd }) =>
      net.createServer((socket) => plaintext.push(socket.on('error', () => undefined))).listen({ fd }),
    );
    const CLIENT = `const client = (port) => new Promise((done) => {
      const socket = require('net').connect({ port: 8080, host: '10.88.0.1', localPort: port }, () => done(socket)); });
      Promise.all([client(40000), client(40001)]).then(() => console.log('ready'));`;
    await using _client = await Background.start(pods.outside, CLIENT);
    const first = await dial(unit, '10.88.0.1', '10.88.0.2');
    const second = await dial(unit, '10.88.0.1', '10.88.0.2');
    expect([first, second].map(({ seen, lost }) => [seen.split(' ')[0], lost])).toEqual([
      ['::ffff:10.88.0.2', 0],
      ['::ffff:10.88.0.2', 0],
    ]);
    const third = await dial(unit, '10.88.0.1', '10.88.0.2');
    expect([third.seen.split(' ')[0], third.lost]).toEqual(['::ffff:10.88.0.1', 1]);
    expect(plaintext.map(({ destroyed }) => destroyed)).toEqual([false, false]); // nor are these disturbed
    for (const socket of plaintext) socket.destroy();
    for (const server of servers) server.close();
  });
});
