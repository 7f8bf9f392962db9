/** Documents in the simulated mesh: what is poisonous touches its first takers only, and each checker can fail. */
import { describe, expect, test } from 'vitest';
import type { Effect } from '../../gossip/effects.ts';
import type { Run } from '../../simulations/run.ts';
import { runScenario } from '../../simulations/run.ts';
import { loadScenario } from '../../simulations/scenarios/load.ts';
import type { Scenario } from '../../simulations/scenarios/schema.ts';
import { step } from '../../simulations/scenarios/schema.ts';
import type { Tamper } from '../../simulations/world/weft-process.ts';
import { seedsToRun } from './support/seeds.ts';

const realMs = (): number => performance.now();

function run(scenario: Scenario, tamper?: Tamper, nodes = 20, seed = 1): Run {
  return runScenario({ scenario, nodes, seed, realMs, ...(tamper && { tamper }) });
}

function rulesBroken(scenario: Scenario, tamper: Tamper): string[] {
  return [...new Set(run(scenario, tamper).result.violationDetails.map(({ rule }) => rule))];
}

/** A quiet mesh, and what operators do in it. */
function written(...steps: readonly object[]): Scenario {
  const quiet = { ...loadScenario('steady'), seconds: 20, settleSeconds: 20 };
  const expected = { ...quiet.expect, bytesPerNodePerSecond: 1e9 };
  return { ...quiet, expect: expected, steps: steps.map((one) => step.parse(one)) };
}

const GOOD = { at: 1, do: 'write-document' };
const POISON = { at: 8, do: 'write-document', poison: 1 };

describe.each(['poison-document', 'split-documents'])('%s', (name) => {
  test.each(seedsToRun(2))('holds every invariant and expectation at 30 nodes (WEFT_SEED=%i)', (seed) => {
    const { result } = run(loadScenario(name), undefined, 30, seed);
    expect(result.violationDetails).toEqual([]);
    expect(result.documents!.writes).toBeGreaterThan(3);
  });
});

test('how long documents took is part of the result, and only where there are any', () => {
  const { result } = run(loadScenario('split-documents'));
  expect(result.documents!.reachMs.max).toBeGreaterThan(0);
  expect(result.documents!.useMs.p50).toBeGreaterThan(result.documents!.reachMs.p50!);
  expect(run(loadScenario('crash')).result).not.toHaveProperty('documents');
});

test('a document that is larger than what is broadcast reaches everybody too', () => {
  const { result, picture } = run(written({ ...GOOD, kilobytes: 150 }));
  expect(result.violationDetails).toEqual([]);
  expect(picture.documentCurves[0]!.reachedMs).toHaveLength(19);
});

test('messages by value and messages through the real codec give the same run', () => {
  const run_ = (isEncoded: boolean) =>
    runScenario({ scenario: loadScenario('split-documents'), nodes: 12, seed: 3, isEncoded, realMs }).result;
  const [byValue, encoded] = [run_(false), run_(true)];
  expect(encoded.traceHash).toBe(byValue.traceHash);
  expect(encoded.documents).toEqual(byValue.documents);
});

test('a node that keeps an older revision in force is found', () => {
  const deaf: Tamper = (node, effect) => (node === 'n4' && effect.kind === 'documents' ? undefined : effect);
  expect(rulesBroken(written(GOOD), deaf)).toContain('documents-agree');
});

test('a node that shows a deleted document again is found', () => {
  let first: Effect | undefined;
  const resurrects: Tamper = (node, effect) => {
    if (node !== 'n4' || effect.kind !== 'documents') return effect;
    first ??= effect;
    return effect.heads[0]!.revision.number === 3 ? first : effect;
  };
  const twice = written(GOOD, { at: 5, do: 'delete-document' }, { ...GOOD, at: 9 });
  expect(rulesBroken(twice, resurrects)).toContain('documents-hold');
});

test('a revision in force that its author did not sign is found', () => {
  const alters: Tamper = (node, effect) => {
    if (node !== 'n4' || effect.kind !== 'documents') return effect;
    const [{ id, revision }] = effect.heads as [(typeof effect.heads)[number]];
    return { kind: 'documents', heads: [{ id, revision: { ...revision, body: Buffer.from('{"poison":0}') } }] };
  };
  expect(rulesBroken(written(GOOD), alters)).toContain('documents-hold');
});

test('a node that does not heed what the first takers say is found', () => {
  const heedless: Tamper = (node, effect) => (node === 'n4' && effect.kind === 'report' ? undefined : effect);
  expect(rulesBroken(written(GOOD, POISON), heedless)).toContain('first-takers');
});

test('a member that sends what nobody entitled signed convinces nobody', () => {
  const forged = { at: 5, do: 'forge-document', count: 3, every: 1, times: 5 };
  expect(run(written(GOOD, forged)).result.violationDetails).toEqual([]);
});
