/** A checker that can not fail proves nothing: each is fed a world that breaks its rule. */
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../gossip/effects.ts';
import { runScenario } from '../../simulations/run.ts';
import { loadScenario } from '../../simulations/scenarios/load.ts';
import type { Scenario } from '../../simulations/scenarios/schema.ts';
import type { Tamper } from '../../simulations/world/weft-process.ts';

/** Which rules a run breaks whose nodes do not carry out what their cores ask. */
function rulesBroken(scenario: Scenario, tamper: Tamper, nodes = 12): string[] {
  const { result } = runScenario({ scenario, nodes, seed: 1, tamper, realMs: () => performance.now() });
  return [...new Set(result.violationDetails.map(({ rule }) => rule))];
}

/** Nothing but changes, and no budget that would be broken as well. */
function changingScenario(endpointsPerNode: number): Scenario {
  const scenario = loadScenario('steady');
  const expected = { ...scenario.expect, bytesPerNodePerSecond: 1e9 };
  return { ...scenario, workload: { endpointsPerNode, changesPerSecond: 5 }, expect: expected };
}

const untouched: Tamper = (_node, effect) => effect;

describe('in a world that is left alone nothing is broken', () => {
  test.each(['crash', 'leave', 'churn', 'steady', 'partition-heal'])('%s', (name) => {
    expect(rulesBroken(loadScenario(name), untouched)).toEqual([]);
  });
});

test('a node that goes on routing to a member it holds dead is found', () => {
  const keepsDead: Tamper = (_node, effect) => {
    const isWithdrawal = effect.kind === 'endpoints' && effect.delta.upsert.length === 0;
    return isWithdrawal ? undefined : effect;
  };
  expect(rulesBroken(loadScenario('kill'), keepsDead)).toContain('routable-owners');
});

test('a node that shows a deleted endpoint again is found', () => {
  const resurrects: Tamper = (node, effect) => {
    if (node !== 'n3' || effect.kind !== 'endpoints') return effect;
    const [gone] = effect.delta.remove.filter((id) => !id.startsWith('n3/') && effect.delta.upsert.length > 0);
    if (gone === undefined) return effect;
    const [kept] = effect.delta.upsert;
    return { kind: 'endpoints', delta: { upsert: [...effect.delta.upsert, { ...kept!, id: gone }], remove: [] } };
  };
  const changing = changingScenario(4);
  expect(rulesBroken(changing, resurrects)).toContain('whole-pages');
});

test('a node that shows an older page after a newer one is found', () => {
  const seen: Effect[] = [];
  const goesBack: Tamper = (node, effect) => {
    if (node !== 'n3' || effect.kind !== 'endpoints' || effect.delta.upsert[0]?.node !== 'n1') return effect;
    seen.push(effect);
    return seen.length > 2 ? seen[0] : effect;
  };
  const changing = changingScenario(1);
  expect(rulesBroken(changing, goesBack)).toContain('whole-pages');
});

test('a node that shows what the owner never signed is found', () => {
  const invents: Tamper = (node, effect) => {
    if (node !== 'n2' || effect.kind !== 'endpoints') return effect;
    const upsert = effect.delta.upsert.map((endpoint) => ({ ...endpoint, address: '203.0.113.9' }));
    return { kind: 'endpoints', delta: { ...effect.delta, upsert } };
  };
  expect(rulesBroken(loadScenario('steady'), invents)).toContain('whole-pages');
});

test('a healthy member that somebody holds dead is found', () => {
  const slanders: Tamper = (node, effect) => {
    const about = effect.kind === 'endpoints' ? effect.delta.upsert[0]?.node : undefined;
    if (node !== 'n5' || about === undefined || about === 'n5') return effect;
    return { kind: 'log', event: { kind: 'member', name: about, state: 'dead', why: 'slander' } };
  };
  expect(rulesBroken(changingScenario(2), slanders)).toContain('nobody-falsely-dead');
});

test('a node that never hears of a change is found', () => {
  const deaf: Tamper = (node, effect) => {
    return node === 'n4' && effect.kind === 'endpoints' && effect.delta.upsert[0]?.node !== 'n4' ? undefined : effect;
  };
  expect(rulesBroken(loadScenario('steady'), deaf)).toContain('equal-views');
});

test('a node that does not learn of a death is found', () => {
  const ignorant: Tamper = (_node, effect) =>
    effect.kind === 'log' && effect.event.kind === 'member' ? undefined : effect;
  expect(rulesBroken(loadScenario('leave'), ignorant)).toContain('equal-views');
});

test('a node that sends too much is found', () => {
  const scenario = loadScenario('steady');
  const thrifty = { ...scenario, expect: { ...scenario.expect, bytesPerNodePerSecond: 100 } };
  expect(rulesBroken(thrifty, untouched)).toContain('byte-budget');
});

test('a crash that takes longer to be known than expected is found', () => {
  const scenario = loadScenario('crash');
  expect(rulesBroken({ ...scenario, expect: { ...scenario.expect, detectSeconds: 1 } }, untouched)).toContain(
    'expectation',
  );
});
