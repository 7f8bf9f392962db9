/** Which endpoints a node tries, how often it has to fail, and that it stops. */
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { Checkers } from '../../../agent/health/checkers.ts';
import { ReachKeeper } from '../../../agent/health/reach-keeper.ts';
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import type { TrafficPolicy } from '../../../proxy/traffic/rules.ts';
import { endpoint } from '../../gossip/support/mesh.ts';

const MEMBERS = ['n0', 'n1', 'n2', 'n3', 'n4', 'n5'];
const POLICY: TrafficPolicy = {
  origin: { kind: 'TrafficPolicy', namespace: 'shop', name: 'all', revision: 'r', rule: '' },
  target: { services: [], ports: [], routes: [], from: [] },
  settings: { healthCheck: { intervalMs: 5, timeoutMs: 1_000, unhealthyAfter: 3, healthyAfter: 2 } },
};

const open: ReachKeeper[] = [];
afterEach(async () => {
  for (const keeper of open.splice(0)) await keeper.close();
});

function node(all: readonly Endpoint[]) {
  const world = { endpoints: all, policies: [POLICY] as readonly TrafficPolicy[], cut: new Set<string>() };
  const tried = new Map<string, number>();
  const told: (readonly string[])[] = [];
  const keeper = new ReachKeeper({
    node: 'n0',
    endpoints: () => world.endpoints,
    members: () => MEMBERS,
    policies: () => world.policies,
    probe: async ({ id }) => {
      tried.set(id, (tried.get(id) ?? 0) + 1);
      return world.cut.has(id) ? { ok: false, detail: 'cut' } : { ok: true };
    },
    checked: (unreached) => told.push([...unreached]),
    random: () => 0.5,
    log: pino({ level: 'silent' }),
  });
  open.push(keeper);
  return { keeper, world, tried, told };
}

const all = Array.from({ length: 60 }, (_, i) => endpoint(MEMBERS[i % MEMBERS.length]!, `w${i}`));
const ours = all.filter((one) => new Checkers(MEMBERS).of(one).includes('n0')).map(({ id }) => id);

test('a node tries the endpoints that fall to it, and no others', async () => {
  const { keeper, tried, world } = node(all);
  keeper.changed();
  await expect.poll(() => [...tried.keys()].sort()).toEqual([...ours].sort());
  expect(ours.length).toBeLessThan(all.length);
  world.policies = [];
  keeper.changed();
  await expect.poll(() => keeper.size).toBe(0);
});

test('one that is not reached three times in a row is told of, until it is reached twice', async () => {
  const { keeper, tried, told, world } = node(all);
  const [cut] = ours;
  world.cut.add(cut!);
  keeper.changed();
  await expect.poll(() => told).toEqual([[cut]]);
  expect(tried.get(cut!)).toBeGreaterThanOrEqual(3);
  world.cut.clear();
  await expect.poll(() => told).toEqual([[cut], []]);
});

test('one that is gone, or that no policy asks about any more, is accused no more', async () => {
  const { keeper, told, world } = node(all);
  world.cut.add(ours[0]!);
  keeper.changed();
  await expect.poll(() => told).toEqual([[ours[0]]]);
  world.endpoints = all.filter(({ id }) => id !== ours[0]);
  keeper.changed();
  await expect.poll(() => told).toEqual([[ours[0]], []]);
});
