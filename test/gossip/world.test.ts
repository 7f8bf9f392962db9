/** The core in a seeded world: what the protocol promises under loss, stalls, partitions, deaths and liars. */
import { describe, expect, test } from 'vitest';
import { accusationStatement } from '../../gossip/members/standing.ts';
import { endpoint } from './support/mesh.ts';
import { seeds, toySignature, World } from './support/world.ts';

/** A mesh that has met, in which every node offers one endpoint. */
function meshOf(options: ConstructorParameters<typeof World>[0]): World {
  const world = new World(options);
  for (const name of world.nodes.keys()) world.publish(name, [endpoint(name)]);
  expect(world.runUntil(() => isComplete(world), 60_000)).toBeLessThan(60_000);
  world.runFor(2_000);
  return world;
}

function isComplete(world: World): boolean {
  const count = world.running().length;
  return world.running().every((node) => node.endpoints.size === count) && world.disagreements().length === 0;
}

const deaths = (world: World): number => world.running().reduce((sum, node) => sum + node.core.stats.deaths, 0);

describe('membership', () => {
  test.each(seeds(5))('members that join one seed at once all see each other within seconds (WEFT_SEED=%i)', (seed) => {
    const world = new World({ seed, members: 40, lossRatio: 0.05, latencyMs: [1, 20] });
    for (const name of world.nodes.keys()) world.publish(name, [endpoint(name)]);
    const tookMs = world.runUntil(() => isComplete(world), 60_000);
    expect(tookMs).toBeLessThan(20_000);
    expect(deaths(world)).toBe(0);
  });

  test.each(seeds(5))('a killed process is dead to everybody within 0.3 s (WEFT_SEED=%i)', (seed) => {
    const world = meshOf({ seed, members: 30 });
    world.kill('n7');
    expect(world.runUntil(() => world.everyoneSees('n7', 'dead'), 10_000)).toBeLessThan(300);
    expect(world.running().every((node) => !node.endpoints.has('n7/web/http'))).toBe(true);
    expect(deaths(world)).toBe(29);
  });

  test.each(seeds(5))(
    'a host that goes dark is dead to everybody within 2.8 s, a tenth of all packets lost (WEFT_SEED=%i)',
    (seed) => {
      const world = meshOf({ seed, members: 30, lossRatio: 0.1 });
      world.darken('n7');
      expect(world.runUntil(() => world.everyoneSees('n7', 'dead'), 10_000)).toBeLessThan(2_800);
      expect(deaths(world)).toBe(29);
    },
  );

  test.each([2, 3, 5])('in a mesh of %i, a host that goes dark is dead to everybody within 3.5 s', (members) => {
    const world = meshOf({ seed: 1, members });
    world.darken('n1');
    expect(world.runUntil(() => world.everyoneSees('n1', 'dead'), 10_000)).toBeLessThan(3_500);
  });

  test('a leave is known to everybody in milliseconds, without suspicion', () => {
    const world = meshOf({ seed: 1, members: 30 });
    world.leave('n3');
    expect(world.runUntil(() => world.everyoneSees('n3', 'left'), 1_000)).toBeLessThan(30);
    world.runFor(10_000);
    expect(world.running().reduce((sum, node) => sum + node.core.stats.suspicions, 0)).toBe(0);
  });

  test.each(seeds(3))('five minutes with a tenth of all packets lost kill nobody (WEFT_SEED=%i)', (seed) => {
    const world = meshOf({ seed, members: 20, lossRatio: 0.1 });
    world.runFor(300_000);
    expect(deaths(world)).toBe(0);
    expect(world.disagreements()).toEqual([]);
  });

  test.each(seeds(3))('members that stand still for up to ten seconds are spared and return (WEFT_SEED=%i)', (seed) => {
    const world = meshOf({ seed, members: 20, lossRatio: 0.02 });
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 3; i++) {
        world.stall(`n${Math.floor(world.random() * 20)}`, 1_000 + world.random() * 9_000);
      }
      world.runFor(12_000);
    }
    world.runFor(10_000);
    expect(deaths(world)).toBe(0);
    expect(world.running()).toHaveLength(20);
    expect(isComplete(world)).toBe(true);
    expect(world.running().every((node) => [...node.endpoints.values()].every(({ weight }) => weight === 1))).toBe(
      true,
    );
  });

  test('a member that accepts connections but stays mute is last choice, and dead after stallMaxMs', () => {
    const world = meshOf({ seed: 3, members: 12 });
    world.stall('n5', 60_000);
    world.runFor(3_000);
    expect(world.running().some((node) => node.endpoints.get('n5/web/http')?.weight === 0)).toBe(true);
    expect(world.runUntil(() => world.everyoneSees('n5', 'dead'), 30_000)).toBeLessThan(20_000);
    world.runFor(60_000);
    expect(world.everyoneSees('n5', 'alive')).toBe(true); // it woke and refuted
    expect(isComplete(world)).toBe(true);
  });

  test.each(seeds(3))('with every fifth pair cut off from each other, nobody dies (WEFT_SEED=%i)', (seed) => {
    const world = meshOf({ seed, members: 20 });
    const bad = new Set<string>();
    for (let a = 0; a < 20; a++) for (let b = 0; b < a; b++) if (world.random() < 0.2) bad.add(`n${b} n${a}`);
    world.partition((a, b) => bad.has(`${a} ${b}`) || bad.has(`${b} ${a}`));
    world.runFor(60_000);
    expect(deaths(world)).toBe(0);
  });

  test.each(seeds(5))('the halves of a split mesh go on alone and agree again when it heals (WEFT_SEED=%i)', (seed) => {
    const world = meshOf({ seed, members: 24 });
    const half = (name: string): boolean => Number(name.slice(1)) < 12;
    world.partition((a, b) => half(a) !== half(b));
    world.runFor(30_000);
    for (const node of world.running()) {
      const seen = [...node.endpoints.values()].map(({ node: owner }) => half(owner) === half(node.name));
      expect(seen).toHaveLength(12);
      expect(seen.every(Boolean)).toBe(true);
    }
    world.publish('n1', []); // a deletion on one side must not come back from the other
    world.runFor(30_000);
    world.heal();
    const tookMs = world.runUntil(() => world.running().every((node) => node.endpoints.size === 23), 30_000);
    expect(tookMs).toBeLessThan(5_000);
    world.runFor(10_000);
    expect(world.disagreements()).toEqual([]);
    expect(world.running().some((node) => node.endpoints.has('n1/web/http'))).toBe(false);
  });

  test('a healed split withdraws no endpoint from its own half', () => {
    const world = meshOf({ seed: 2, members: 16 });
    const half = (name: string): boolean => Number(name.slice(1)) < 8;
    world.partition((a, b) => half(a) !== half(b));
    world.runFor(30_000);
    world.heal();
    for (let i = 0; i < 500; i++) {
      world.runFor(10);
      for (const node of world.running()) {
        const own = [...node.endpoints.values()].filter(({ node: owner }) => half(owner) === half(node.name));
        expect(own).toHaveLength(8);
      }
    }
    expect(isComplete(world)).toBe(true);
  });

  test.each(seeds(3))('half of the mesh dying at once is known to the rest (WEFT_SEED=%i)', (seed) => {
    const world = meshOf({ seed, members: 30 });
    for (let i = 15; i < 30; i++) world.kill(`n${i}`);
    const tookMs = world.runUntil(() => world.running().every((node) => node.endpoints.size === 15), 30_000);
    expect(tookMs).toBeLessThan(5_000);
  });

  test('the last member of three loses the other two, though there is nobody to confirm', () => {
    const world = meshOf({ seed: 1, members: 3 });
    world.darken('n1');
    world.darken('n2');
    expect(world.runUntil(() => world.node('n0').endpoints.size === 1, 20_000)).toBeLessThan(6_000);
  });

  test('a restarted process takes over from its former self, whatever that one said last', () => {
    const world = meshOf({ seed: 1, members: 6 });
    world.kill('n4');
    world.runFor(20); // nobody has noticed
    world.boot('n4', ['n0:1']);
    world.publish('n4', [endpoint('n4', 'cart')]);
    const isBack = (): boolean => world.running().every((node) => node.endpoints.has('n4/cart/http'));
    expect(world.runUntil(isBack, 10_000)).toBeLessThan(2_000);
    world.runFor(10_000);
    expect(world.running().some((node) => node.endpoints.has('n4/web/http'))).toBe(false);
    expect(world.disagreements()).toEqual([]);
  });

  test('one lying observer cannot evict a healthy member: the accused refutes and lives on', () => {
    const world = meshOf({ seed: 1, members: 12 });
    const victim = world.node('n0').core.members()[0]!;
    const subject = { name: 'n0', epoch: victim.epoch, inc: 0 };
    const statement = accusationStatement('sim.example', subject, 'n1', 'refused');
    const accusation = { by: 'n1', cause: 'refused' as const, signature: toySignature('n1', statement) };
    for (const node of world.running()) {
      if (node.name === 'n1' || node.name === 'n0') continue;
      const message = { kind: 'suspect' as const, about: 'n0', epoch: subject.epoch, inc: 0, accusation };
      world.give(node, { kind: 'received', from: 'n1', message });
      const standing = { kind: 'dead' as const, epoch: subject.epoch, inc: 0, accusations: [accusation] };
      world.give(node, { kind: 'received', from: 'n1', message: { kind: 'standing', name: 'n0', standing } });
    }
    world.runFor(10_000);
    expect(world.everyoneSees('n0', 'alive')).toBe(true);
    expect(deaths(world)).toBe(0);
  });

  test('accusations that their accuser did not sign are ignored', () => {
    const world = meshOf({ seed: 1, members: 5 });
    const { epoch } = world.node('n0').core.members()[0]!;
    const forged = ['n2', 'n3', 'n4'].map((by) => ({
      by,
      cause: 'refused' as const,
      signature: Buffer.from('forged'),
    }));
    const standing = { kind: 'dead' as const, epoch, inc: 0, accusations: forged };
    world.give(world.node('n1'), { kind: 'received', from: 'n2', message: { kind: 'standing', name: 'n0', standing } });
    expect(world.stateOf('n1', 'n0')).toBe('alive');
  });

  test('what a newcomer says of nodes nobody here has met is not routed to', () => {
    const world = meshOf({ seed: 1, members: 5 });
    world.runFor(40_000); // they are old hands now
    const ghosts = new World({ seed: 9, members: 1 });
    const ghost = ghosts.boot('ghost', []);
    ghosts.publish('ghost', [endpoint('ghost')]);
    ghosts.runFor(1_000);
    const page = pageOf(ghost.core);
    const stranger = world.boot('n9', ['n0:1']);
    world.runFor(500);
    world.give(stranger, { kind: 'received', from: 'ghost', message: { kind: 'hello', page } });
    world.kill('n9'); // before it could be asked about it, but after it may have been heard
    world.runFor(60_000);
    expect(world.running().some((node) => node.endpoints.has('ghost/web/http'))).toBe(false);
  });
});

describe('the register', () => {
  test.each(seeds(5))(
    'every change reaches everybody although half of the broadcasts is lost (WEFT_SEED=%i)',
    (seed) => {
      const world = meshOf({ seed, members: 16, lossRatio: 0.05, broadcastLossRatio: 0.5, latencyMs: [1, 30] });
      for (let round = 0; round < 60; round++) {
        const name = `n${Math.floor(world.random() * 16)}`;
        const count = Math.floor(world.random() * 5);
        world.publish(
          name,
          Array.from({ length: count }, (_, i) => endpoint(name, `w${i}`, { port: 1_000 + round })),
        );
        world.runFor(200);
      }
      world.runFor(60_000);
      expect(world.disagreements()).toEqual([]);
      expect(deaths(world)).toBe(0);
    },
  );

  test('in a quiet mesh a change is everywhere within 100 ms', () => {
    const world = meshOf({ seed: 1, members: 30 });
    world.runFor(10_000);
    world.publish('n3', [endpoint('n3', 'web', { state: 'draining' })]);
    const isThere = (): boolean =>
      world.running().every((node) => node.endpoints.get('n3/web/http')?.state === 'draining');
    expect(world.runUntil(isThere, 5_000)).toBeLessThan(100);
  });

  test('five hundred replaced endpoints never outgrow the record, and all nodes agree on it', () => {
    const world = meshOf({ seed: 1, members: 4 });
    for (let round = 0; round < 10; round++) {
      world.publish(
        'n1',
        Array.from({ length: 100 }, (_, i) => endpoint('n1', `r${round}w${i}`)),
      );
      world.runFor(300);
    }
    world.runFor(10_000);
    expect(world.disagreements()).toEqual([]);
    expect(world.node('n0').endpoints.size).toBe(103);
    expect(world.node('n0').core.stats.dropped['too-large']).toBe(0);
  });
});

test('the same seed gives the same run', () => {
  const run = (): number => {
    const world = meshOf({ seed: 42, members: 12, lossRatio: 0.1 });
    world.stall('n2', 3_000);
    world.kill('n3');
    return world.runFor(20_000).trace;
  };
  expect(run()).toBe(run());
});

function pageOf(core: World['nodes'] extends Map<string, infer N> ? (N extends { core: infer C } ? C : never) : never) {
  const [effect] = core.step(0, { kind: 'link-up', peer: 'x', opened: false });
  if (effect?.kind !== 'send' || effect.message.kind !== 'hello') throw new Error('the first word on a link is hello');
  return effect.message.page;
}
