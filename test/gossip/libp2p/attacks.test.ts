/** A member with a good certificate attacks real nodes over real connections; flood.test.ts has the floods of bytes. */
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { encodeFrame } from '../../../gossip/libp2p/frames.ts';
import type { Standing } from '../../../gossip/members/standing.ts';
import { RANK } from '../../../gossip/members/standing.ts';
import { Rings } from '../../../gossip/overlay/rings.ts';
import { encodeEndpoint } from '../../../gossip/records/endpoint.ts';
import type { NodeRecord, RecordDelta } from '../../../gossip/records/record.ts';
import { applyDelta, recordStatement } from '../../../gossip/records/record.ts';
import { decodeMessage, encodeMessage } from '../../../gossip/wire/codec.ts';
import { LIMITS } from '../../../gossip/wire/messages.ts';
import { DELTAS, DOCUMENTS, Hostile } from '../support/hostile.ts';
import { endpoint, Peer, Realm, TRUST_DOMAIN } from '../support/mesh.ts';
import { MESSAGES } from '../wire/frames.ts';

const portOf = ({ gossip }: Peer): number => Number(gossip.address.split(':')[1]);
/** 1 January 2100. */
const FAR_FUTURE_MS = 4_102_444_800_000;
const LAST = Number.MAX_SAFE_INTEGER;
/** As in membership.ts. */
const CONTEST_MS = 1_500;

/** Two honest nodes that know each other, and a hostile member linked to `a`. */
class Scene implements AsyncDisposable {
  readonly realm = new Realm();
  a!: Peer;
  b!: Peer;
  hostile!: Hostile;

  static async set(): Promise<Scene> {
    const scene = new Scene();
    scene.a = await Peer.start(scene.realm, 'a');
    scene.b = await Peer.start(scene.realm, 'b', { seeds: [scene.a.gossip.address] });
    scene.b.gossip.publish([endpoint('b')]);
    await scene.a.view.untilEndpoints('b/web/http');
    scene.hostile = await Hostile.start(scene.realm, portOf(scene.a));
    await scene.hostile.join();
    await scene.a.view.until(() => scene.a.view.state('hostile') === 'alive');
    return scene;
  }

  epochOf(name: string): number {
    return this.a.gossip.members().find((member) => member.name === name)!.epoch;
  }

  /**
   * Nothing came of it: both live, know each other and what they offer, and still hear of changes.
   *
   * @param others endpoints that `a` knows beside
   */
  async expectPeace(...others: string[]): Promise<void> {
    expect([this.a.view.state('b'), this.b.view.state('a')]).toEqual(['alive', 'alive']);
    expect([this.a.gossip.stats().deaths, this.b.gossip.stats().deaths]).toEqual([0, 0]);
    this.b.gossip.publish([endpoint('b'), endpoint('b', 'late')]);
    await this.a.view.untilEndpoints('b/late/http', 'b/web/http', ...others);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.hostile?.[Symbol.asyncDispose](), this.a?.gossip.close(), this.b?.gossip.close()]);
    this.realm[Symbol.dispose]();
  }
}

describe('a member that lies about the death of another', () => {
  test('convinces nobody in the name of others, nor alone', async () => {
    await using scene = await Scene.set();
    const { a, hostile } = scene;
    const subject = { name: 'b', epoch: scene.epochOf('b'), inc: 0 };
    const forged = ['a', 'b', 'c'].map((by) => hostile.accuse(subject, by));
    await hostile.say({ kind: 'standing', name: 'b', standing: { kind: 'dead', ...subject, accusations: forged } });
    await hostile.say({ kind: 'standing', name: 'b', standing: { kind: 'dead', ...subject, accusations: [] } });
    const left: Standing = { kind: 'left', epoch: subject.epoch, signature: forged[0]!.signature };
    await hostile.say({ kind: 'standing', name: 'b', standing: left });
    await hostile.settled();
    expect(a.gossip.stats().dropped.signature).toBe(1);
    expect(a.gossip.stats().probes).toBe(0);
    await scene.expectPeace();
  });

  test('does not even get it asked by a page that no signature bears out', async () => {
    await using scene = await Scene.set();
    const { a, hostile } = scene;
    const epoch = scene.epochOf('b');
    const ghost = deltaOf(hostile.record({ name: 'b', epoch, ver: 90 }), { from: 80 });
    await hostile.say({ kind: 'delta', delta: ghost }); // so it is asked for the page
    await expect.poll(() => hostile.heard.some((message) => message.kind === 'pull')).toBe(true);
    const accusations = [hostile.accuse({ name: 'b', epoch, inc: 0 }, 'a')];
    const standing: Standing = { kind: 'dead', epoch, inc: 0, accusations };
    await hostile.say({ kind: 'pages', pages: [{ name: 'b', standing, record: null, delta: null }] });
    await expect.poll(() => a.gossip.stats().messagesReceived.pages).toBeGreaterThan(0);
    await scene.expectPeace();
    expect(a.gossip.members().find(({ name }) => name === 'b')).toMatchObject({ epoch, incarnation: 0 });
  });

  test('convinces nobody with two more that do not observe it either: who hears of it looks for itself', async () => {
    using realm = new Realm();
    const config = { observers: 3 };
    await using v = await Peer.start(realm, 'v', config);
    const seeds = [v.gossip.address];
    await using b = await Peer.start(realm, 'b', { ...config, seeds });
    await using _c = await Peer.start(realm, 'c', { ...config, seeds });
    await using d = await Peer.start(realm, 'd', { ...config, seeds });
    await d.view.until(() => ['v', 'b', 'c'].every((name) => d.view.state(name) === 'alive'));
    const names = conspirators(['v', 'b', 'c', 'd'], 'v', config.observers);
    await using h1 = await Hostile.start(realm, portOf(b), names[0]);
    await using h2 = await Hostile.start(realm, portOf(b), names[1]);
    await using h3 = await Hostile.start(realm, portOf(b), names[2]);
    const all = [h1, h2, h3];
    for (const hostile of all) await hostile.join();
    await b.view.until(() => ['v', 'c', 'd', ...names].every((name) => b.view.state(name) === 'alive'));

    const { epoch } = b.gossip.members().find(({ name }) => name === 'v')!;
    const subject = { name: 'v', epoch, inc: 0 };
    const accusations = all.map((hostile) => hostile.accuse(subject));
    await h1.say({ kind: 'standing', name: 'v', standing: { kind: 'dead', epoch, inc: 0, accusations } });
    await h1.settled();
    expect(b.gossip.stats()).toMatchObject({ deaths: 0, probes: 1 });
    expect(b.view.state('v')).toBe('alive');
    expect(b.gossip.members().find(({ name }) => name === 'v')).toMatchObject({ epoch, incarnation: 0 });
  });
});

describe('a member that invents lives of another', () => {
  const signature = Buffer.alloc(71, 0x30);
  test.each<[string, (scene: Scene, name: string) => Standing]>([
    ['that lives', () => ({ kind: 'alive', epoch: LAST, inc: 0, signature })],
    ['that left', () => ({ kind: 'left', epoch: LAST, signature })],
    ['that died', (scene, name) => deadIn(scene, name, LAST, 0)],
    ['in an incarnation it never had', (scene, name) => deadIn(scene, name, scene.epochOf(name), LAST)],
  ])('%s brings it neither to the last number there is, nor to its death', async (_, lie) => {
    await using scene = await Scene.set();
    const { a, b, hostile } = scene;
    const before = { a: scene.epochOf('a'), b: scene.epochOf('b') };
    for (const name of ['a', 'b']) await hostile.say({ kind: 'standing', name, standing: lie(scene, name) });
    await hostile.settled();
    await scene.expectPeace();
    await b.view.until(() => b.view.state('a') === 'alive');
    for (const name of ['a', 'b'] as const) {
      expect(scene.epochOf(name)).toBeLessThanOrEqual(before[name] + 1); // a life beyond a lie may be worth it, no more
    }
    expect(a.gossip.members()[0]!.incarnation).toBe(0);
  });

  test.each<[string, (scene: Scene) => { epoch: number; inc: number }]>([
    ['a life it never had', () => ({ epoch: LAST, inc: 0 })],
    ['an incarnation it never had', (scene) => ({ epoch: scene.epochOf('b'), inc: LAST })],
    ['the life it has', (scene) => ({ epoch: scene.epochOf('b'), inc: 0 })],
  ])('gets it asked about its death in %s, at most', async (_, lie) => {
    await using scene = await Scene.set();
    const { a, hostile } = scene;
    const before = scene.epochOf('b');
    await hostile.say({ kind: 'contest', lines: [{ name: 'b', rank: RANK.dead, ...lie(scene) }] });
    await hostile.settled();
    await setTimeout(CONTEST_MS + 500); // what is not refuted by then is believed
    await scene.expectPeace();
    expect(scene.epochOf('b')).toBeLessThanOrEqual(before + 1);
    expect(a.gossip.members().every(({ incarnation }) => incarnation <= 1)).toBe(true);
  });

  function deadIn({ hostile }: Scene, name: string, epoch: number, inc: number): Standing {
    return { kind: 'dead', epoch, inc, accusations: [hostile.accuse({ name, epoch, inc })] };
  }
});

describe('a member that speaks for another', () => {
  test('gets no endpoint into its record, and none of its own under the name of the other', async () => {
    await using scene = await Scene.set();
    const { a, hostile } = scene;
    const stolen = endpoint('b', 'web', { address: '10.66.66.66' });
    const record = hostile.record({ name: 'b', epoch: FAR_FUTURE_MS, ver: 9, endpoints: [stolen] });
    await hostile.say({ kind: 'hello', page: hostile.page(record) }); // not its own page
    await hostile.say({ kind: 'delta', delta: deltaOf(record, { from: 0 }) });
    const { epoch } = a.gossip.members().find(({ name }) => name === 'b')!;
    await hostile.say({ kind: 'delta', delta: deltaOf({ ...record, epoch }, { from: 1 }) });
    const delta = { ...deltaOf({ ...record, epoch }, { from: 1 }), meta: null }; // under the certificate of the other
    await hostile.broadcast(DELTAS, encodeMessage({ kind: 'delta', delta }));
    await hostile.settled();
    await expect
      .poll(() => a.gossip.stats().dropped)
      .toMatchObject({ certificate: 1, signature: 1, 'out-of-place': 1 });

    const own = hostile.record({ epoch: 2, ver: 1, endpoints: [stolen] });
    await hostile.say({ kind: 'hello', page: hostile.page(own) });
    await a.view.untilEndpoints('b/web/http', 'hostile/web/http');
    expect(a.view.endpoints_.get('b/web/http')?.address).toBe('10.1.2.3');
    expect(a.view.endpoints_.get('hostile/web/http')?.node).toBe('hostile');
  });

  test('brings nothing back by saying again what it said before, in whatever order', async () => {
    await using scene = await Scene.set();
    const { a, b, hostile } = scene;
    const caught: RecordDelta[] = [];
    const { pubsub } = hostile.node.services;
    pubsub.addEventListener('message', ({ detail }) => {
      const message = decodeMessage(detail.data);
      if (message?.kind === 'delta') caught.push(message.delta);
    });
    pubsub.subscribe(DELTAS);
    const { getMeshPeers } = pubsub as unknown as { readonly getMeshPeers: (topic: string) => readonly string[] };
    await expect.poll(() => getMeshPeers.call(pubsub, DELTAS), { timeout: 10_000 }).not.toEqual([]); // `b` may be there too
    // As often as it takes until the other side, too, gives the listener a place in gossipsub's mesh.
    for (let i = 0; i < 3 || caught.length < 2; i++) {
      b.gossip.publish([endpoint('b', `w${i}`)]);
      await a.view.untilEndpoints(`b/w${i}/http`);
    }
    b.gossip.publish([]);
    await a.view.untilEndpoints();
    for (const delta of [...caught, ...caught.toReversed()]) await hostile.say({ kind: 'delta', delta });
    await hostile.settled();
    expect(a.view.ids).toEqual([]);
    expect(a.gossip.stats().gaps).toBe(0);
  });
});

describe('a member that writes without pause', () => {
  test('is heard at a bounded pace, and others hear no more than that of it', async () => {
    await using scene = await Scene.set();
    const { a, b, hostile } = scene;
    const sinceMs = performance.now();
    let record = hostile.record({ epoch: 1, ver: 1 });
    for (let ver = 2; ver <= 600; ver++) {
      const delta = signedDelta(hostile, record, ver);
      record = applyDelta(record, delta);
      await hostile.say({ kind: 'delta', delta });
    }
    await hostile.settled();
    const most = 101 + ((performance.now() - sinceMs) / 1_000) * 20;
    expect(most).toBeLessThan(500); // else this machine is too slow for the test to mean anything
    expect(a.gossip.stats().dropped.pace).toBeGreaterThan(0);
    expect(a.view.endpoints_.get('hostile/web/http')!.port - 1_000).toBeLessThanOrEqual(most);
    await scene.expectPeace('hostile/web/http');
    expect(b.gossip.stats().messagesReceived.delta).toBeLessThanOrEqual(most + 10);
  });
});

describe('a member whose clock stands in another century', () => {
  test('spoils neither what is measured nor what is agreed on', async () => {
    await using scene = await Scene.set();
    const { a, hostile } = scene;
    await hostile.say({ kind: 'ping', seq: 1, wallMs: FAR_FUTURE_MS, rttMs: 1 });
    const record = hostile.record({ epoch: FAR_FUTURE_MS });
    await hostile.say({ kind: 'hello', page: hostile.page(record) });
    const delta = signedDelta(hostile, record, 2);
    await hostile.broadcast(DELTAS, encodeMessage({ kind: 'delta', delta, sentAtMs: FAR_FUTURE_MS }));
    await a.view.untilEndpoints('b/web/http', 'hostile/web/http');
    const doc = MESSAGES.find((message) => message.kind === 'doc')!;
    const revision = { ...doc.revision, number: 1, base: '', hlc: { ms: FAR_FUTURE_MS, count: 0 } };
    await hostile.broadcast(DOCUMENTS, encodeMessage({ kind: 'doc', revision }));
    await expect.poll(() => a.gossip.stats().documents.refused).toMatchObject({ future: 1 });

    const { peers, propagation } = a.gossip.stats();
    expect(peers.find(({ name }) => name === 'hostile')?.skewMs).toBeUndefined();
    expect(propagation.raw.sumMs + propagation.corrected.sumMs).toBeLessThan(60_000);
    await scene.expectPeace('hostile/web/http');
  });
});

describe('a member that withholds', () => {
  test('what it says it has keeps nobody from getting it elsewhere', async () => {
    await using scene = await Scene.set();
    const { a, b, hostile } = scene;
    const ghost = deltaOf(hostile.record({ name: 'b', epoch: scene.epochOf('b'), ver: 90 }), { from: 80 });
    await hostile.say({ kind: 'delta', delta: ghost }); // so it is asked for the rest, and never answers
    await hostile.settled();
    await expect.poll(() => hostile.heard.some((message) => message.kind === 'pull')).toBe(true);
    b.gossip.publish([endpoint('b', 'fresh')]);
    await a.view.untilEndpoints('b/fresh/http');
    expect(a.view.state('hostile')).toBe('alive');
  });
});

describe('frames that are none', () => {
  test('cut short, of wrong types or nested without end are counted, and nothing else comes of them', async () => {
    await using scene = await Scene.set();
    const { a, hostile } = scene;
    const bad = MESSAGES.map((message) => encodeMessage(message)).map((bytes) => bytes.subarray(0, bytes.length - 1));
    bad.push(Buffer.from([0x91, 0xc0]), Buffer.from([0x92, 9, 0x91, 0xc3])); // [null], [hello, [true]]
    bad.push(Buffer.alloc(20_000, 0x91)); // an array in an array in an array
    for (const bytes of bad) await hostile.sayBytes('member', encodeFrame(bytes));
    await hostile.settled();
    expect(a.gossip.stats().framesDropped.malformed).toBe(bad.length);
    await scene.expectPeace();
  });

  test('of a length beyond the bound end the connection by their header alone', async () => {
    await using scene = await Scene.set();
    const { a, hostile } = scene;
    const header = Buffer.alloc(4);
    header.writeUInt32BE(LIMITS.memberFrameBytes + 1);
    await hostile.sayBytes('member', header);
    await expect.poll(() => hostile.connection.status).not.toBe('open');
    expect(a.gossip.stats().framesDropped.oversized).toBe(1);
    await scene.expectPeace();
  });
});

/** Names of three members that do not observe `accused` in a mesh of them and these. */
function conspirators(honest: readonly string[], accused: string, observers: number): string[] {
  for (let i = 0; ; i++) {
    const names = [`h${i}`, `i${i}`, `j${i}`];
    const rings = new Rings(honest[0]!, observers);
    for (const name of [...honest, ...names]) rings.add(name);
    if (names.every((name) => !rings.observersOf(accused).has(name))) return names;
  }
}

/** The whole record as a change from `from` on. */
function deltaOf(record: NodeRecord, { from }: { from: number }): RecordDelta {
  const entries = [...record.entries].map(([key, { value }]) => [key, record.ver, value] as const);
  const { name, epoch, ver, gcVer, meta, signature } = record;
  return { name, epoch, from, to: ver, gcVer, meta, entries, signature };
}

/** The next change of its own endpoint, rightly signed. */
function signedDelta(hostile: Hostile, record: NodeRecord, ver: number): RecordDelta {
  const { name, epoch } = record;
  const value = encodeEndpoint(endpoint(name, 'web', { port: 1_000 + ver }));
  const unsigned = { name, epoch, from: ver - 1, to: ver, gcVer: 0, meta: null, signature: new Uint8Array() };
  const delta: RecordDelta = { ...unsigned, entries: [['web/http', ver, value]] };
  const statement = recordStatement(TRUST_DOMAIN, applyDelta(record, delta), hostile.signer);
  return { ...delta, signature: hostile.signer.sign(statement) };
}
