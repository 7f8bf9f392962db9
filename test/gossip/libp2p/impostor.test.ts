/** Certificates that are genuine and not those of a node: they open no link. */
import { createPrivateKey } from 'node:crypto';
import { expect, test } from 'vitest';
import type { NodeIdentity } from '../../../certs/node-bundle.ts';
import { chainOf, mint } from '../../certs/trust.ts';
import { Peer, Realm } from '../support/mesh.ts';

/** A node that shows this chain and holds the key of its first certificate. */
function showing(node: NodeIdentity, pem: { readonly certificateChainPem: string; readonly privateKeyPem: string }) {
  const chain = chainOf({ ...pem, spiffeId: '', notBeforeMs: 0, expiresAtMs: 0 });
  return { ...node, chain, privateKey: createPrivateKey(pem.privateKeyPem) };
}

test('an SVID is no node certificate: whoever shows one is refused, with the reason', async () => {
  using realm = new Realm();
  await using a = await Peer.start(realm, 'a');
  const stolen = realm.identity('b');
  const identity = showing(stolen, mint(stolen));
  await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] }, { identity });
  await expect.poll(() => a.gossip.stats().refused['wrong-role'] ?? 0).toBeGreaterThan(0);
  expect([a.view.state('b'), b.view.state('a'), a.gossip.stats().links]).toEqual([undefined, undefined, 0]);
});

test('a node certificate without its key opens no link: what a link proves is bound to it', async () => {
  using realm = new Realm();
  await using a = await Peer.start(realm, 'a');
  const stolen = realm.identity('b');
  const identity = { ...realm.identity('c'), chain: stolen.chain, name: 'b' };
  await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] }, { identity });
  await expect.poll(() => a.gossip.stats().refused.binding ?? 0).toBeGreaterThan(0);
  expect([a.view.state('b'), b.view.state('a'), a.gossip.stats().links]).toEqual([undefined, undefined, 0]);
});
