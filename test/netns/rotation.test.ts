/** The root of three real agents is replaced under load: nobody notices. */
import { describe, expect, test } from 'vitest';
import { labObstacle } from '../../agent/lab/support.ts';
import { runTrust } from '../../simulations/trust/trust.ts';

const obstacle = await labObstacle();
const skipped = obstacle === undefined ? '' : ` (skipped: ${obstacle})`;

describe.skipIf(obstacle !== undefined)(`a root${skipped}`, () => {
  test('is replaced under load without one failed request, and revoking works after as before', async () => {
    const report = await runTrust({
      name: 'rotate',
      perSecond: 100,
      renewals: 0,
      onStep: () => {},
      signal: new AbortController().signal,
    });
    console.log(JSON.stringify(report));
    expect(report).toMatchObject({ failed: 0, failures: [], rotated: 3, peersRefused: 0 });
    expect(report.requests).toBeGreaterThan(1_000);
    expect(report.handshakes).toBeGreaterThan(100);
    expect(report.nodeRenewals).toBeGreaterThanOrEqual(3);
  }, 240_000);
});
