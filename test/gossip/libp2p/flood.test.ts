import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Allowance } from '../../../gossip/libp2p/allowance.ts';
import { encodeFrame } from '../../../gossip/libp2p/frames.ts';
import { encodeMessage } from '../../../gossip/wire/codec.ts';
import { LIMITS } from '../../../gossip/wire/messages.ts';
import { DELTAS, Hostile, turn } from '../support/hostile.ts';
import { Peer, Realm } from '../support/mesh.ts';
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
  test.each<[string, (hostile: Hostile) => Promise<number>]>([
    ['small frames', (hostile) => floodFrames(hostile, encodeFrame(encodeMessage({ kind: 'ping', seq: 1 })))],
    ['large frames', (hostile) => floodFrames(hostile, large)],
    ['large nonsense', (hostile) => floodFrames(hostile, encodeFrame(Buffer.alloc(LIMITS.memberFrameBytes)))],
    ['broadcasts', floodBroadcasts],
  ])(
    'with %s is cut off, and neither fills the memory of others nor has them declared dead',
    async (what, flood) => {
      using realm = new Realm();
      await using other = await Peer.start(realm, 'other');
      using victim = await startVictim(realm, other.gossip.address);
      await other.view.untilEndpoints('victim/web/http');
      await using hostile = await Hostile.start(realm, victim.port);
      const beforeBytes = residentBytes(victim.process);

      const sent = await flood(hostile); // ends when the victim cuts the connection
      const grownMib = (): number => (residentBytes(victim.process) - beforeBytes) / MIB;
      const atOnceMib = grownMib();
      expect(await isShutOut(hostile)).toBe(true);
      await expect.poll(grownMib, { timeout: 20_000, interval: 250 }).toBeLessThan(MAX_MIB);
      const summary = `+${atOnceMib.toFixed(1)} MiB at once, ${grownMib().toFixed(1)} MiB to stay`;
      console.info(`flood of ${what}: ${sent} sent; victim ${summary}`);
      expect(other.view.state('victim')).not.toBe('dead');
      expect(other.gossip.stats()).toMatchObject({ deaths: 0 });
    },
    60_000,
  );
});

/** On one stream after the other: ours give up by themselves when the victim does not read as fast as we write. */
async function floodFrames({ connection }: Hostile, frame: Uint8Array): Promise<number> {
  let sent = 0;
  while (connection.status === 'open') {
    const stream = await connection.newStream('/weft/member/1').catch(() => undefined);
    while (connection.status === 'open' && stream?.status === 'open') {
      for (let i = 0; i < 20 && stream.writeStatus === 'writable'; i++) {
        sent++;
        stream.send(frame);
      }
      await turn();
    }
    await turn();
  }
  return sent;
}

async function floodBroadcasts(hostile: Hostile): Promise<number> {
  const delta = MESSAGES.find((message) => message.kind === 'delta')!;
  let sent = 0;
  while (hostile.connection.status === 'open') {
    // Each is another message to gossipsub, for a member that nobody knows.
    for (let i = 0; i < 100; i++) {
      const name = `n${sent++}`;
      await hostile.broadcast(DELTAS, encodeMessage({ ...delta, delta: { ...delta.delta, name } }));
    }
    await turn();
  }
  return sent;
}

/** Whether a new connection is closed before it can be used. */
async function isShutOut(hostile: Hostile): Promise<boolean> {
  try {
    const connection = await hostile.connect();
    const stream = await connection.newStream('/weft/member/1');
    for (const untilMs = performance.now() + 5_000; performance.now() < untilMs; await turn()) {
      if (stream.status !== 'open') return true;
    }
    return false;
  } catch {
    return true;
  }
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
