/** The mesh conformance suite of the Gateway API, whole: its manifests unmodified, its requests from inside pods. */
import { describe, expect, test } from 'vitest';
import { labObstacle } from '../../agent/lab/support.ts';
import { readConformance } from '../conformance/data.ts';
import { runConformance } from '../conformance/suite.ts';

const data = readConformance();
const obstacle = data === undefined ? 'conformance data not found beside the repository' : await labObstacle();

describe.skipIf(obstacle !== undefined)(
  `Gateway API, mesh${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    test('every case of every feature of the mesh profiles holds, at the first try', { timeout: 240_000 }, async () => {
      const { passed, failures } = await runConformance(data!);
      expect(failures).toEqual([]);
      expect(passed).toBe(data!.tests.reduce((sum, { cases }) => sum + cases.length, 0));
    });
  },
);
