/** AccessPolicies from the command line of one agent to the data planes of all. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeResource } from '../../../agent/documents/resource.ts';
import { toSigned } from '../../../agent/documents/signed.ts';
import { issueOperatorBundle, loadOperatorBundle } from '../../../certs/operator-bundle.ts';
import type { Held } from '../../../gossip/documents/revision.ts';
import { signRevision } from '../../../gossip/edge/sign-revision.ts';
import { Realm } from '../../gossip/support/mesh.ts';
import { DocumentNode, until } from '../documents/mesh.ts';

let realm: Realm;
let nodes: DocumentNode[];
beforeEach(async () => {
  realm = new Realm();
  const first = await DocumentNode.start(realm, 'n1');
  nodes = [first, await DocumentNode.start(realm, 'n2', [first.mesh.address])];
  await until(() => nodes.every(({ mesh }) => mesh.members().filter(({ state }) => state === 'alive').length === 2));
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
  realm[Symbol.dispose]();
});

const policy = (name: string, service = 'cart'): string => `apiVersion: weft.dev/v1alpha1
kind: AccessPolicy
metadata: { name: ${name}, namespace: shop }
spec:
  action: DENY
  target: { services: [${service}] }
  rules:
    - name: no-web
      from: [{ identities: [ns/shop/sa/web] }]
---
`;

function weft(node: DocumentNode, ...argv: readonly string[]): ReturnType<DocumentNode['weft']> {
  return node.weft(...argv, '--operator', join(realm.directory, 'trust'));
}

function apply(node: DocumentNode, text: string): ReturnType<DocumentNode['weft']> {
  const file = join(realm.directory, 'policy.yaml');
  writeFileSync(file, text);
  return weft(node, 'apply', '-f', file);
}

const inUse = (node: DocumentNode) =>
  node.access
    .at(-1)
    ?.policies.map(({ id }) => id)
    .sort();

function untilInUse(...ids: readonly string[]): Promise<void> {
  return until(() => nodes.every((node) => inUse(node)?.join() === ids.join()));
}

test('a policy is in use on all, with its revision; deleted, on none; undone, on all again', async () => {
  const [n1, n2] = nodes as [DocumentNode, DocumentNode];
  const { out, err } = await apply(n1, policy('one') + policy('two'));
  expect(err).toBe('');
  await untilInUse('shop/one', 'shop/two');
  const revision = /two created, revision ([0-9a-f]{12})/.exec(out)![1]!;
  const { policies, defaultAction } = n2.access.at(-1)!;
  expect(policies.find(({ id }) => id === 'shop/two')?.revision.slice(0, 12)).toBe(revision);
  expect(defaultAction).toBe('ALLOW');
  await weft(n2, 'delete', 'accesspolicy', 'two', '-n', 'shop');
  await untilInUse('shop/one');
  await weft(n1, 'undo', 'accesspolicy', 'two', '-n', 'shop');
  await untilInUse('shop/one', 'shop/two');
});

test('undo of what was there from the first takes it out of use', async () => {
  const [n1] = nodes as [DocumentNode];
  await apply(n1, policy('one'));
  await untilInUse('shop/one');
  expect(await weft(n1, 'undo', 'AccessPolicy', 'one', '-n', 'shop')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^AccessPolicy shop\/one deleted: there was none before, revision /),
  });
  await untilInUse();
});

test('what was in use is in use from the first moment of the next start, alone in the dark', async () => {
  const [n1, n2] = nodes as [DocumentNode, DocumentNode];
  await apply(n1, policy('one'));
  await untilInUse('shop/one');
  await Promise.all([n1[Symbol.asyncDispose](), n2[Symbol.asyncDispose]()]);
  nodes = [await DocumentNode.start(realm, 'n2')];
  expect(nodes[0]!.access.map(({ policies }) => policies.map(({ id }) => id))[0]).toEqual(['shop/one']);
});

test('an operator of one namespace writes no policy of another by what the body says', async () => {
  const [n1, n2] = nodes as [DocumentNode, DocumentNode];
  const directory = join(realm.directory, 'shop-operator');
  const trustDirectory = join(realm.directory, 'trust');
  issueOperatorBundle({ trustDirectory, name: 'shop', scope: ['AccessPolicy/shop'], directory });
  const body = (namespace: string): Uint8Array =>
    encodeResource({
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'AccessPolicy',
      metadata: { name: 'x', namespace },
      spec: { action: 'DENY', rules: [{ name: 'all' }] },
    });
  const key = { kind: 'AccessPolicy', namespace: 'shop', name: 'x' };
  const sign = (namespace: string, base?: Held): Held => {
    const replaced = base && { id: base.id, number: base.revision.number, hlc: base.revision.hlc };
    const written = { key, base: replaced, body: body(namespace), nowMs: Date.now() };
    return signRevision(loadOperatorBundle(directory), written);
  };
  const wide = sign('weft-system');
  expect(await n1.service.write(toSigned(wide.revision), false)).toMatchObject({
    outcome: 'refused',
    detail: 'it is signed as AccessPolicy shop/x and says that it is AccessPolicy weft-system/x',
  });
  // An agent that was stolen would hand it on all the same.
  await n1.mesh.documents('write', { revision: wide.revision, isDryRun: false });
  await until(async () => (await n2.weft('status', wide.id, '-o', 'json')).out.includes('"rejected": 1'));
  await n1.service.write(toSigned(sign('shop', wide).revision), false);
  await untilInUse('shop/x');
});

test('the mesh sets the default; a service nobody knows is a hint, not a mistake', async () => {
  const [n1, n2] = nodes as [DocumentNode, DocumentNode];
  const config =
    'apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {access: {default: deny}}\n---\n';
  const { code, err } = await apply(n1, config + policy('one', 'crat'));
  expect([code, err]).toEqual([0, 'AccessPolicy shop/one: no service shop/crat is known now; did you mean cart?\n']);
  await until(() => n2.access.at(-1)?.defaultAction === 'DENY');
});
