import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { metricsReference } from '../../../agent/admin/metrics-reference.ts';

const PAGE = new URL('../../../docs/reference/metrics.md', import.meta.url);

test('the reference of metrics is what the agent registers (npm run reference writes it)', async () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(await metricsReference());
});
