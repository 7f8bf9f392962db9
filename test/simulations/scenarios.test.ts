/** Every scenario that ships, in a small world, with the seeds that seeds.ts says: all invariants hold, and a seed replays its run. */
import { describe, expect, test } from 'vitest';
import { runScenario } from '../../simulations/run.ts';
import { listScenarios, loadScenario } from '../../simulations/scenarios/load.ts';
import { seedsToRun } from './support/seeds.ts';

const realMs = (): number => performance.now();
const NODES = 16;

describe.each(listScenarios().map((scenario) => ({ name: scenario.name, scenario })))('$name', ({ scenario }) => {
  test.each(seedsToRun(1))('holds every invariant and expectation (WEFT_SEED=%i)', (seed) => {
    const { result } = runScenario({ scenario, nodes: NODES, seed, realMs });
    expect(result.violationDetails).toEqual([]);
    expect(result.falseDeaths).toBe(0);
  });
});

test.each([
  ['crash', 40, 1],
  ['kill', 40, 2],
  ['partition-heal', 40, 3],
  ['flaky-links', 30, 4],
  ['one-way', 30, 1],
  ['one-way', 15, 1],
  ['stall', 40, 5],
])('%s at %i nodes holds every invariant (WEFT_SEED=%i)', (name, nodes, seed) => {
  const { result } = runScenario({ scenario: loadScenario(name), nodes, seed, realMs });
  expect(result.violationDetails).toEqual([]);
});

test('two runs of one seed have the same trace, and another seed has another', () => {
  const scenario = loadScenario('churn');
  const trace = (seed: number): string => runScenario({ scenario, nodes: 12, seed, realMs }).result.traceHash;
  expect(trace(7)).toBe(trace(7));
  expect(trace(7)).not.toBe(trace(8));
});

test('messages by value and messages through the real codec give the same run, to the byte', () => {
  const scenario = loadScenario('crash-many');
  const run = (isEncoded: boolean) => runScenario({ scenario, nodes: 20, seed: 3, isEncoded, realMs }).result;
  const [byValue, encoded] = [run(false), run(true)];
  expect(encoded.traceHash).toBe(byValue.traceHash);
  expect(encoded.bytesPerNodePerSecond).toBe(byValue.bytesPerNodePerSecond);
});

test('a silent crash is known to all within 2.5 s, a killed process within 0.2 s, a leave within 0.1 s', () => {
  const detectMs = (name: string) =>
    runScenario({ scenario: loadScenario(name), nodes: 60, seed: 11, realMs }).result.detectMs.max!;
  expect(detectMs('crash')).toBeLessThan(2_500);
  expect(detectMs('kill')).toBeLessThan(200);
  expect(detectMs('leave')).toBeLessThan(100);
});

test('the baseline needs several times as long for a silent crash, in the same world', () => {
  const scenario = loadScenario('crash');
  const { result } = runScenario({ scenario, nodes: 60, seed: 11, machine: 'memberlist', realMs });
  expect(result.detectMs.max).toBeGreaterThan(5_000);
  expect(result.falseDeaths).toBe(0);
});
