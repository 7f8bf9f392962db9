/** What a node says of endpoints that it has ejected: who hears it, how often it may change, how large it gets, and its end. */
import './support/properties.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Context } from '../../gossip/effects.ts';
import {
  type Accused,
  decodeEvidence,
  encodeEvidence,
  MAX_ACCUSED,
  MAX_EVIDENCE_BYTES,
} from '../../gossip/records/evidence.ts';
import { OwnPage } from '../../gossip/records/own-page.ts';
import { EVIDENCE_KEY, MAX_RECORD_BYTES, REPORT_KEY } from '../../gossip/records/record.ts';
import { contentBytes } from '../../gossip/records/register.ts';
import { emptyCoreStats } from '../../gossip/stats.ts';
import { pack } from '../../gossip/wire/pack.ts';
import { endpoint } from './support/mesh.ts';
import { SETTINGS, seeds, ToySigner, World } from './support/world.ts';

const accused = (...ids: readonly string[]): Accused[] => ids.map((id) => ({ endpoint: id, forMs: 30_000 }));

function meshOf(options: ConstructorParameters<typeof World>[0]): World {
  const world = new World(options);
  for (const name of world.nodes.keys()) world.publish(name, [endpoint(name)]);
  const isComplete = (): boolean => world.running().every(({ endpoints }) => endpoints.size === options.members);
  expect(world.runUntil(isComplete, 60_000)).toBeLessThan(60_000);
  world.runFor(2_000);
  return world;
}

let lastSeq = 0;

function accuse(world: World, name: string, ...ids: readonly string[]): void {
  const evidence = ids.length === 0 ? undefined : encodeEvidence(++lastSeq, accused(...ids));
  world.give(world.node(name), { kind: 'evidence', evidence });
}

/** What each running node but `by` has heard of it. */
function heard(world: World, by: string): string[] {
  const others = world.running().filter(({ name }) => name !== by);
  return others.map(({ evidence }) => (evidence.get(by) ?? []).map((one) => one.endpoint).join(' '));
}

const everyone = (world: World, by: string, ids: string): boolean => heard(world, by).every((one) => one === ids);

describe('an accusation', () => {
  test.each(seeds(3))('reaches all in a mesh that loses packets, and is withdrawn from all (WEFT_SEED=%i)', (seed) => {
    const world = meshOf({ seed, members: 20, lossRatio: 0.1, broadcastLossRatio: 0.1 });
    accuse(world, 'n3', 'n7/web/http');
    expect(world.runUntil(() => everyone(world, 'n3', 'n7/web/http'), 20_000)).toBeLessThan(8_000);
    accuse(world, 'n3');
    expect(world.runUntil(() => everyone(world, 'n3', ''), 20_000)).toBeLessThan(8_000);
    expect(world.running().every(({ endpoints }) => endpoints.size === 20)).toBe(true); // routing is for balancers to say
  });

  test('is heard within a quarter of a second where nothing is lost', () => {
    const world = meshOf({ seed: 1, members: 20 });
    accuse(world, 'n3', 'n7/web/http');
    expect(world.runUntil(() => everyone(world, 'n3', 'n7/web/http'), 5_000)).toBeLessThan(250);
  });

  test.each([
    ['dies', (world: World) => world.kill('n3')],
    ['goes dark', (world: World) => world.darken('n3')],
    ['leaves', (world: World) => world.leave('n3')],
  ])('ends when the node that made it %s', (_, end) => {
    const world = meshOf({ seed: 2, members: 12 });
    accuse(world, 'n3', 'n7/web/http');
    expect(world.runUntil(() => everyone(world, 'n3', 'n7/web/http'), 5_000)).toBeLessThan(5_000);
    end(world);
    expect(world.runUntil(() => everyone(world, 'n3', ''), 10_000)).toBeLessThan(5_000);
  });

  test('of a node that stands still ends for those that watch it, and is there again when it wakes', () => {
    const world = meshOf({ seed: 3, members: 12 });
    accuse(world, 'n3', 'n7/web/http');
    expect(world.runUntil(() => everyone(world, 'n3', 'n7/web/http'), 5_000)).toBeLessThan(5_000);
    world.stall('n3', 8_000);
    const ended = (): number => heard(world, 'n3').filter((ids) => ids === '').length;
    expect(world.runUntil(() => ended() >= 3, 8_000)).toBeLessThan(6_000);
    expect(world.runUntil(() => everyone(world, 'n3', 'n7/web/http'), 20_000)).toBeLessThan(20_000);
  });

  test('is known to a node that joins later', () => {
    const world = meshOf({ seed: 4, members: 8 });
    accuse(world, 'n3', 'n7/web/http');
    world.runFor(1_000);
    world.boot('late', ['n0:1']);
    const late = (): boolean => world.node('late').evidence.get('n3')?.[0]?.endpoint === 'n7/web/http';
    expect(world.runUntil(late, 20_000)).toBeLessThan(20_000);
  });

  test('changes once a second at most, however often it is said, and the last word stands', () => {
    const world = meshOf({ seed: 5, members: 5 });
    const told: string[] = [];
    const listener = world.node('n0');
    for (let i = 0; i < 500; i++) {
      accuse(world, 'n3', `n7/w${i}/http`);
      world.runFor(10);
      const now = listener.evidence.get('n3')?.[0]?.endpoint;
      if (now !== undefined && now !== told.at(-1)) told.push(now);
    }
    expect(told.length).toBeGreaterThanOrEqual(5);
    expect(told.length).toBeLessThanOrEqual(6);
    world.runFor(1_500);
    expect(heard(world, 'n3')).toEqual(Array(4).fill('n7/w499/http'));
  });

  test('that nobody makes leaves records and timers as they were', () => {
    const world = meshOf({ seed: 6, members: 5 });
    world.runFor(30_000);
    for (const node of world.running()) {
      expect(node.evidence.size).toBe(0);
      expect([...node.timers.values()].filter(({ timer }) => timer.kind === 'evidence')).toEqual([]);
    }
  });
});

describe('evidence', () => {
  test('is bounded in number and bytes, and what is left of it is read as it was written', () => {
    fc.assert(
      fc.property(fc.nat(600), fc.integer({ min: 1, max: 600 }), (count, length) => {
        const all = Array.from({ length: count }, (_, i) => ({
          endpoint: `${i}`.padEnd(length, 'x'),
          forMs: 1_000 + i,
        }));
        const bytes = encodeEvidence(1, all);
        const read = decodeEvidence(bytes)!;
        expect(bytes.length).toBeLessThanOrEqual(MAX_EVIDENCE_BYTES);
        expect(read).toEqual(all.slice(0, read.length));
        expect(read.length).toBeLessThanOrEqual(MAX_ACCUSED);
        if (count * (length + 10) < MAX_EVIDENCE_BYTES) expect(read.length).toBe(Math.min(count, MAX_ACCUSED));
      }),
    );
  });

  test('of strangers is refused or cut, never believed beyond its bounds', () => {
    const line = ['n1/web/http', 1_000];
    expect(decodeEvidence(pack([1, 0, [line]]))).toEqual([{ endpoint: 'n1/web/http', forMs: 1_000 }]);
    expect(decodeEvidence(pack([1, 0, [[...line, 'more']], 'of a newer agent']))).toHaveLength(1);
    expect(decodeEvidence(pack([1, 0, [['n1/web/http', 1e15]]]))![0]!.forMs).toBe(3_600_000);
    expect(decodeEvidence(pack([1, 0, Array(1_000).fill(['a', 1])]))).toHaveLength(MAX_ACCUSED);
    const bad = [
      [2, 0, [line]],
      [1, 'x', [line]],
      [1, 0, 'x'],
      [1, 0, [['a', 0]]],
      [1, 0, [['a', Number.NaN]]],
      [1, 0, [[7, 1]]],
      5,
    ];
    for (const value of bad) expect(decodeEvidence(pack(value))).toBeUndefined();
    expect(decodeEvidence(Buffer.alloc(MAX_EVIDENCE_BYTES + 1, 0x90))).toBeUndefined();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeEvidence(bytes)));
  });

  test('gives way where the record has no room for it beside endpoints', () => {
    const context: Context = {
      self: 'a',
      trustDomain: 'sim.example',
      settings: SETTINGS,
      signer: new ToySigner('a'),
      random: () => 0,
      stats: emptyCoreStats(),
      nowMs: 0,
      out: [],
    };
    const own = new OwnPage(context, { schema: 1, address: 'a:1', chain: [Buffer.alloc(6_000, 'a')] }, 7);
    const endpoints = Array.from({ length: 390 }, (_, i) => endpoint('a', `w${i}`));
    own.note(REPORT_KEY, Buffer.alloc(100));
    own.noteIfRoom(EVIDENCE_KEY, Buffer.alloc(8_000));
    own.publish(endpoints.slice(0, 10));
    expect(own.record.entries.get(EVIDENCE_KEY)?.value).toHaveLength(8_000);
    own.publish(endpoints);
    own.note(REPORT_KEY, Buffer.alloc(MAX_RECORD_BYTES - contentBytes(own.record) + 101));
    own.publish(endpoints);
    expect(contentBytes(own.record)).toBeLessThanOrEqual(MAX_RECORD_BYTES);
    expect(own.record.entries.get(EVIDENCE_KEY)?.value).toBeNull();
    own.note(REPORT_KEY, Buffer.alloc(100));
    own.publish(endpoints.slice(0, 10));
    expect(own.record.entries.get(EVIDENCE_KEY)?.value).toHaveLength(8_000);
  });
});
