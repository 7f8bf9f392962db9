/** What an operator's writes leave in the audit trail of a real agent, good ones and bad ones. */
import { appendFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AuditEntry } from '../../../agent/audit/entry.ts';
import { call } from '../../../agent/cli/client.ts';
import { encodeResource } from '../../../agent/documents/resource.ts';
import { toSigned } from '../../../agent/documents/signed.ts';
import type { WriteView } from '../../../agent/documents/views.ts';
import { issueOperatorBundle, loadOperatorBundle, type OperatorIdentity } from '../../../certs/operator-bundle.ts';
import type { Held, Revision } from '../../../gossip/documents/revision.ts';
import { signRevision } from '../../../gossip/edge/sign-revision.ts';
import { Realm, TRUST_DOMAIN } from '../../gossip/support/mesh.ts';
import { DocumentNode, until } from '../documents/mesh.ts';

const HOUR_MS = 3_600_000;

let realm: Realm;
let node: DocumentNode;
let admin: OperatorIdentity;
beforeEach(async () => {
  realm = new Realm(TRUST_DOMAIN, Date.now() - 2 * HOUR_MS);
  node = await DocumentNode.start(realm, 'n1');
  admin = loadOperatorBundle(join(realm.directory, 'trust'));
});
afterEach(async () => {
  await node?.[Symbol.asyncDispose]();
  realm?.[Symbol.dispose]();
});

function signed(displayName: string, options: { base?: Held; by?: OperatorIdentity; nowMs?: number } = {}): Held {
  const { base, by = admin, nowMs = Date.now() } = options;
  const resource = { apiVersion: 'weft.dev/v1alpha1', kind: 'MeshConfig', metadata: { name: 'default' } };
  const body = encodeResource({ ...resource, spec: { displayName } });
  const replaced = base && { id: base.id, number: base.revision.number, hlc: base.revision.hlc };
  return signRevision(by, { key: { kind: 'MeshConfig', namespace: '', name: 'default' }, base: replaced, body, nowMs });
}

function write(revision: Revision): Promise<WriteView> {
  const body = { revision: toSigned(revision), isDryRun: false };
  return call({ kind: 'socket', path: node.socket }, { method: 'POST', path: '/v1/documents', body });
}

async function trail(...options: readonly string[]): Promise<AuditEntry[]> {
  return JSON.parse((await node.weft('audit', '-o', 'json', ...options)).out);
}

function operator(name: string, options: { scope?: string; ttlMs?: number; nowMs?: number } = {}): OperatorIdentity {
  const { scope = '*/*', ...times } = options;
  const directory = join(realm.directory, name);
  const trustDirectory = join(realm.directory, 'trust');
  issueOperatorBundle({ trustDirectory, name, scope: [scope], directory, ...times });
  return loadOperatorBundle(directory, times.nowMs);
}

test('a change is in the trail: who, what, when, which revision, on what base, and that it is in use', async () => {
  const first = signed('One');
  const second = signed('Two', { base: first });
  await write(first.revision);
  await until(async () => (await trail('--event', 'applied')).length === 1);
  await write(second.revision);
  await until(async () => (await trail('--event', 'applied')).length === 2);
  const who = { operator: admin.spiffeId, kind: 'MeshConfig', namespace: '', name: 'default' };
  const { ms } = first.revision.hlc;
  expect(await trail()).toMatchObject([
    { ...who, event: 'accepted', via: 'operator', revision: first.id, number: 1, signedAt: new Date(ms).toISOString() },
    { ...who, event: 'applied', revision: first.id },
    { ...who, event: 'accepted', via: 'operator', revision: second.id, number: 2, base: first.id },
    { ...who, event: 'applied', revision: second.id },
  ]);
  expect((await node.weft('audit')).out).toMatch(
    new RegExp(`accepted +admin +MeshConfig default +${second.id.slice(0, 12)} \\(2\\) +${first.id.slice(0, 12)} `),
  );
  expect(await trail('--operator', 'nobody')).toEqual([]);
  expect(await trail('--since', '2999-01-01')).toEqual([]);
});

test.each<[string, () => Revision, string, string]>([
  ['altered', () => ({ ...signed('One').revision, number: 1, body: signed('Two').revision.body }), 'signature', ''],
  ['out of scope', () => signed('One', { by: operator('ops', { scope: 'AccessPolicy/shop' }) }).revision, 'scope', ''],
  [
    'from the future',
    () => signed('One', { nowMs: Date.now() + 120_000 }).revision,
    'future',
    " s ahead of this node's clock",
  ],
  [
    'of an operator whose certificate has expired',
    () => signed('One', { by: expired() }).revision,
    'certificate',
    'expired',
  ],
  [
    'of such an operator, dated back to when it had not',
    () => signed('One', { by: expired(), nowMs: Date.now() - 1.5 * HOUR_MS }).revision,
    'certificate',
    'expired',
  ],
  ['of an operator of another root', () => signed('One', { by: foreign() }).revision, 'certificate', 'no trusted root'],
])('a revision %s is refused, and in the trail with its reason', async (_what, make, reason, detail) => {
  const revision = make();
  expect(await write(revision)).toMatchObject({ outcome: 'refused', reason });
  expect(await trail()).toMatchObject([
    { event: 'refused', reason, operator: revision.author, via: 'operator', detail: expect.stringContaining(detail) },
  ]);
  await write(revision);
  expect(await trail()).toHaveLength(1); // the same again is no news
});

test('an older revision handed in again is refused as a replay, and in the trail', async () => {
  const first = signed('One');
  const second = signed('Two', { base: first });
  await write(first.revision);
  await write(second.revision);
  expect(await write(first.revision)).toMatchObject({ outcome: 'refused', reason: 'replayed' });
  const entries = await trail('--event', 'refused');
  expect(entries).toMatchObject([{ reason: 'replayed', revision: first.id, operator: admin.spiffeId }]);
  expect((await node.weft('history', 'MeshConfig', 'default', '-o', 'json')).out).toContain(second.id);
});

test('a write on a base that is not in force, and one that is no resource, are in the trail', async () => {
  const first = signed('One');
  await write(first.revision);
  await write(signed('Other').revision);
  await write({ ...signed('Two', { base: first }).revision, body: Buffer.from('[]') });
  expect((await trail('--event', 'refused')).map(({ reason }) => reason)).toEqual(['conflict', 'invalid']);
});

test('verify says whether the trail is whole, and exits by it', async () => {
  await write(signed('One').revision);
  await until(async () => (await trail()).length === 2);
  expect(await node.weft('audit', '--verify')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^whole: 2 entries/),
  });
  const directory = join(realm.directory, 'data', 'n1', 'audit');
  const [file] = readdirSync(directory);
  appendFileSync(join(directory, file!), 'x\n');
  const verdict = await node.weft('audit', '--verify');
  expect(verdict.code).toBe(1);
  expect(verdict.out).toContain(`${file}:3: it is no line of an audit trail`);
  writeFileSync(join(directory, file!), '');
  expect((await node.weft('audit', '--verify')).out).toContain('the trail ends with entry 0, the agent wrote entry 2');
});

/** Was an operator until an hour ago. */
function expired(): OperatorIdentity {
  return operator('former', { nowMs: Date.now() - 2 * HOUR_MS, ttlMs: HOUR_MS });
}

function foreign(): OperatorIdentity {
  using other = new Realm();
  return loadOperatorBundle(join(other.directory, 'trust'));
}
