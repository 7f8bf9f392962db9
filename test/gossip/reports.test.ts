/** What all nodes say of one document at once must not come to each of them at once. */
import { expect, test } from 'vitest';
import { Core } from '../../gossip/core.ts';
import type { Effect } from '../../gossip/effects.ts';
import { SETTINGS, seededRandom, ToySigner, World } from './support/world.ts';

/** When nodes that know `members` others would publish a report each gave at the same moment. */
function momentsOf(members: number, nodes: number): number[] {
  const world = new World({ seed: 1, members: members + 1 });
  world.runUntil(() => world.node('n0').core.members().length === members + 1, 60_000);
  const known = world.node('n0').core;
  return Array.from({ length: nodes }, (_, i) => {
    const core = new Core({
      self: `m${i}`,
      trustDomain: 'sim.example',
      address: `m${i}:1`,
      chain: [Buffer.from(`m${i}`)],
      epoch: 1,
      seeds: [],
      rememberedPeers: [],
      settings: SETTINGS,
      signer: new ToySigner(`m${i}`),
      random: seededRandom(i),
      known,
    });
    core.step(0, { kind: 'start' });
    const effects = core.step(1_000, { kind: 'report', report: Buffer.from('applied') });
    return armed(effects) - 1_000;
  });
}

function armed(effects: readonly Effect[]): number {
  const [effect] = effects.filter((one) => one.kind === 'arm' && one.timer.kind === 'report');
  if (effect?.kind !== 'arm') throw new Error('no moment was picked');
  return effect.atMs;
}

test('reports on one document are spread over a time that grows with the mesh', () => {
  const moments = momentsOf(40, 200).sort((a, b) => a - b);
  expect(moments[0]).toBeLessThan(20);
  expect(moments.at(-1)).toBeGreaterThan(180);
  expect(moments.at(-1)).toBeLessThanOrEqual(205);
  const median = moments[100]!;
  expect(median).toBeGreaterThan(70);
  expect(median).toBeLessThan(130);
});

test('in a small mesh nobody notices', () => {
  expect(Math.max(...momentsOf(3, 50))).toBeLessThanOrEqual(20);
});
