import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { KINDS } from '../../../agent/documents/kinds.ts';
import { kindsReference } from '../../../agent/documents/reference.ts';

const PAGE = new URL('../../../docs/reference/kinds.md', import.meta.url);

test('the reference of kinds is what the schemas say (npm run reference writes it)', () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(kindsReference(KINDS.values()));
});

test('every field of the kinds is explained, but for those that explain themselves', () => {
  const bare = kindsReference(KINDS.values())
    .split('\n')
    .filter((line) => /\|\s+\|$/.test(line))
    .map((line) => /`([^`]+)`/.exec(line)?.[1]);
  expect(bare).toEqual(['spec.mtls.permissive[].namespace', 'spec.mtls.permissive[].service']);
});
