/** Documents over real libp2p on loopback: written on one node, held by all, kept over restarts. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadOperatorBundle, type OperatorIdentity } from '../../../certs/operator-bundle.ts';
import type { Held } from '../../../gossip/documents/revision.ts';
import { keyText } from '../../../gossip/documents/revision.ts';
import { type Base, signRevision } from '../../../gossip/edge/sign-revision.ts';
import { endpoint, Peer, Realm } from '../support/mesh.ts';

const KEY = { kind: 'AccessPolicy', namespace: 'shop', name: 'web' };

function operatorOf(realm: Realm): OperatorIdentity {
  return loadOperatorBundle(join(realm.directory, 'trust'));
}

function revision(realm: Realm, text: string | null, base?: Held, key = KEY): Held {
  const body = text === null ? null : Buffer.from(JSON.stringify({ text }));
  const from: Base | undefined = base && { id: base.id, number: base.revision.number, hlc: base.revision.hlc };
  return signRevision(operatorOf(realm), { key, base: from, body, nowMs: Date.now() });
}

function headOf(peer: Peer, key = KEY): string | undefined {
  return peer.gossip.documents.chain(keyText(key))?.head.id;
}

function started(realm: Realm, name: string, seed?: Peer): Promise<Peer> {
  return Peer.start(realm, name, {
    seeds: seed === undefined ? [] : [seed.gossip.address],
    antiEntropyIntervalMs: 500,
  });
}

test('a document written on one node is in force on all, and so is its next revision', async () => {
  using realm = new Realm();
  await using a = await started(realm, 'a');
  await using b = await started(realm, 'b', a);
  await using c = await started(realm, 'c', a);
  await b.view.until(() => b.view.state('c') === 'alive');

  const first = revision(realm, 'one');
  expect(await a.gossip.documents.write(first.revision)).toEqual({ kind: 'written', id: first.id });
  for (const peer of [b, c]) await peer.view.until(() => headOf(peer) === first.id);

  const second = revision(realm, 'two', first);
  expect(await c.gossip.documents.write(second.revision)).toEqual({ kind: 'written', id: second.id });
  for (const peer of [a, b]) await peer.view.until(() => headOf(peer) === second.id);
  expect(a.gossip.documents.chain(keyText(KEY))!.standings()).toMatchObject([
    { held: { id: second.id }, standing: 'current' },
    { held: { id: first.id }, standing: 'replaced' },
  ]);
});

test('the largest document passes too, and one byte more does not', async () => {
  using realm = new Realm();
  await using a = await started(realm, 'a');
  await using b = await started(realm, 'b', a);
  await b.view.until(() => b.view.state('a') === 'alive');
  const body = randomBytes(128 * 1024).toString('hex');
  const key = { ...KEY, name: 'large' };
  const sign = (text: string): Held =>
    signRevision(operatorOf(realm), { key, base: undefined, body: Buffer.from(text), nowMs: Date.now() });
  expect(await a.gossip.documents.write(sign(`${body}+`).revision)).toMatchObject({
    kind: 'refused',
    reason: 'too-large',
    detail: 'it has 262145 bytes, at most 262144 are carried',
  });
  const large = sign(body);
  await a.gossip.documents.write(large.revision);
  await b.view.until(() => headOf(b, key) === large.id);
  expect(b.gossip.documents.chain(keyText(key))!.head.revision.body).toHaveLength(256 * 1024);
});

test('a writer whose base is not in force is told both revisions', async () => {
  using realm = new Realm();
  await using a = await started(realm, 'a');
  const first = revision(realm, 'one');
  await a.gossip.documents.write(first.revision);
  const second = revision(realm, 'two', first);
  await a.gossip.documents.write(second.revision);
  const late = revision(realm, 'late', first);
  const outcome = await a.gossip.documents.write(late.revision);
  expect(outcome).toMatchObject({ kind: 'conflict', current: second.id });
  expect(outcome.kind === 'conflict' && outcome.detail).toMatch(
    new RegExp(
      `^AccessPolicy shop/web: this is a revision that replaces ${first.id.slice(0, 12)}, ` +
        `but ${second.id.slice(0, 12)} \\(revision 2 by admin at 20.*\\) is in force$`,
    ),
  );
  expect(a.gossip.stats().documents.conflicts).toBe(1);
  expect(await a.gossip.documents.write(second.revision)).toEqual({ kind: 'known', id: second.id });
});

test('documents survive a restart alone, and reach whoever joins later', async () => {
  using realm = new Realm();
  const held = revision(realm, 'kept');
  {
    await using a = await started(realm, 'a');
    await a.gossip.documents.write(held.revision);
  }
  await using again = await started(realm, 'a');
  expect(headOf(again)).toBe(held.id);
  expect(again.view.heads).toEqual([held.id]);
  await using late = await started(realm, 'b', again);
  await late.view.until(() => headOf(late) === held.id);
});

test('a report of one node reaches the others beside its endpoints, and goes with it', async () => {
  using realm = new Realm();
  await using a = await started(realm, 'a');
  const b = await started(realm, 'b', a);
  await a.view.until(() => a.view.state('b') === 'alive');
  b.gossip.report(Buffer.from('first'));
  await a.view.until(() => a.view.reports.get('b') === 'first');
  b.gossip.publish([endpoint('b')]);
  await a.view.untilEndpoints('b/web/http');
  b.gossip.report(Buffer.from('second'));
  await a.view.until(() => a.view.reports.get('b') === 'second');
  expect(a.view.ids).toEqual(['b/web/http']);
  await b.gossip.close();
});

test('a snapshot restored on one node of an empty mesh fills all of it', async () => {
  using realm = new Realm();
  const all = Array.from({ length: 200 }, (_, i) => revision(realm, `${i}`, undefined, { ...KEY, name: `p${i}` }));
  await using a = await started(realm, 'a');
  await using b = await started(realm, 'b', a);
  await b.view.until(() => b.view.state('a') === 'alive');
  const outcome = await a.gossip.documents.restore(all.map((held) => held.revision));
  expect(outcome).toEqual({ taken: 200, refused: [] });
  await b.view.until(() => [...b.gossip.documents.chains()].length === 200);
  expect(await a.gossip.documents.restore(all.map((held) => held.revision))).toEqual({ taken: 0, refused: [] });
});
