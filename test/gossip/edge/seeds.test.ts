import { createSocket, type Socket } from 'node:dgram';
import { getServers, setServers } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { gossipConfig } from '../../../gossip/config.ts';
import type { HostPort } from '../../../gossip/edge/address.ts';
import { parseSeed, resolveSeed, SeedDialler } from '../../../gossip/edge/seeds.ts';
import { Peer, Realm } from '../support/mesh.ts';

describe('a seed', () => {
  test('is a host with a port or the name of an SRV record, and nothing else', () => {
    expect(parseSeed('10.0.0.1:7946')).toEqual({ kind: 'host', host: '10.0.0.1', port: 7946 });
    expect(parseSeed('[fd00::1]:7946')).toEqual({ kind: 'host', host: 'fd00::1', port: 7946 });
    expect(parseSeed('seed.mesh.example:7946')).toEqual({ kind: 'host', host: 'seed.mesh.example', port: 7946 });
    expect(parseSeed('dns+srv:_gossip._tcp.mesh.example')).toEqual({ kind: 'srv', name: '_gossip._tcp.mesh.example' });
    for (const wrong of ['seed', 'dns+srv:mesh.example', 'dns+srv:', 'srv:_gossip._tcp.mesh.example', ':7946']) {
      expect(parseSeed(wrong)).toBeUndefined();
    }
    const refused = gossipConfig.safeParse({ seeds: ['dns+srv:mesh.example'] });
    expect(refused.error?.issues[0]?.message).toContain('dns+srv:_service._tcp.domain');
  });

  test('that names an SRV record stands for the addresses of its targets, lower priorities first', async () => {
    await using dns = await DnsServer.start();
    dns.records = [
      { priority: 20, port: 2, target: 'localhost' },
      { priority: 10, port: 1, target: 'localhost' },
      { priority: 5, port: 3, target: 'nowhere.invalid' },
    ];
    const found = await resolveSeed(parseSeed('dns+srv:_gossip._tcp.mesh.example')!);
    expect([...new Set(found.map(({ port }) => port))]).toEqual([1, 2]);
    expect(found.map(({ host }) => host)).toContain('127.0.0.1');
  });
});

describe('dialling a seed', () => {
  test('tries all its addresses and is content with the first that answers', async () => {
    await using dns = await DnsServer.start();
    dns.records = [1, 2, 3].map((port) => ({ priority: port, port, target: 'localhost' }));
    const dialled: number[] = [];
    using dialler = new Dialler(({ port }) => {
      dialled.push(port);
      return port === 2 ? Promise.resolve('b') : Promise.reject(new Error('refused'));
    });
    expect(await dialler.seeds.join('dns+srv:_gossip._tcp.mesh.example')).toBe('b');
    expect([...new Set(dialled)]).toEqual([1, 2, 3]);
  });

  test('looks a name up again and dials only those addresses where no known member lives', async () => {
    await using dns = await DnsServer.start();
    dns.records = [{ priority: 1, port: 1, target: 'localhost' }];
    const dialled: number[] = [];
    using dialler = new Dialler(({ port }) => Promise.resolve(`n${dialled.push(port)}`));
    await dialler.seeds.join('dns+srv:_gossip._tcp.mesh.example');
    dialler.known.push('127.0.0.1:1', '[::1]:1');
    dns.records = [...dns.records, { priority: 1, port: 4, target: 'localhost' }];
    dialled.length = 0;
    await dialler.seeds.lookAgain();
    expect([...new Set(dialled)]).toEqual([4]);
  });
});

describe('real nodes', () => {
  test('meet through a host name of several addresses of which one answers', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a'); // on 127.0.0.1 alone; localhost may be ::1 as well
    const port = a.gossip.address.split(':')[1];
    await using b = await Peer.start(realm, 'b', { seeds: [`localhost:${port}`] });
    await b.view.until(() => b.view.state('a') === 'alive');
  });

  test('meet through an SRV record that lists both them and nodes that are gone', async () => {
    await using dns = await DnsServer.start();
    using realm = new Realm();
    const gone = await Peer.start(realm, 'gone');
    const closedPort = portOf(gone);
    await gone.gossip.close();
    await using a = await Peer.start(realm, 'a');
    dns.records = [closedPort, portOf(a)].map((port, priority) => ({ priority, port, target: 'localhost' }));
    await using b = await Peer.start(realm, 'b', { seeds: ['dns+srv:_gossip._tcp.mesh.example'] });
    await b.view.until(() => b.view.state('a') === 'alive');
  });

  test('come back through the peers they remember when their seed is gone', async () => {
    using realm = new Realm();
    const seed = await Peer.start(realm, 'seed');
    const seeds = [seed.gossip.address];
    await using other = await Peer.start(realm, 'other', { seeds });
    const first = await Peer.start(realm, 'b', { seeds });
    const remembered = (): string => readFileSync(join(realm.directory, 'data', 'b', 'gossip.json'), 'utf8');
    await expect.poll(remembered).toContain(other.gossip.address);
    await first.gossip.close();
    await seed.gossip.close();

    await using second = await Peer.start(realm, 'b', { seeds });
    await second.view.until(() => second.view.state('other') === 'alive');
    await other.view.until(() => other.view.state('b') === 'alive');
  });

  test('of two halves that never met become one mesh when a node learns a seed of each', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await using c = await Peer.start(realm, 'c');
    await using d = await Peer.start(realm, 'd', { seeds: [c.gossip.address] });
    await b.view.until(() => b.view.state('a') === 'alive');
    await d.view.until(() => d.view.state('c') === 'alive');
    expect(b.view.state('d')).toBeUndefined();

    await using bridge = await Peer.start(realm, 'e', { seeds: [a.gossip.address, d.gossip.address] });
    const all = [a, b, c, d, bridge];
    const isWhole = ({ view }: Peer): boolean => view.members_.filter(({ state }) => state === 'alive').length === 5;
    await Promise.all(all.map((peer) => peer.view.until(() => isWhole(peer))));
    expect(all.map(({ gossip }) => gossip.stats().deaths)).toEqual([0, 0, 0, 0, 0]);
  });
});

function portOf(peer: Peer): number {
  return Number(peer.gossip.address.split(':')[1]);
}

/** A dialler whose connections are made up, so that a test sees what would be dialled. */
class Dialler implements Disposable {
  readonly known = ['127.0.0.1:9'];
  readonly seeds: SeedDialler;

  constructor(connect: (address: HostPort) => Promise<string>) {
    this.seeds = new SeedDialler({ connect, known: () => this.known, log: pino({ level: 'silent' }) });
  }

  [Symbol.dispose](): void {
    this.seeds.stop();
  }
}

interface SrvRecord {
  readonly priority: number;
  readonly port: number;
  readonly target: string;
}

/** Answers every question with its SRV records (RFC 1035 §4, RFC 2782); Node asks it while it lives. */
class DnsServer implements AsyncDisposable {
  records: readonly SrvRecord[] = [];
  readonly #socket: Socket;
  readonly #before = getServers();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (query, from) => socket.send(this.#answer(query), from.port, from.address));
    setServers([`127.0.0.1:${socket.address().port}`]);
  }

  static async start(): Promise<DnsServer> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new DnsServer(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    setServers(this.#before);
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  #answer(query: Buffer): Buffer {
    const questionEnd = query.indexOf(0, 12) + 5;
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8180, 2); // an answer, recursion available
    header.writeUInt16BE(this.records.length, 6);
    header.writeUInt16BE(0, 8);
    header.writeUInt16BE(0, 10);
    return Buffer.concat([header, query.subarray(12, questionEnd), ...this.records.map(encodeSrv)]);
  }
}

function encodeSrv({ priority, port, target }: SrvRecord): Buffer {
  const labels = target.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label)]);
  const name = Buffer.concat([...labels, Buffer.of(0)]);
  const fixed = Buffer.alloc(18);
  fixed.writeUInt16BE(0xc00c, 0); // the name that was asked for
  fixed.writeUInt16BE(33, 2); // SRV
  fixed.writeUInt16BE(1, 4); // IN
  fixed.writeUInt32BE(1, 6); // lives a second
  fixed.writeUInt16BE(6 + name.length, 10);
  fixed.writeUInt16BE(priority, 12);
  fixed.writeUInt16BE(1, 14); // weight
  fixed.writeUInt16BE(port, 16);
  return Buffer.concat([fixed, name]);
}
