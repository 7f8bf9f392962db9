/** What befalls half a mesh at once must not cost each node every certificate once per link. */
import { expect, test } from 'vitest';
import { runScenario } from '../../simulations/run.ts';
import { loadScenario } from '../../simulations/scenarios/load.ts';

const realMs = (): number => performance.now();
const OF_STANDINGS = new Set(['standing', 'news', 'contest', 'pull', 'pages']);

test('a split and a heal of sixty nodes cost each at most 200 kB of standings', () => {
  const { result, picture } = runScenario({ scenario: loadScenario('partition-heal'), nodes: 60, seed: 7, realMs });
  let bytes = 0;
  for (const [i, point] of picture.points.entries()) {
    const seconds = (point.atMs - (picture.points[i - 1]?.atMs ?? 0)) / 1_000;
    for (const [kind, rate] of Object.entries(point.bytes)) if (OF_STANDINGS.has(kind)) bytes += rate * seconds;
  }
  expect(result.violationDetails).toEqual([]);
  expect(Math.round(bytes / 1_000)).toBeLessThanOrEqual(200);
  expect(result.agreeMs.afterContactMax).toBeLessThanOrEqual(2_000);
});
