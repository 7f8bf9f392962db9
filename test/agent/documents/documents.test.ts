/** Publishing policy from the command line to a mesh of three: what an operator types, and what comes of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toSigned } from '../../../agent/documents/signed.ts';
import type { RevisionStatusView } from '../../../agent/documents/views.ts';
import { issueOperatorBundle, loadOperatorBundle } from '../../../certs/operator-bundle.ts';
import { signRevision } from '../../../gossip/edge/sign-revision.ts';
import { Realm } from '../../gossip/support/mesh.ts';
import { DocumentNode, until } from './mesh.ts';

const MESH_CONFIG = (displayName: string): string => `apiVersion: weft.dev/v1alpha1
kind: MeshConfig
metadata: {name: default}
spec:
  displayName: ${displayName}
`;

describe('a mesh of three', () => {
  let realm: Realm;
  let nodes: DocumentNode[];
  let operator: string;

  const write = (name: string, text: string): string => {
    const file = join(realm.directory, name);
    writeFileSync(file, text);
    return file;
  };
  const revisionOf = (out: string): string => /revision ([0-9a-f]{12})\n$/.exec(out)![1]!;
  const statusOf = async (node: DocumentNode, revision: string): Promise<RevisionStatusView> =>
    JSON.parse((await node.weft('status', revision, '-o', 'json')).out);
  const untilApplied = (node: DocumentNode, revision: string): Promise<void> =>
    until(async () => {
      const { out } = await node.weft('status', revision, '-o', 'json');
      return out !== '' && (JSON.parse(out) as RevisionStatusView).applied === nodes.length;
    });

  beforeEach(async () => {
    realm = new Realm();
    operator = join(realm.directory, 'trust');
    const first = await DocumentNode.start(realm, 'n1');
    const others = await Promise.all(['n2', 'n3'].map((name) => DocumentNode.start(realm, name, [first.mesh.address])));
    nodes = [first, ...others];
    await until(() => nodes.every(({ mesh }) => mesh.members().filter(({ state }) => state === 'alive').length === 3));
  });
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
    realm[Symbol.dispose]();
  });

  test('apply on one is in use on all, and every other command speaks of it', async () => {
    const [n1, n2, n3] = nodes as [DocumentNode, DocumentNode, DocumentNode];
    const file = write('mesh.yaml', MESH_CONFIG('Production'));
    const sign = ['--operator', operator];
    expect(await n1.weft('apply', '-f', file, '--dry-run')).toEqual({
      code: 0,
      out: 'MeshConfig default would be created\n',
      err: '',
    });
    const applied = await n1.weft('apply', '-f', file, ...sign);
    expect(applied).toMatchObject({ code: 0, err: '' });
    expect(applied.out).toMatch(/^MeshConfig default created, revision [0-9a-f]{12}\n$/);
    const first = revisionOf(applied.out);
    await untilApplied(n3, first);
    expect((await n2.weft('status')).out).toContain('mesh          Production\n');
    expect((await n3.weft('status', first)).out).toMatch(
      new RegExp(`^MeshConfig default revision ${first} \\(1\\) by admin, \\d+s ago\napplied on 3 of 3\n$`),
    );

    expect((await n2.weft('apply', '-f', file, ...sign)).out).toBe(`MeshConfig default unchanged, revision ${first}\n`);
    write('mesh.yaml', MESH_CONFIG('Test'));
    expect((await n2.weft('diff', '-f', file)).out).toBe(`MeshConfig default revision ${first}
  ...
  metadata:
    name: default
  spec:
-   displayName: Production
+   displayName: Test
`);
    const second = revisionOf((await n2.weft('apply', '-f', file, ...sign)).out);
    await untilApplied(n1, second);
    expect((await n1.weft('status')).out).toContain('mesh          Test\n');
    expect((await n1.weft('status', first)).out).toContain(`replaced by ${second}, which is in force`);

    const undone = await n3.weft('undo', 'MeshConfig', 'default', ...sign);
    expect(undone.out).toContain(`MeshConfig default again as in revision ${first}, revision `);
    await untilApplied(n1, revisionOf(undone.out));
    expect((await n1.weft('status')).out).toContain('mesh          Production\n');

    const deleted = await n1.weft('delete', 'MeshConfig', 'default', ...sign);
    await untilApplied(n2, revisionOf(deleted.out));
    expect((await n2.weft('status')).out).not.toContain('mesh ');
    expect(await n2.weft('get', 'MeshConfig', 'default')).toMatchObject({
      code: 1,
      err: expect.stringContaining(`MeshConfig default (deleted by revision ${revisionOf(deleted.out)}): there is no`),
    });
    const history = (await n3.weft('history', 'MeshConfig', 'default')).out.split('\n');
    expect(history.map((line) => line.split(/ {2,}/).at(-1))).toEqual([
      'STANDING',
      'current, a deletion',
      'replaced',
      'replaced',
      'replaced',
      '',
    ]);
  });

  test('a kind that no agent knows is kept, passed on, and said to be pending', async () => {
    const [n1, n2] = nodes as [DocumentNode, DocumentNode];
    const file = write(
      'new.yaml',
      'apiVersion: x.example/v9\nkind: Wormhole\nmetadata: {name: w, namespace: shop}\nspec: {unknown: [1, {a: null}]}\n',
    );
    const applied = await n1.weft('apply', '-f', file, '--operator', operator);
    expect(applied.err).toContain('knows no kind Wormhole: it is stored and passed on');
    const revision = revisionOf(applied.out);
    await until(async () => (await n2.weft('get', 'Wormhole', 'w', '-n', 'shop')).code === 0);
    await until(async () => (await statusOf(n2, revision)).nodes.every(({ why }) => why.startsWith('no consumer')));
    expect((await n2.weft('status', revision)).out).toMatch(
      /applied on 0 of 3, pending on 3\n(?:.*\n)*n3 +pending +- +no consumer for kind Wormhole in version \d/,
    );
    const yaml = (await n2.weft('get', 'Wormhole', 'w', '-n', 'shop', '-o', 'yaml')).out;
    expect(yaml).toContain(`revision: ${revision}`);

    // A file made by get names what it was made from, and is refused once something else is in force.
    const edited = write('edited.yaml', yaml.replace('x.example/v9', 'x.example/v10'));
    expect((await n1.weft('apply', '-f', edited, '--operator', operator)).code).toBe(0);
    const late = write('late.yaml', yaml.replace('x.example/v9', 'x.example/v11'));
    const conflict = await n1.weft('apply', '-f', late, '--operator', operator);
    expect(conflict.code).toBe(1);
    expect(conflict.err).toMatch(
      new RegExp(`late.yaml:1: Wormhole shop/w: this is a revision that replaces ${revision}, but [0-9a-f]{12} \\(rev`),
    );
  });

  test('what an operator may not write is refused, and what is wrong in a file is named by line', async () => {
    const [n1] = nodes as [DocumentNode];
    const bob = join(realm.directory, 'bob');
    issueOperatorBundle({ trustDirectory: operator, name: 'bob', scope: ['*/shop'], directory: bob });
    const file = write('mesh.yaml', MESH_CONFIG('Mine'));
    expect(await n1.weft('apply', '-f', file, '--operator', bob)).toEqual({
      code: 4,
      out: '',
      err: `weft: ${file}:1: operator bob may write */shop, not MeshConfig default: the agent refused the document; the reason is named above\n`,
    });
    const wrong = write('wrong.yaml', `${MESH_CONFIG('A')}  colour: red\n---\nkind: Other\nmetadata: {name: UPPER}\n`);
    const refused = await n1.weft('apply', '-f', wrong, '--operator', operator);
    expect(refused.code).toBe(4);
    expect(refused.err).toContain(`${wrong}:6:3: spec.colour: unknown field; known here: displayName, contact`);
    expect(refused.err).toContain(`${wrong}:8:1: apiVersion: missing`);
    expect(refused.err).toContain(`${wrong}:9:12: metadata.name: `);
    expect((await n1.weft('apply', '-f', file)).err).toContain('name the directory of one with --operator');
    expect((await n1.weft('get', 'MeshConfig', '-o', 'json')).out).toBe('[]\n');
  });

  test('a revision that its first taker rejects is held back everywhere, and the last good one stays in use', async () => {
    const [n1, n2, n3] = nodes as [DocumentNode, DocumentNode, DocumentNode];
    const good = write('mesh.yaml', MESH_CONFIG('Good'));
    await untilApplied(n2, revisionOf((await n1.weft('apply', '-f', good, '--operator', operator)).out));

    const [current] = await n1.service.list({ kind: 'MeshConfig', name: 'default' });
    const resource = { ...(current!.resource as object), spec: { displayName: 'Bad', fromTheFuture: true } };
    const bad = signRevision(loadOperatorBundle(operator), {
      key: { kind: 'MeshConfig', namespace: '', name: 'default' },
      base: { id: current!.revision, number: current!.number, hlc: current!.hlc },
      body: Buffer.from(JSON.stringify(resource)),
      nowMs: Date.now(),
    });
    // Through the agent it would be refused outright; a snapshot of a newer mesh brings it past that.
    expect(await n1.service.write(toSigned(bad.revision), false)).toMatchObject({
      outcome: 'refused',
      reason: 'invalid',
    });
    expect(await n1.service.restore([toSigned(bad.revision)])).toEqual({ taken: 1, refused: [] });

    const isSettled = async (node: DocumentNode): Promise<boolean> => {
      const [status] = await node.service.status(bad.id);
      return status !== undefined && status.rejected === 1 && status.pending === 2 && status.heldBack !== null;
    };
    for (const node of nodes) {
      await until(() => isSettled(node));
      await until(async () => (await statusOf(node, bad.id)).nodes.every(({ why }) => /Unrecognized key/.test(why)));
    }
    const { nodes: said } = await statusOf(n3, bad.id);
    const taker = said.find(({ isFirst }) => isFirst)!;
    expect(taker).toMatchObject({ state: 'rejected' });
    for (const { node, why } of said.filter((one) => one !== taker)) {
      expect(`${node} ${why}`).toContain(`held back, rejected by ${taker.node}: spec: Unrecognized key`);
    }
    const shown = await n2.weft('status', bad.id);
    expect(shown.code).toBe(1);
    expect(shown.out).toContain(`applied on 0 of 3, pending on 2, rejected by ${taker.node}: `);
    expect(shown.out).toContain(`held back everywhere because of ${taker.node}`);
    for (const node of nodes) expect((await node.weft('status')).out).toContain('mesh          Good\n');
  });

  test('a snapshot of one mesh brings another of the same trust domain back, and nothing older replaces what is there', async () => {
    const [n1] = nodes as [DocumentNode];
    const file = write('mesh.yaml', MESH_CONFIG('First'));
    await n1.weft('apply', '-f', file, '--operator', operator);
    write('mesh.yaml', MESH_CONFIG('Second'));
    const second = revisionOf((await n1.weft('apply', '-f', file, '--operator', operator)).out);
    const snapshot = join(realm.directory, 'snapshot.json');
    expect((await n1.weft('snapshot', snapshot)).out).toBe(`2 revisions written to ${snapshot}\n`);
    write('mesh.yaml', MESH_CONFIG('Third'));
    const third = revisionOf((await n1.weft('apply', '-f', file, '--operator', operator)).out);
    expect((await n1.weft('restore', snapshot)).out).toContain('0 of 2 revisions brought back, 2 already there');
    expect((await n1.service.list({ kind: 'MeshConfig' }))[0]!.revision.startsWith(third)).toBe(true);

    await using fresh = await DocumentNode.start(realm, 'fresh');
    expect((await fresh.weft('restore', snapshot)).out).toContain('2 of 2 revisions brought back');
    await until(async () => (await fresh.weft('status')).out.includes('mesh          Second\n'));
    expect((await fresh.weft('status', second)).out).toContain('applied on 1 of 1\n');

    writeFileSync(snapshot, readFileSync(snapshot, 'utf8').replace('Second', 'Forged'));
    expect(await fresh.weft('restore', snapshot)).toMatchObject({
      code: 4,
      err: expect.stringContaining('its checksum does not match'),
    });
  });
});
