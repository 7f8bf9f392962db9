/** `weft revoke` on a mesh of three: what an operator types, what is in use everywhere after it, and what is refused. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { revocationKind } from '../../../agent/documents/revocation.ts';
import { issueOperatorBundle } from '../../../certs/operator-bundle.ts';
import { Realm, TRUST_DOMAIN } from '../../gossip/support/mesh.ts';
import { DocumentNode, until } from './mesh.ts';

describe('a mesh of three', () => {
  let realm: Realm;
  let nodes: [DocumentNode, DocumentNode, DocumentNode];
  let admin: string;
  let bob: string;

  beforeEach(async () => {
    realm = new Realm();
    admin = join(realm.directory, 'trust');
    bob = join(realm.directory, 'bob');
    issueOperatorBundle({ trustDirectory: admin, name: 'bob', scope: ['MeshConfig/-', '*/shop'], directory: bob });
    const first = await DocumentNode.start(realm, 'n1');
    const others = await Promise.all(['n2', 'n3'].map((name) => DocumentNode.start(realm, name, [first.mesh.address])));
    nodes = [first, ...others] as typeof nodes;
    await until(() => nodes.every(({ mesh }) => mesh.members().filter(({ state }) => state === 'alive').length === 3));
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
    realm[Symbol.dispose]();
  });

  async function apply(by: string, displayName: string): Promise<string> {
    const file = join(realm.directory, 'mesh.yaml');
    writeFileSync(
      file,
      `apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {displayName: ${displayName}}\n`,
    );
    const { out, err } = await nodes[0].weft('apply', '-f', file, '--operator', by);
    expect(err).toBe('');
    return /revision ([0-9a-f]{12})\n$/.exec(out)![1]!;
  }

  const shown = async (node: DocumentNode): Promise<string> =>
    /^mesh +(.*)$/m.exec((await node.weft('status')).out)?.[1] ?? '';
  const untilShown = async (displayName: string): Promise<void> => {
    for (const node of nodes) await until(async () => (await shown(node)) === displayName);
  };

  test('a revocation is in use on all when the command ends', async () => {
    const subject = 'workload/ns/shop/sa/web';
    const done = await nodes[1].weft('revoke', subject, '--reason', 'its host was broken into', '--operator', admin);
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toMatch(/^workload\/ns\/shop\/sa\/web revoked, revision [0-9a-f]{12}\napplied on 3 of 3\n$/);
    for (const { documents } of nodes) {
      expect(documents.revocations.beforeMs(`spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`)).toBeGreaterThan(0);
    }
    const { out } = await nodes[2].weft('get', 'revocation', '-o', 'yaml');
    expect(out).toContain('reason: its host was broken into');
  });

  test('what a revoked operator wrote goes on in the name of another, and it can write nothing more', async () => {
    await apply(bob, 'Bobs');
    await untilShown('Bobs');
    const dry = await nodes[0].weft('revoke', 'operator/bob', '--operator', admin, '--dry-run');
    expect(dry.out).toMatch(
      /^MeshConfig default, of .*Z: would be signed anew by admin\noperator\/bob would be revoked\n$/,
    );
    const done = await nodes[0].weft('revoke', 'operator/bob', '--operator', admin);
    expect(done.out).toMatch(/: signed anew by admin\noperator\/bob revoked, revision \w+\napplied on 3 of 3\n$/);
    await untilShown('Bobs');
    const history = await nodes[2].weft('history', 'MeshConfig', 'default');
    expect(history.out).toContain('admin');
    expect(history.out).not.toContain('bob');

    const file = join(realm.directory, 'mesh.yaml');
    writeFileSync(file, 'apiVersion: v1\nkind: Anything\nmetadata: {name: x, namespace: shop}\n');
    expect(await nodes[2].weft('apply', '-f', file, '--operator', bob)).toMatchObject({
      code: 4,
      err: expect.stringContaining('/operator/bob was revoked; nothing that it signed counts any more'),
    });
  });

  test('what it wrote since it was stolen leaves force on all, and what stood before is back', async () => {
    await apply(admin, 'Ours');
    await untilShown('Ours');
    const stolenAt = new Date().toISOString();
    await apply(bob, 'Theirs');
    await untilShown('Theirs');
    const file = join(realm.directory, 'evil.yaml');
    writeFileSync(file, 'apiVersion: v1\nkind: Evil\nmetadata: {name: e, namespace: shop}\n');
    await nodes[0].weft('apply', '-f', file, '--operator', bob);
    for (const node of nodes) await until(async () => (await node.weft('get', 'Evil', 'e', '-n', 'shop')).code === 0);

    const done = await nodes[0].weft('revoke', 'operator/bob', '--operator', admin, '--distrust-since', stolenAt);
    expect(done.out.match(/not signed anew/g)).toHaveLength(2);
    await untilShown('Ours');
    for (const node of nodes) await until(async () => (await node.weft('get', 'Evil', 'e', '-n', 'shop')).code === 1);
  });

  test('what cannot be revoked is named, and who may not revoke is told so', async () => {
    const revoke = (subject: string, by: string) => nodes[0].weft('revoke', subject, '--operator', by);
    expect(await revoke('ns/shop/sa/web', admin)).toMatchObject({
      code: 4,
      err: expect.stringContaining(
        'ns/shop/sa/web: not one of node/NAME, workload/ns/NAMESPACE/sa/ACCOUNT or operator',
      ),
    });
    expect((await revoke('operator/admin', admin)).err).toContain('operator/admin cannot revoke itself');
    expect((await revoke('node/n3', bob)).err).toContain('revoking takes Revocation/weft-system');
  });
});

test('a revocation is checked by field before it is written', () => {
  const good = {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Revocation',
    metadata: { name: 'node.n3', namespace: 'weft-system' },
    spec: { subject: 'node/n3', before: '2026-03-01T12:00:00Z' } as Record<string, unknown>,
  };
  expect(revocationKind.compile(good)).toMatchObject({ ok: true });
  const spec = (changes: object) => ({ ...good, spec: { ...good.spec, ...changes } });
  for (const [bad, problem] of [
    [spec({ subject: 'n3' }), 'spec.subject: write node/NAME'],
    [spec({ subject: 'node/n4' }), 'metadata.name: the name for node/n4 is node.n4'],
    [spec({ before: 'yesterday' }), 'spec.before'],
    [spec({ expires: '2026-03-01T11:00:00Z' }), 'spec.expires: must be later'],
    [spec({ reason: 'a\nb' }), 'spec.reason: use one line'],
    [{ ...good, metadata: { name: 'node.n3', namespace: 'shop' } }, 'metadata.namespace'],
  ] as const) {
    expect(revocationKind.compile(bad)).toMatchObject({ ok: false, problem: expect.stringContaining(problem) });
  }
});
