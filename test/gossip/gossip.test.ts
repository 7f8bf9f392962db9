import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withChecksum } from '../../gossip/edge/store.ts';
import { GossipError } from '../../gossip/errors.ts';
import { endpoint, Peer, Realm } from './support/mesh.ts';

describe('a mesh of real nodes on loopback', () => {
  test('three nodes see each other and each other’s endpoints', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await using c = await Peer.start(realm, 'c', { seeds: [a.gossip.address] });
    for (const [name, peer] of Object.entries({ a, b, c })) peer.gossip.publish([endpoint(name)]);

    for (const { view } of [a, b, c]) {
      await view.untilEndpoints('a/web/http', 'b/web/http', 'c/web/http');
      expect(view.members_.map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
        'a alive',
        'b alive',
        'c alive',
      ]);
      expect(view.endpoints_.get('b/web/http')).toEqual(endpoint('b'));
    }
  });

  test('a joiner receives all that was published before it came', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    b.gossip.publish(Array.from({ length: 200 }, (_, i) => endpoint('b', `w${i}`)));
    await a.view.until(() => a.view.endpoints_.size === 200);

    await using c = await Peer.start(realm, 'c', { seeds: [a.gossip.address] });
    await c.view.until(() => c.view.endpoints_.size === 200);
    expect(c.view.endpoints_.get('b/w199/http')).toEqual(endpoint('b', 'w199'));
  });

  test('changes and removals of endpoints reach the others, and publishing the same again sends nothing', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    a.gossip.publish([endpoint('a', 'web'), endpoint('a', 'cart')]);
    await b.view.untilEndpoints('a/cart/http', 'a/web/http');

    a.gossip.publish([endpoint('a', 'web', { state: 'draining' })]);
    await b.view.until(() => b.view.endpoints_.get('a/web/http')?.state === 'draining');
    expect(b.view.ids).toEqual(['a/web/http']);

    const sent = a.gossip.stats().messagesSent.delta;
    a.gossip.publish([endpoint('a', 'web', { state: 'draining' })]);
    a.gossip.publish([endpoint('a', 'web', { state: 'draining', labels: { tier: 'front' } })]);
    b.gossip.publish([endpoint('b')]); // passes through the same timers, so when it is here theirs have fired
    await a.view.untilEndpoints('a/web/http', 'b/web/http');
    expect(a.gossip.stats().messagesSent.delta).toBe(sent);
  });

  test('a leaver is gone from every view at once', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await using c = await Peer.start(realm, 'c', { seeds: [a.gossip.address] });
    c.gossip.publish([endpoint('c')]);
    await Promise.all([a, b].map(({ view }) => view.untilEndpoints('c/web/http')));

    const leftAtMs = performance.now();
    const closed = c.gossip.close();
    await Promise.all([a, b].map(({ view }) => view.until(() => view.state('c') === 'left' && view.ids.length === 0)));
    expect(performance.now() - leftAtMs).toBeLessThan(1_000);
    await closed;
    expect(a.gossip.stats()).toMatchObject({ suspicions: 0, deaths: 0 });
  });

  test('a node that starts again is a new life of the same member', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    const first = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    first.gossip.publish([endpoint('b')]);
    await a.view.untilEndpoints('b/web/http');
    const { epoch } = a.view.members_.find(({ name }) => name === 'b')!;
    await first.gossip.close();
    await a.view.untilEndpoints();

    await using second = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    second.gossip.publish([endpoint('b', 'cart')]);
    await a.view.untilEndpoints('b/cart/http');
    expect(a.view.members_.find(({ name }) => name === 'b')!.epoch).toBeGreaterThan(epoch);
  });

  test('a node whose clock fell behind its former life still comes back above it', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    const first = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await a.view.until(() => a.view.state('b') === 'alive');
    await first.gossip.close();
    const file = join(realm.directory, 'data', 'b', 'gossip.json');
    const kept = JSON.parse(readFileSync(file, 'utf8').split('\n')[0]!) as { epoch: number };
    const future = kept.epoch + 3_600_000;
    writeFileSync(file, withChecksum(JSON.stringify({ ...kept, epoch: future })));

    await using second = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await a.view.until(() => a.view.members_.some((m) => m.name === 'b' && m.epoch > future && m.state === 'alive'));
    expect(second.gossip.members()[0]!.epoch).toBe(future + 1);
  });

  test('a node that lost its disk and its clock learns from its peers that it lived before', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    const first = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    const data = join(realm.directory, 'data', 'elsewhere');
    await a.view.until(() => a.view.state('b') === 'alive');
    const { epoch } = first.gossip.members()[0]!;
    await first.gossip.close();
    await a.view.until(() => a.view.state('b') === 'left');

    const realNow = Date.now;
    Date.now = () => realNow() - 60_000; // within the skew that certificates allow
    try {
      await using second = await Peer.start(realm, 'b', { seeds: [a.gossip.address], dataDirectory: data });
      second.gossip.publish([endpoint('b')]);
      await a.view.untilEndpoints('b/web/http');
      expect(second.gossip.members()[0]!.epoch).toBe(epoch + 1);
      expect(second.gossip.stats().epochRaises).toBe(1);
    } finally {
      Date.now = realNow;
    }
  });

  test('a seed that does not answer is tried again until it does', async () => {
    using realm = new Realm();
    const probe = await Peer.start(realm, 'a');
    const { address } = probe.gossip;
    await probe.gossip.close();

    await using b = await Peer.start(realm, 'b', { seeds: [address] });
    await b.view.until(() => b.view.members_.length === 1);
    await using a = await Peer.start(realm, 'a', { listen: address });
    await b.view.until(() => b.view.state('a') === 'alive');
    expect(a.view.state('a')).toBe('alive');
  });
});

describe('a node that is killed', () => {
  test('has its endpoints withdrawn by every other node in well under five seconds', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    const child = await spawnNode(realm, 'c', a.gossip.address);
    await Promise.all([a, b].map(({ view }) => view.untilEndpoints('c/web/http')));

    const killedAtMs = performance.now();
    child.kill('SIGKILL');
    await Promise.all([a, b].map(({ view }) => view.untilEndpoints()));
    const tookMs = performance.now() - killedAtMs;
    console.info(`killed node: endpoints withdrawn everywhere after ${tookMs.toFixed(0)} ms`);
    expect(tookMs).toBeLessThan(2_500);
    expect([a.view.state('c'), b.view.state('c')]).toEqual(['dead', 'dead']);
  });

  test('counts as dead for the only node that is left, too', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    const b = await spawnNode(realm, 'b', a.gossip.address);
    const c = await spawnNode(realm, 'c', a.gossip.address);
    await a.view.untilEndpoints('b/web/http', 'c/web/http');
    b.kill('SIGKILL');
    c.kill('SIGKILL');
    await a.view.untilEndpoints();
    expect([a.view.state('b'), a.view.state('c')]).toEqual(['dead', 'dead']);
  });

  test('comes back with a new epoch when it is started again', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    const first = await spawnNode(realm, 'b', a.gossip.address);
    await a.view.untilEndpoints('b/web/http');
    first.kill('SIGKILL');
    await a.view.untilEndpoints();

    const second = await spawnNode(realm, 'b', a.gossip.address);
    await a.view.untilEndpoints('b/web/http');
    expect(a.view.state('b')).toBe('alive');
    second.kill('SIGKILL');
    await a.view.untilEndpoints();
  });

  test('is not confused with one that is stopped: that one is spared until it answers again', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    const child = await spawnNode(realm, 'c', a.gossip.address);
    await Promise.all([a, b].map(({ view }) => view.untilEndpoints('c/web/http')));

    child.kill('SIGSTOP');
    await a.view.until(() => a.view.endpoints_.get('c/web/http')?.weight === 0);
    expect(a.view.state('c')).toBe('unresponsive');
    child.kill('SIGCONT');
    await Promise.all([a, b].map(({ view }) => view.until(() => view.endpoints_.get('c/web/http')?.weight === 1)));
    expect(a.gossip.stats().deaths + b.gossip.stats().deaths).toBe(0);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});

describe('the gossip port', () => {
  test('refuses a node of another root before it can open a stream, and counts it', async () => {
    using realm = new Realm();
    using foreign = new Realm(); // the same name, another root
    await using a = await Peer.start(realm, 'a');
    await using rogue = await Peer.start(foreign, 'rogue', { seeds: [a.gossip.address] });
    rogue.gossip.publish([endpoint('rogue')]);
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await a.view.until(() => a.view.state('b') === 'alive');
    await expect.poll(() => a.gossip.stats().refused['untrusted-root']).toBeGreaterThan(0);

    expect(a.view.members_.map(({ name }) => name).sort()).toEqual(['a', 'b']);
    expect(a.gossip.stats().links).toBe(1);
    expect(rogue.gossip.members().map(({ name }) => name)).toEqual(['rogue']);
    expect(rogue.gossip.stats().messagesSent.hello).toBeUndefined();
    expect(b.view.state('rogue')).toBeUndefined();
  });

  test('refuses a node of another trust domain within the noise handshake', async () => {
    using realm = new Realm();
    using foreign = new Realm('other.example');
    await using a = await Peer.start(realm, 'a');
    await using rogue = await Peer.start(foreign, 'rogue', { seeds: [a.gossip.address] });
    await expect.poll(() => a.gossip.stats().refused.handshake).toBeGreaterThan(0);
    expect(rogue.gossip.stats().links).toBe(0);
  });

  test('counts garbage and silence apart from a connect probe, and outlives all of them', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a', { admissionTimeoutMs: 2_000 });
    const port = Number(a.gossip.address.split(':')[1]);

    const talker = connect(port, '127.0.0.1');
    talker.end('GET / HTTP/1.1\r\nhost: weft\r\n\r\n');
    await closed(talker);
    await closed(connect(port, '127.0.0.1')); // says nothing
    const probe = connect(port, '127.0.0.1');
    await once(probe, 'connect');
    probe.destroy();

    await expect.poll(() => a.gossip.stats().refused).toEqual({ garbage: 1, timeout: 1 });
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await b.view.until(() => b.view.state('a') === 'alive');
    expect(a.gossip.stats().refused).toEqual({ garbage: 1, timeout: 1 });
  });

  test('says which address is taken and what to do', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    const taken = Peer.start(realm, 'b', { listen: a.gossip.address });
    await expect(taken).rejects.toThrow(GossipError);
    await expect(taken).rejects.toThrow(`${a.gossip.address}: cannot listen; choose a free port`);
  });
});

describe('what this node publishes', () => {
  test('is refused with the reason when it is not its own to publish', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    expect(() => a.gossip.publish([endpoint('b')])).toThrow('b/web/http (its id must begin with a/, its node be a)');
    expect(() => a.gossip.publish([endpoint('a'), endpoint('a')])).toThrow('a/web/http (named twice)');
    expect(() => a.gossip.publish([endpoint('a', 'web', { port: 0 })])).toThrow('out of range');
    const many = Array.from({ length: 401 }, (_, i) => endpoint('a', `w${i}`));
    expect(() => a.gossip.publish(many)).toThrow('401 endpoints');
  });

  test('is not shown by others when it claims an identity outside the grant of the node', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    const foreign = endpoint('b', 'bank', { identity: 'spiffe://test.example/ns/bank/sa/vault' });
    b.gossip.publish([foreign, endpoint('b')]);
    await a.view.untilEndpoints('b/web/http');
    expect(a.gossip.stats().dropped['outside-grant']).toBe(1);
  });
});

/** However it ends. */
function closed(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('error', () => undefined).on('close', () => resolve());
  socket.resume();
  return promise;
}

async function spawnNode(realm: Realm, name: string, ...seeds: string[]): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'support', 'node-process.ts');
  const data = join(realm.directory, 'data', name);
  const args = [script, realm.bundle(name), data, ...seeds];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}
