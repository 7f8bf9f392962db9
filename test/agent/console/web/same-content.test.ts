import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { differingField } from '../../../../agent/console/web/editor/same-content.ts';
import { encodeResource } from '../../../../agent/documents/resource.ts';

const SAMPLE = readFileSync('deploy/sample/canary.yaml', 'utf8');
const canonical = (yaml: string) => Buffer.from(encodeResource(parse(yaml))).toString('base64url');

test('the canonical form of a document says the same as its YAML', () => {
  expect(differingField(SAMPLE, canonical(SAMPLE))).toBeUndefined();
});

test('the revision it was made from and a printed status do not count', () => {
  const printed = `${SAMPLE.replace('namespace: shop', 'namespace: shop, revision: abcdef01')}status: { parents: [] }\n`;
  expect(differingField(printed, canonical(printed))).toBeUndefined();
});

test.each([
  ['weight: 10', 'weight: 99', 'spec.rules[0].backendRefs[1].weight'],
  ['namespace: shop', 'namespace: pay', 'metadata.namespace'],
  ['name: canary', 'name: canary\n      extra: 1', 'spec.rules[0].extra'],
])('content that has %s instead is named by its field', (from, to, field) => {
  expect(differingField(SAMPLE, canonical(SAMPLE.replace(from, to)))).toBe(field);
});
