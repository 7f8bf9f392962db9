import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import { describe, expect, test } from 'vitest';
import { NodeSigner } from '../../../gossip/edge/node-signer.ts';
import { Admission } from '../../../gossip/libp2p/admission.ts';
import { Allowance } from '../../../gossip/libp2p/allowance.ts';
import { tcpCarrier } from '../../../gossip/libp2p/carrier.ts';
import { encodeFrame } from '../../../gossip/libp2p/frames.ts';
import { createNode, type MeshNode } from '../../../gossip/libp2p/node.ts';
import { encodeMessage } from '../../../gossip/wire/codec.ts';
import { LIMITS } from '../../../gossip/wire/messages.ts';
import { Peer, Realm, TRUST_DOMAIN } from '../support/mesh.ts';
import { MESSAGES } from '../wire/frames.ts';

const MIB = 1024 * 1024;
/** Far above what is printed (3 to 14 MiB), because a collector under load is late; far below what an open door lets in. */
const MAX_MIB = 40;

describe('an allowance', () => {
  const limits = { framesPerSecond: 100, frameBurst: 1_000 };

  test('lets a burst through, drops what is above the rate, and calls it a flood when it goes on', () => {
    const allowance = new Allowance(limits, 0);
    const took = Array.from({ length: 4_000 }, () => allowance.take(50, 0));
    expect(took.filter((one) => one === 'yes')).toHaveLength(1_000);
    expect(took.filter((one) => one === 'dropped')).toHaveLength(1_000);
    expect(took.at(-1)).toBe('flood');
  });

  test('weighs bytes as well as frames', () => {
    const allowance = new Allowance({ framesPerSecond: 1e6, frameBurst: 1e6 }, 0);
    const took = Array.from({ length: 400 }, () => allowance.take(MIB / 8, 0));
    expect(took.filter((one) => one === 'yes')).toHaveLength(64);
  });

  test('is never used up by a peer that keeps to the rate', () => {
    const allowance = new Allowance(limits, 0);
    for (let i = 0; i < 100_000; i++) expect(allowance.take(1_000, i * 11)).toBe('yes');
  });
});

describe('a member that floods', () => {
  const hello = MESSAGES.find((message) => message.kind === 'hello')!;
  const chain = Array.from({ length: 4 }, () => Buffer.alloc(8 * 1024));
  const big = { ...hello.page, record: { ...hello.page.record!, meta: { ...hello.page.record!.meta, chain } } };
  const large = encodeFrame(encodeMessage({ kind: 'hello', page: big }));
  test.each<[string, (hostile: Hostile) => Promise<void>]>([
    ['small frames', (hostile) => hostile.floodFrames(encodeFrame(encodeMessage({ kind: 'ping', seq: 1 })))],
    ['large frames', (hostile) => hostile.floodFrames(large)],
    ['large nonsense', (hostile) => hostile.floodFrames(encodeFrame(Buffer.alloc(LIMITS.memberFrameBytes)))],
    ['broadcasts', (hostile) => hostile.floodBroadcasts()],
  ])(
    'with %s is cut off, and neither fills the memory of others nor has them declared dead',
    async (what, flood) => {
      using realm = new Realm();
      await using other = await Peer.start(realm, 'other');
      using victim = await startVictim(realm, other.gossip.address);
      await other.view.untilEndpoints('victim/web/http');
      await using hostile = await Hostile.start(realm, victim.port);
      const beforeBytes = residentBytes(victim.process);

      await flood(hostile); // ends when the victim cuts the connection
      const grownMib = (): number => (residentBytes(victim.process) - beforeBytes) / MIB;
      const atOnceMib = grownMib();
      expect(await hostile.isRefused()).toBe(true);
      await expect.poll(grownMib, { timeout: 20_000, interval: 250 }).toBeLessThan(MAX_MIB);
      const summary = `+${atOnceMib.toFixed(1)} MiB at once, ${grownMib().toFixed(1)} MiB to stay`;
      console.info(`flood of ${what}: ${hostile.sent} sent; victim ${summary}`);
      expect(other.view.state('victim')).not.toBe('dead');
      expect(other.gossip.stats()).toMatchObject({ deaths: 0 });
    },
    60_000,
  );
});

/** A node with a good certificate that says what it likes. */
class Hostile implements AsyncDisposable {
  readonly #node: MeshNode;
  readonly #port: number;
  #connection: Connection;
  sent = 0;

  private constructor(node: MeshNode, port: number, connection: Connection) {
    this.#node = node;
    this.#port = port;
    this.#connection = connection;
  }

  static async start(realm: Realm, port: number): Promise<Hostile> {
    const identity = realm.identity('hostile');
    const admission = new Admission({
      identity,
      signer: new NodeSigner(identity),
      refused: () => undefined,
    });
    const node = await createNode({
      listen: { host: '127.0.0.1', port: 0 },
      topics: [`weft/${TRUST_DOMAIN}/ep`, `weft/${TRUST_DOMAIN}/doc`],
      transport: tcpCarrier().transport,
      admission,
      admissionTimeoutMs: 5_000,
      dialTimeoutMs: 5_000,
      refused: () => undefined,
    });
    for (const protocol of ['/weft/member/1', '/weft/ae/1']) await node.handle(protocol, () => undefined);
    await node.start();
    return new Hostile(node, port, await dial(node, port));
  }

  /** On one stream after the other: ours give up by themselves when the victim does not read as fast as we write. */
  async floodFrames(frame: Uint8Array): Promise<void> {
    while (this.#connection.status === 'open') {
      const stream = await this.#connection.newStream('/weft/member/1').catch(() => undefined);
      while (this.#connection.status === 'open' && stream?.status === 'open') {
        for (let i = 0; i < 20 && stream.writeStatus === 'writable'; i++) {
          this.sent++;
          stream.send(frame);
        }
        await turn();
      }
      await turn();
    }
  }

  async floodBroadcasts(): Promise<void> {
    const { pubsub } = this.#node.services;
    const topic = `weft/${TRUST_DOMAIN}/ep`;
    pubsub.subscribe(topic);
    while (pubsub.getSubscribers(topic).length === 0) await turn();
    const delta = MESSAGES.find((message) => message.kind === 'delta')!;
    while (this.#connection.status === 'open') {
      // Each is another message to gossipsub, for a member that nobody knows.
      for (let i = 0; i < 100; i++) {
        const name = `n${this.sent++}`;
        await pubsub
          .publish(topic, encodeMessage({ ...delta, delta: { ...delta.delta, name } }))
          .catch(() => undefined);
      }
      await turn();
    }
  }

  /** Whether a new connection is closed before it can be used. */
  async isRefused(): Promise<boolean> {
    try {
      this.#connection = await dial(this.#node, this.#port);
      const stream = await this.#connection.newStream('/weft/member/1');
      for (const untilMs = performance.now() + 5_000; performance.now() < untilMs; await turn()) {
        if (stream.status !== 'open') return true;
      }
      return false;
    } catch {
      return true;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node.stop();
  }
}

function dial(node: MeshNode, port: number): Promise<Connection> {
  return node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}`));
}

/** In a process of its own, with the young generation of the mesh thread, so that its memory can be read. */
async function startVictim(realm: Realm, seed: string): Promise<{ process: ChildProcess; port: number } & Disposable> {
  const script = join(import.meta.dirname, '..', 'support', 'node-process.ts');
  const data = join(realm.directory, 'data', 'victim');
  const args = ['--max-semi-space-size=1', script, realm.bundle('victim'), data, seed];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(said.toString().trim().split(':')[1]);
  return { process: child, port, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

function residentBytes({ pid }: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}

function turn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  return promise;
}
