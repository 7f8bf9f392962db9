import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatHostPort, parseHostPort } from '../../../gossip/edge/address.ts';
import { FairClock } from '../../../gossip/edge/fair-clock.ts';
import { probe } from '../../../gossip/edge/probe.ts';
import { GossipStore } from '../../../gossip/edge/store.ts';
import { Timers } from '../../../gossip/edge/timers.ts';
import { encodeFrame, FrameReader } from '../../../gossip/libp2p/frames.ts';
import { TokenBucket } from '../../../gossip/libp2p/token-bucket.ts';

describe('timers', () => {
  test('of a thread that stood still fire only after what lay in its sockets was read', async () => {
    const server = createServer((socket) => socket.write('ack')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    for (let round = 0; round < 20; round++) {
      const happened: string[] = [];
      const { promise: fired, resolve } = Promise.withResolvers<void>();
      const timers = new Timers(
        () => performance.now(),
        () => {
          happened.push('fired');
          resolve();
        },
      );
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      socket.on('data', () => happened.push('ack'));
      await once(socket, 'connect');
      timers.arm({ kind: 'ack', about: 'x' }, performance.now() + 5);
      // Both the ack and the deadline come while nothing can run.
      const untilMs = performance.now() + 20;
      while (performance.now() < untilMs);
      await fired;
      expect(happened).toEqual(['ack', 'fired']);
      timers.stop();
      socket.destroy();
    }
    server.close();
  });

  test('that are moved or disarmed do not fire at their old time', async () => {
    const fired: string[] = [];
    const done = Promise.withResolvers<void>();
    const timers = new Timers(
      () => performance.now(),
      ({ about }) => {
        fired.push(about);
        if (about === 'last') done.resolve();
      },
    );
    const nowMs = performance.now();
    timers.arm({ kind: 'ping', about: 'disarmed' }, nowMs + 5);
    timers.arm({ kind: 'ping', about: 'moved' }, nowMs + 5);
    timers.arm({ kind: 'ping', about: 'last' }, nowMs + 20);
    timers.arm({ kind: 'ping', about: 'moved' }, nowMs + 60_000);
    timers.disarm({ kind: 'ping', about: 'disarmed' });
    await done.promise;
    timers.stop();
    expect(fired).toEqual(['last']);
  });
});

describe('the fair clock', () => {
  test('leaves out the time in which nobody could look at it, and says so', () => {
    let realMs = 1_000;
    const stalls: number[] = [];
    const clock = new FairClock(
      (forMs) => stalls.push(forMs),
      () => realMs,
    );
    clock.stop(); // no ticker: this test is the one that looks
    const startMs = clock.nowMs();
    for (let i = 0; i < 10; i++) {
      realMs += 100;
      clock.nowMs();
    }
    expect(clock.nowMs() - startMs).toBe(1_000);
    realMs += 5_000;
    expect(clock.nowMs() - startMs).toBeLessThan(1_200);
    expect(stalls).toEqual([5_000]);
    realMs += 200;
    expect(clock.nowMs() - startMs).toBeLessThan(1_400);
    expect(stalls).toHaveLength(1);
  });
});

describe('a connect probe', () => {
  test('tells a listening port from a closed one', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const target = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    const { signal } = new AbortController();
    expect(await probe(target, signal)).toBe('connected');
    server.close();
    await once(server, 'close');
    expect(await probe(target, signal)).toBe('refused');
  });

  test('of an address that nobody answers for is silent within half a second, at once when aborted', async () => {
    const stop = new AbortController();
    const nowhere = { host: '255.255.255.255', port: 9 }; // no TCP to a broadcast address: fails, but is no refusal
    const startMs = performance.now();
    expect(await probe(nowhere, stop.signal)).toBe('silent');
    expect(performance.now() - startMs).toBeLessThan(2_000);
    const outcome = probe(nowhere, stop.signal);
    stop.abort();
    expect(await outcome).toBe('silent');
  });
});

describe('the store', () => {
  const owner = { trustDomain: 'test.example', name: 'a' };
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'weft-store-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('raises the epoch with every start, whatever the clock says', async () => {
    const first = await GossipStore.open(join(directory, 'new'), owner, 5_000);
    const second = await GossipStore.open(join(directory, 'new'), owner, 4_000);
    const third = await GossipStore.open(join(directory, 'new'), owner, 9_000);
    expect([first, second, third].map(({ store }) => store.epoch)).toEqual([5_000, 5_001, 9_000]);
  });

  test('keeps the peers of the last run, and not that it was alone', async () => {
    const { store } = await GossipStore.open(directory, owner, 1);
    await Promise.all([store.rememberPeers(['b:1']), store.rememberPeers(['b:1', 'c:1']), store.rememberPeers([])]);
    await store.keepEpoch(77);
    const again = await GossipStore.open(directory, owner, 1);
    expect(again.store.peers).toEqual(['b:1', 'c:1']);
    expect(again.store.epoch).toBe(78);
    expect(readdirSync(directory)).toEqual(['gossip.json']);
  });

  test('sets a file aside that is damaged in any byte or cut off anywhere, and starts without it', async () => {
    const file = join(directory, 'gossip.json');
    const { store: first } = await GossipStore.open(directory, owner, 9_000);
    await first.rememberPeers(['b:1']);
    const whole = readFileSync(file);
    const damaged = Array.from(whole, (byte, at) => whole.with(at, byte ^ 1));
    const torn = Array.from(whole, (_, length) => whole.subarray(0, length));
    for (const bytes of [...damaged, ...torn]) {
      writeFileSync(file, bytes);
      const { store, damage } = await GossipStore.open(directory, owner, 42);
      expect(damage).toBeInstanceOf(TypeError);
      expect([store.epoch, store.peers]).toEqual([42, []]);
      expect(readFileSync(`${file}.damaged`)).toEqual(Buffer.from(bytes));
    }
  });

  test('of another trust domain is refused by name, and stays as it is', async () => {
    await GossipStore.open(directory, { trustDomain: 'other.example', name: 'a' }, 9_000);
    const before = readFileSync(join(directory, 'gossip.json'), 'utf8');
    await expect(GossipStore.open(directory, owner, 42)).rejects.toThrow(
      'gossip.json (of trust domain other.example): this state belongs to another trust domain; move the file away',
    );
    expect(readFileSync(join(directory, 'gossip.json'), 'utf8')).toBe(before);
  });

  test('takes nothing over from another node', async () => {
    await GossipStore.open(directory, { ...owner, name: 'b' }, 9_000);
    const { store } = await GossipStore.open(directory, owner, 42);
    expect(store.epoch).toBe(42);
    expect(readFileSync(join(directory, 'gossip.json'), 'utf8')).toContain('"name":"a","epoch":42');
  });

  test('names the file and what to do when it cannot write', async () => {
    writeFileSync(join(directory, 'file'), '');
    const opening = GossipStore.open(join(directory, 'file', 'sub'), owner, 1);
    await expect(opening).rejects.toThrow('gossip.json: cannot read or write the data directory');
  });
});

test('addresses are host and port, IPv6 in brackets, and nothing else', () => {
  expect(parseHostPort('10.0.0.1:7946')).toEqual({ host: '10.0.0.1', port: 7946 });
  expect(parseHostPort('[fd00::1]:7946')).toEqual({ host: 'fd00::1', port: 7946 });
  expect(parseHostPort('node-1.example:1')).toEqual({ host: 'node-1.example', port: 1 });
  expect(formatHostPort({ host: 'fd00::1', port: 1 })).toBe('[fd00::1]:1');
  for (const bad of ['', '10.0.0.1', ':1', 'a:', 'a:70000', 'fd00::1:1', '[zz]:1', 'a b:1', 'a:1:2']) {
    expect(parseHostPort(bad)).toBeUndefined();
  }
});

describe('frames', () => {
  test('come out whole, however the bytes are cut', () => {
    const frames = [Buffer.from(''), Buffer.from('one'), Buffer.alloc(300, 7)];
    const stream = Buffer.concat(frames.map(encodeFrame));
    for (const size of [1, 2, 3, 5, 100, 1_000]) {
      const reader = new FrameReader(300);
      const read: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += size) read.push(...reader.push(stream.subarray(at, at + size))!);
      expect(read.map((frame) => Buffer.from(frame))).toEqual(frames);
    }
  });

  test('that announce too much are refused by their header', () => {
    expect(new FrameReader(10).push(Buffer.from([0, 0, 0, 11]))).toBeUndefined();
  });
});

test('a token bucket allows a burst and then its rate', () => {
  const bucket = new TokenBucket(10, 3, 0);
  expect([0, 0, 0, 0].map((nowMs) => bucket.take(nowMs))).toEqual([true, true, true, false]);
  expect([50, 100, 150, 200].map((nowMs) => bucket.take(nowMs))).toEqual([false, true, false, true]);
});
