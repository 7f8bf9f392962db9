/** Scenario files: what ships is valid and named as its file, and a mistake is answered with field and value. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { listScenarios, loadScenario, readScenario } from '../../simulations/scenarios/load.ts';

const directory = mkdtempSync(join(tmpdir(), 'weft-scenarios-'));
afterAll(() => rmSync(directory, { recursive: true }));

function write(text: string): string {
  const file = join(directory, 'mine.yaml');
  writeFileSync(file, text);
  return file;
}

test('the scenarios that ship are all there', () => {
  expect(listScenarios().map(({ name }) => name)).toEqual(
    expect.arrayContaining(
      'steady crash crash-many leave stall loss flaky-links one-way partition-heal churn join-storm cold-restart stale-restore clock-jump hostile-peer region-loss poison-document split-documents'.split(
        ' ',
      ),
    ),
  );
  for (const { name } of listScenarios()) expect(loadScenario(name).name).toBe(name);
});

test('a file of a user is found by its path', () => {
  const file = write('name: mine\nabout: nothing happens at all\nseconds: 3\n');
  expect(loadScenario(file)).toMatchObject({ name: 'mine', nodes: 100, seconds: 3, steps: [] });
});

test.each([
  ['name: mine\nabout: nothing happens at all\n', /seconds/],
  ['name: mine\nabout: nothing happens at all\nseconds: 3\nstep: []\n', /step/],
  ['name: mine\nabout: nothing happens at all\nseconds: 3\nsteps: [{ at: 1, do: explode }]\n', /do/],
  ['name: mine\nabout: nothing happens at all\nseconds: 3\nsteps: [{ at: 1, do: stall }]\n', /seconds/],
  ['name: mine\nabout: nothing happens at all\nseconds: 3\nnetwork: { lossRatio: 2 }\n', /lossRatio/],
  ['name: [\n', /mine\.yaml/],
])('a mistake is named: %s', (text, named) => {
  expect(() => readScenario(write(text))).toThrow(named);
});

test.each(['no-such-scenario', '../../package', 'CRASH'])('%s is not a scenario', (name) => {
  expect(() => loadScenario(name)).toThrow(/weft simulate --list/);
});
