/** The third tier of simulation, small: real agents, broken with the kernel's own means. Figures: npm run chaos. */
import { expect, test } from 'vitest';
import { labObstacle } from '../../agent/lab/support.ts';
import { runChaos } from '../../simulations/chaos/chaos.ts';

const obstacle = await labObstacle();

test.skipIf(obstacle !== undefined)(
  'real agents agree again after kills, stalls, loss, a split, darkness and a cold restart, and call nobody falsely dead',
  async () => {
    const steps: string[] = [];
    const report = await runChaos({ nodes: 4, faultMs: 2_000, onStep: (step) => steps.push(step) });
    expect(report.falseDeaths).toEqual({ stall: 0, loss: 0 });
    expect(report.killMs).toBeLessThan(5_000); // what an operator is promised, far above what is measured
    expect(steps).toHaveLength(10);
  },
  180_000,
);
