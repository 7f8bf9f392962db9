import { expect, test } from 'vitest';
import { Absence } from '../../../gossip/overlay/absence.ts';
import { endpoint } from '../support/mesh.ts';
import { World } from '../support/world.ts';

const HOUR_MS = 3_600_000;

test('an absence is too long once the mesh may have forgotten its dead, however much of it we slept through', () => {
  const absence = new Absence(24 * HOUR_MS);
  absence.heard(1_000);
  expect(absence.isTooLong(24 * HOUR_MS)).toBe(false);
  expect(absence.isTooLong(24 * HOUR_MS + 1_001)).toBe(true);
  absence.heard(25 * HOUR_MS);
  absence.stoodStill(23 * HOUR_MS);
  expect(absence.isTooLong(25 * HOUR_MS)).toBe(false);
  expect(absence.isTooLong(26 * HOUR_MS + 1)).toBe(true);
});

const TOMBSTONE_MS = 120_000;

function meshOfFive(): World {
  const world = new World({ seed: 1, members: 5, settings: { tombstoneMs: TOMBSTONE_MS } });
  for (const name of world.nodes.keys()) world.publish(name, [endpoint(name)]);
  world.runUntil(() => world.running().every((node) => node.endpoints.size === 5), 30_000);
  return world;
}

const epochOf = (world: World, name: string): number => world.node(name).core.members()[0]!.epoch;

test('a node that was cut off for longer than the dead are remembered begins anew, and comes back with its endpoints', () => {
  const world = meshOfFive();
  const before = epochOf(world, 'n4');
  world.partition((a, b) => (a === 'n4') !== (b === 'n4'));
  world.runFor(TOMBSTONE_MS - 10_000);
  expect(world.node('n4').core.members()).toHaveLength(5);
  expect(epochOf(world, 'n4')).toBe(before);

  world.runFor(80_000); // looked at once a minute
  expect(world.node('n4').core.members()).toHaveLength(1);
  expect(world.node('n4').endpoints.size).toBe(1);
  expect(epochOf(world, 'n4')).toBe(before + 1);

  world.leave('n3');
  world.heal();
  expect(world.runUntil(() => world.running().every((node) => node.endpoints.size === 4), 30_000)).toBeLessThan(30_000);
  world.runFor(10_000);
  expect(world.disagreements()).toEqual([]);
});

test('a node that slept through it all, and holds everybody alive, does not bring back whom the mesh has forgotten', () => {
  const world = meshOfFive();
  const sleeper = world.node('n4');
  expect(sleeper.endpoints.has('n3/web/http')).toBe(true);
  world.give(sleeper, { kind: 'stalled', forMs: TOMBSTONE_MS + 1_000 });
  expect(sleeper.core.members()).toHaveLength(1);
  expect([...sleeper.endpoints.keys()]).toEqual(['n4/web/http']);
  expect(world.runUntil(() => sleeper.endpoints.size === 5, 30_000)).toBeLessThan(30_000);
  expect(world.running().every((node) => node.core.stats.deaths === 0 || node === sleeper)).toBe(true);
});

test('a nap changes nothing', () => {
  const world = meshOfFive();
  const before = epochOf(world, 'n4');
  world.give(world.node('n4'), { kind: 'stalled', forMs: TOMBSTONE_MS - 10_000 });
  world.runFor(1_000);
  expect(epochOf(world, 'n4')).toBe(before);
  expect(world.node('n4').core.members()).toHaveLength(5);
});
