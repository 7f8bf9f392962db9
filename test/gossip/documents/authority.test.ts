/** Real certificates and signatures: what the rules of the core rest on. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { issueOperatorBundle, loadOperatorBundle } from '../../../certs/operator-bundle.ts';
import { Library } from '../../../gossip/documents/library.ts';
import type { DocumentKey, Revision } from '../../../gossip/documents/revision.ts';
import { OperatorAuthority } from '../../../gossip/edge/operator-authority.ts';
import { signRevision } from '../../../gossip/edge/sign-revision.ts';
import { emptyCoreStats } from '../../../gossip/stats.ts';
import { Realm, TRUST_DOMAIN } from '../support/mesh.ts';

const KEY: DocumentKey = { kind: 'Revocation', namespace: '', name: 'node-n7' };

function world() {
  const realm = new Realm();
  const trust = join(realm.directory, 'trust');
  const narrow = join(realm.directory, 'narrow');
  issueOperatorBundle({ trustDirectory: trust, name: 'narrow', scope: ['Revocation/-'], directory: narrow });
  const authority = new OperatorAuthority(realm.identity('n1').trust);
  const stats = emptyCoreStats().documents;
  const library = new Library({
    trustDomain: TRUST_DOMAIN,
    authority,
    maxDocuments: 10,
    tombstoneMs: 86_400_000,
    stats,
  });
  return { realm, library, stats, admin: loadOperatorBundle(trust), narrow: loadOperatorBundle(narrow) };
}

type World = ReturnType<typeof world>;

function signed({ admin }: World, changes: { key?: DocumentKey; by?: World['admin']; nowMs?: number } = {}): Revision {
  const { key = KEY, by = admin, nowMs = Date.now() } = changes;
  return signRevision(by, { key, base: undefined, body: Buffer.from('{}'), nowMs }).revision;
}

test('an operator of our root writes what its scope says, a revocation for one, and nothing else', () => {
  const here = world();
  using _realm = here.realm;
  expect(here.library.offer(signed(here, { by: here.narrow })).kind).toBe('news');
  const outside = signed(here, { by: here.narrow, key: { ...KEY, kind: 'MeshConfig', name: 'default' } });
  expect(here.library.offer(outside)).toMatchObject({
    kind: 'refused',
    reason: 'scope',
    detail: `spiffe://${TRUST_DOMAIN}/operator/narrow may not write MeshConfig default`,
  });
});

test('an operator of another root of the same name is nobody', () => {
  const [here, there] = [world(), world()];
  using _realm = here.realm;
  using _other = there.realm;
  expect(here.library.offer(signed(there))).toMatchObject({
    reason: 'certificate',
    detail: 'no trusted root signed the operator certificate',
  });
});

test('what was altered, or signed by the key of another, is refused by its signature', () => {
  const here = world();
  using _realm = here.realm;
  const good = signed(here);
  const flipped = Uint8Array.from(good.signature);
  flipped[5] = flipped[5]! ^ 1;
  const bad: Revision[] = [
    { ...good, body: Buffer.from('{ }') },
    { ...good, signature: flipped },
    { ...good, signature: new Uint8Array() },
    { ...good, signature: new Uint8Array(128) },
    { ...good, certificate: new Uint8Array(here.narrow.certificate.raw), author: here.narrow.spiffeId },
  ];
  for (const revision of bad) expect(here.library.offer(revision)).toMatchObject({ reason: 'signature' });
  expect(here.library.offer({ ...good, certificate: new Uint8Array([1, 2]) })).toMatchObject({ reason: 'certificate' });
  expect(here.stats.refused).toMatchObject({ signature: 5, certificate: 1 });
  expect(here.library.offer(good).kind).toBe('news');
});

test('a document written before its operator existed, or after its certificate expired, is refused', () => {
  const here = world();
  using _realm = here.realm;
  const early = signed(here, { nowMs: Date.now() - 3_600_000 });
  expect(here.library.offer(early)).toMatchObject({
    reason: 'certificate',
    detail: expect.stringContaining('valid from'),
  });
});
