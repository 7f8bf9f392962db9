/** A root that is trusted no more, on real gossip nodes: who did not move with the others is out of the mesh. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { NodeIdentity } from '../../../certs/node-bundle.ts';
import { followRotation, rootFingerprint } from '../../../certs/root-rotation.ts';
import { RotatingTrustDomain } from '../../../certs/root-rotation-authority.ts';
import { endpoint, Peer, Realm } from '../support/mesh.ts';

const GRACE = { rootGraceMs: 300 };

/** The identity of a node that has followed so far. */
function following(domain: RotatingTrustDomain, identity: NodeIdentity): NodeIdentity {
  const followed = followRotation(domain.rotation, { ...identity, sequence: 0 }, Date.now());
  if (!followed.ok) throw new Error(followed.detail);
  return { ...identity, trust: followed.trust, chain: followed.chain };
}

describe('a root that is trusted no more', () => {
  test('takes those along who still lead to it, and nobody else loses a link', async () => {
    using realm = new Realm();
    const domain = new RotatingTrustDomain(join(realm.directory, 'trust'));
    const ids = { a: realm.identity('a'), b: realm.identity('b'), c: realm.identity('c') };
    await using a = await Peer.start(realm, 'a', {}, { identity: ids.a, ...GRACE });
    const seeds = [a.gossip.address];
    await using b = await Peer.start(realm, 'b', { seeds }, { identity: ids.b, ...GRACE });
    await using c = await Peer.start(realm, 'c', { seeds }, { identity: ids.c, ...GRACE });
    for (const [peer, name] of [
      [b, 'b'],
      [c, 'c'],
    ] as const) {
      peer.gossip.publish([endpoint(name)]);
    }
    await a.view.untilEndpoints('b/web/http', 'c/web/http');

    domain.distribute(Date.now());
    for (const [peer, id] of [
      [a, ids.a],
      [b, ids.b],
      [c, ids.c],
    ] as const) {
      peer.gossip.identityChanged(following(domain, id));
    }
    domain.move(domain.next!, Date.now());
    for (const [peer, id] of [
      [a, ids.a],
      [b, ids.b],
    ] as const) {
      peer.gossip.identityChanged(following(domain, id)); // c stays behind
    }
    const next = rootFingerprint(domain.next!.certificate);
    const rootOf = (name: string): string | undefined =>
      a.gossip
        .members()
        .find((member) => member.name === name)
        ?.root?.replaceAll(':', '')
        .toLowerCase();
    await a.view.until(() => rootOf('b') === next);
    expect([rootOf('a'), rootOf('c') === next]).toEqual([next, false]);

    domain.retire();
    a.gossip.identityChanged(following(domain, ids.a));
    b.gossip.identityChanged(following(domain, ids.b));
    await a.view.until(() => a.view.members_.every(({ name }) => name !== 'c'));
    await a.view.untilEndpoints('b/web/http');
    expect(a.gossip.stats().linksCut).toMatchObject({ expired: 0, silent: 0 });
    expect(a.gossip.stats().linksCut.revoked).toBeGreaterThan(0);
    expect(a.gossip.stats().members).toMatchObject({ alive: 2 });
  });
});
