import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { issueNodeCertificate, loadIssuer } from '../../../certs/issuer.ts';
import type { NodeIdentity } from '../../../certs/node-bundle.ts';
import { MAX_CALL_BYTES } from '../../../gossip/libp2p/calls.ts';
import { endpoint, Peer, Realm } from '../support/mesh.ts';

const HOUR_MS = 3_600_000;

/** The same node, name, grant and key, with an hour ahead. */
function renewed(realm: Realm, identity: NodeIdentity): NodeIdentity {
  const { trust, name, grant, chain } = identity;
  const request = { name, grant, publicKey: chain[0]!.publicKey, ttlMs: HOUR_MS, nowMs: Date.now() };
  const issued = issueNodeCertificate(loadIssuer(join(realm.directory, 'trust')), trust, request);
  return { ...identity, chain: issued, expiresAtMs: Date.now() + HOUR_MS };
}

const dialled = (peer: Peer): number => peer.gossip.stats().dials;

describe('a node whose certificate ends', () => {
  test('keeps its links when it was renewed in time, and its record shows the new one', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    const ending = realm.identityEndingIn('b', 4_000);
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] }, { identity: ending });
    b.gossip.publish([endpoint('b')]);
    await a.view.untilEndpoints('b/web/http');

    b.gossip.identityChanged(renewed(realm, ending));
    b.gossip.publish([endpoint('b'), endpoint('b', 'cart')]);
    await a.view.untilEndpoints('b/cart/http', 'b/web/http');
    const before = dialled(a) + dialled(b);
    await new Promise((resolve) => setTimeout(resolve, ending.expiresAtMs + 62_000 - Date.now())); // the end itself
    // A statement that b signs now is believed only under the new certificate.
    b.gossip.publish([endpoint('b')]);
    await a.view.untilEndpoints('b/web/http');
    expect(dialled(a) + dialled(b)).toBe(before);
    for (const { gossip } of [a, b]) expect(gossip.stats().linksCut).toMatchObject({ expired: 0, silent: 0 });
  });

  test('is a new life of the same member when it comes back to life with another key', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    b.gossip.publish([endpoint('b')]);
    await a.view.untilEndpoints('b/web/http');
    const epoch = a.view.members_.find(({ name }) => name === 'b')!.epoch;

    b.gossip.identityChanged(realm.identity('b'));
    await a.view.until(() => a.view.members_.some((one) => one.name === 'b' && one.epoch > epoch));
    b.gossip.publish([endpoint('b'), endpoint('b', 'cart')]);
    await a.view.untilEndpoints('b/cart/http', 'b/web/http');
    expect(a.view.state('b')).toBe('alive');
  });
});

describe('a call', () => {
  test('is answered to whoever was admitted, who is named with its key', async () => {
    using realm = new Realm();
    const identity = realm.identity('b');
    await using a = await Peer.start(
      realm,
      'a',
      {},
      {
        answer: async ({ name, publicKey }, question) => {
          const isTheirs = identity.chain[0]!.publicKey.export({ type: 'spki', format: 'der' }).equals(publicKey);
          return Buffer.from(`${name} ${isTheirs} ${Buffer.from(question).toString()}`);
        },
      },
    );
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] }, { identity });
    await b.view.until(() => b.view.state('a') === 'alive');
    expect(Buffer.from(await b.gossip.call('a', Buffer.from('hello'))).toString()).toBe('b true hello');
  });

  test('that is not answered, too long, or to nobody is refused', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await b.view.until(() => b.view.state('a') === 'alive');
    await expect(b.gossip.call('a', Buffer.from('x'))).rejects.toThrow('gave no answer');
    await expect(b.gossip.call('a', Buffer.alloc(MAX_CALL_BYTES + 1))).rejects.toThrow('gave no answer');
    await expect(b.gossip.call('nobody', Buffer.from('x'))).rejects.toThrow('nobody: this member gave no answer');
  });

  test('too many calls of one member are not answered, and those of another are', async () => {
    using realm = new Realm();
    const answer = async (): Promise<Uint8Array> => Buffer.from('yes');
    await using a = await Peer.start(realm, 'a', {}, { answer });
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await using c = await Peer.start(realm, 'c', { seeds: [a.gossip.address] });
    for (const { view } of [b, c]) await view.until(() => view.state('a') === 'alive');
    let answers = 0;
    for (let i = 0; i < 300; i++) {
      const isAnswered = await b.gossip.call('a', Buffer.from('x')).then(
        () => true,
        () => false,
      );
      if (isAnswered) answers++;
    }
    expect(answers).toBeGreaterThanOrEqual(100);
    expect(answers).toBeLessThan(300);
    expect(Buffer.from(await c.gossip.call('a', Buffer.from('x'))).toString()).toBe('yes');
  });
});

test('an issuer is known as one to the others, and nobody else is', async () => {
  using realm = new Realm();
  await using a = await Peer.start(realm, 'a');
  await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
  a.gossip.declareIssuer(Buffer.from('proof'));
  await b.view.until(() => b.view.members_.some(({ issuer }) => issuer !== undefined));
  const issuers = b.view.members_.map(({ name, issuer }) => `${name} ${issuer && Buffer.from(issuer).toString()}`);
  expect(issuers.sort()).toEqual(['a proof', 'b undefined']);
});
