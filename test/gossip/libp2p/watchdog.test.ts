import { once } from 'node:events';
import { createServer } from 'node:net';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { NodeSigner } from '../../../gossip/edge/node-signer.ts';
import { Admission } from '../../../gossip/libp2p/admission.ts';
import { LOOK_MS, Watchdog } from '../../../gossip/libp2p/watchdog.ts';
import { endpoint, Peer, Realm } from '../support/mesh.ts';

type Node = ConstructorParameters<typeof Watchdog>[0]['node'];
type PendingDial = ReturnType<Node['getDialQueue']>[number];
type Connection = ReturnType<Node['getConnections']>[number];

describe('the watchdog', () => {
  let dials: string[];
  let connections: Connection[];
  let heard: string[];
  let stuck: number[];
  let silent: Connection[];
  let watchdog: Watchdog;

  beforeEach(() => {
    vi.useFakeTimers();
    [dials, connections, heard, stuck, silent] = [[], [], [], [], []];
    const node = {
      getDialQueue: () => dials.map((id) => ({ id, status: 'active', multiaddrs: [] }) satisfies PendingDial),
      getConnections: () => connections,
      services: { pubsub: { getPeers: () => heard.map(peer) } },
    } as Node;
    watchdog = new Watchdog({
      node,
      stuck: (count) => stuck.push(count),
      silent: (connection) => silent.push(connection),
      nowMs: () => performance.now(),
    });
  });

  afterEach(() => {
    watchdog.stop();
    vi.useRealTimers();
  });

  test('calls dials stuck that have been in the queue for half a minute, once', () => {
    dials = ['1', '2'];
    vi.advanceTimersByTime(3 * LOOK_MS);
    dials = ['1'];
    expect(stuck).toEqual([]);
    vi.advanceTimersByTime(LOOK_MS);
    expect(stuck).toEqual([1]);
    vi.advanceTimersByTime(2 * LOOK_MS);
    expect(stuck).toEqual([1]);
  });

  test('leaves a queue alone whose dials come and go', () => {
    for (let i = 0; i < 20; i++) {
      dials = [String(i), String(i + 1)];
      vi.advanceTimersByTime(LOOK_MS);
    }
    expect(stuck).toEqual([]);
  });

  test('names a connection whose peer is not in gossipsub at two looks in a row, and no other', () => {
    const [odd, good] = [connectionOf('odd'), connectionOf('good')];
    connections = [odd, good];
    heard = ['good'];
    vi.advanceTimersByTime(LOOK_MS);
    expect(silent).toEqual([]);
    vi.advanceTimersByTime(LOOK_MS);
    expect(silent).toEqual([odd]);
  });

  test('gives a peer that came back to gossipsub a new start', () => {
    connections = [connectionOf('b')];
    vi.advanceTimersByTime(LOOK_MS);
    heard = ['b'];
    vi.advanceTimersByTime(LOOK_MS);
    heard = [];
    vi.advanceTimersByTime(LOOK_MS);
    expect(silent).toEqual([]);
  });
});

describe('on real nodes', () => {
  test('an admitted peer that takes no part in gossipsub loses its connection within three looks', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    const mute = await nodeWithoutPubsub(realm, 'mute');
    const connection = await mute.dial(multiaddr(`/ip4/127.0.0.1/tcp/${a.gossip.address.split(':')[1]}`));
    await expect.poll(() => a.gossip.stats().linksCut.silent, { timeout: 3.5 * LOOK_MS }).toBe(1);
    await expect.poll(() => connection.status).not.toBe('open');
    await mute.stop();
  });

  test('links and broadcasts come back by themselves when the network library is restarted', async () => {
    using realm = new Realm();
    const listen = `127.0.0.1:${await freePort()}`;
    await using a = await Peer.start(realm, 'a', { listen });
    await using b = await Peer.start(realm, 'b', { seeds: [listen] });
    await using c = await Peer.start(realm, 'c', { seeds: [listen] });
    await a.view.until(() => a.view.state('b') === 'alive' && a.view.state('c') === 'alive');

    await a.gossip.restartNetwork();
    a.gossip.publish([endpoint('a')]);
    b.gossip.publish([endpoint('b')]);
    c.gossip.publish([endpoint('c')]);
    const ids = ['a/web/http', 'b/web/http', 'c/web/http'];
    await Promise.all([a, b, c].map(({ view }) => view.untilEndpoints(...ids)));
    expect(a.gossip.stats()).toMatchObject({ restarts: 1, links: 2 });
  });

  test('dials to an address that accepts and never answers leave the queue at their timeout', async () => {
    using realm = new Realm();
    const tarpit = createServer().listen(0, '127.0.0.1');
    await once(tarpit, 'listening');
    const seed = `127.0.0.1:${(tarpit.address() as { port: number }).port}`;
    await using a = await Peer.start(realm, 'a', { seeds: [seed], dialTimeoutMs: 200 });
    await expect.poll(() => a.gossip.stats().dialFailures).toBeGreaterThan(2);
    expect(a.gossip.stats().dials - a.gossip.stats().dialFailures).toBeLessThan(2);
    tarpit.close();
  });
});

function peer(name: string) {
  return { toString: () => name } as ReturnType<Node['services']['pubsub']['getPeers']>[number];
}

function connectionOf(name: string): Connection {
  return { remotePeer: peer(name) } as Connection;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A member of the mesh by its certificate, and of its links; but it does not speak gossipsub. */
async function nodeWithoutPubsub(realm: Realm, name: string): Promise<Libp2p> {
  const identity = realm.identity(name);
  const signer = new NodeSigner(identity);
  const admission = new Admission({ identity, signer, refused: () => undefined });
  const node = await createLibp2p({
    privateKey: await generateKeyPair('Ed25519'),
    transports: [tcp()],
    connectionEncrypters: [admission.encrypter()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
  });
  for (const protocol of ['/weft/member/1', '/weft/ae/1']) await node.handle(protocol, () => undefined);
  return node;
}
