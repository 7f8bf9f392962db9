/** Backstage's entities as documents: what its own schema takes is taken, byte for byte, and what it refuses is refused. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readResources } from '../../../agent/cli/document-files.ts';
import { decodeResource, encodeResource, keyOf, type Resource } from '../../../agent/documents/resource.ts';
import { compiled, problemOf } from '../traffic/conformance.ts';

const API = 'backstage.io/v1alpha1';
const entity = (kind: string, spec: object, metadata: object = {}): Resource => ({
  apiVersion: API,
  kind,
  metadata: { name: 'ledger', ...metadata },
  spec,
});
const component = { type: 'service', lifecycle: 'production', owner: 'group:pay/team-ledger' };

function read(text: string): readonly Resource[] {
  const file = join(mkdtempSync(join(tmpdir(), 'weft-entities-')), 'catalog-info.yaml');
  writeFileSync(file, text);
  return readResources(file).map(({ resource }) => resource);
}

test.each([
  ['Component', component],
  ['API', { type: 'openapi', lifecycle: 'production', owner: 'team', definition: { $text: './openapi.yaml' } }],
  ['Resource', { type: 'database', owner: 'user:jane', dependsOn: ['resource:default/disk'] }],
  ['System', { owner: 'team', domain: 'money' }],
  ['Domain', { owner: 'team' }],
  ['Group', { type: 'team', children: [], profile: { displayName: 'Team', email: 'team@example.com' } }],
  ['User', { memberOf: ['team'] }],
  ['Location', { type: 'url', targets: ['./a.yaml', './b.yaml'], presence: 'optional' }],
])('%s is taken as it is', (kind, spec) => {
  const written = entity(kind, spec, { 'x-unknown': [1, { b: null, a: 'ü' }], title: 'Any Title' });
  const body = encodeResource(written);
  expect(compiled(written)).toEqual(written);
  expect(decodeResource(body)).toEqual(written);
});

test.each([
  ['spec.owner', entity('Component', { type: 'service', lifecycle: 'production' })],
  ['spec.definition', entity('API', { type: 'openapi', lifecycle: 'production', owner: 'team' })],
  ['spec.owner', entity('Component', { ...component, owner: 'a:b:c' })],
  ['spec.dependsOn.0', entity('Component', { ...component, dependsOn: ['two words'] })],
  ['metadata.links.0.url', entity('Component', component, { links: [{ title: 'no url' }] })],
  ['metadata.name', entity('Component', component, { name: '-ledger' })],
])('%s is named when it is no good', (field, written) => expect(problemOf(written)).toContain(field));

test('a file of several is read whole, with names in either case and no namespace', () => {
  const [api, group] = read(`apiVersion: ${API}
kind: API
metadata:
  name: Ledger_API.v1
spec: {type: grpc, lifecycle: production, owner: team, definition: 'syntax = "proto3";'}
---
apiVersion: ${API}
kind: Group
metadata: {name: team, namespace: pay}
spec: {type: team, children: []}
`);
  expect(keyOf(api!)).toEqual({ kind: 'API', namespace: 'default', name: 'ledger_api.v1' });
  expect(api!.metadata.name).toBe('Ledger_API.v1');
  expect(keyOf(group!)).toEqual({ kind: 'Group', namespace: 'pay', name: 'team' });
});

test('a name of another kind stays a DNS name', () => {
  const text =
    'apiVersion: weft.dev/v1alpha1\nkind: RateLimit\nmetadata: {name: Big_Name, namespace: shop}\nspec: {}\n';
  expect(() => read(text)).toThrow(/metadata\.name: "Big_Name" is no name; use lower-case letters/);
});
