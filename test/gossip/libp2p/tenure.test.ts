import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CLOCK_SKEW_MS } from '../../../certs/verify.ts';
import type { NodeCredential } from '../../../gossip/edge/node-signer.ts';
import { Tenure } from '../../../gossip/libp2p/tenure.ts';
import { endpoint, Peer, Realm } from '../support/mesh.ts';

const HOUR_MS = 3_600_000;

describe('a connection', () => {
  const startMs = Date.UTC(2026, 0, 1);
  const key = newKey();
  const admitted: NodeCredential = {
    name: 'b',
    publicKey: key,
    grant: [],
    serial: '01',
    issued: [],
    root: '',
    expiresAtMs: startMs + HOUR_MS,
  };
  let newest: NodeCredential | undefined;
  let revoked: Set<string>;
  let ended: string[];
  let tenure: Tenure<string>;

  beforeEach(() => {
    vi.useFakeTimers({ now: startMs });
    newest = undefined;
    revoked = new Set();
    ended = [];
    tenure = new Tenure({
      newest: () => newest,
      isRevoked: ({ name, serial }) => revoked.has(`${name} ${serial}`),
      ended: (connection, { serial }, why) => ended.push(`${connection} ${serial} ${why}`),
    });
    tenure.begin('first', admitted);
  });

  afterEach(() => {
    tenure.stop();
    vi.useRealTimers();
  });

  test('ends when its certificate has expired and the skew of clocks is used up', () => {
    vi.advanceTimersByTime(HOUR_MS + CLOCK_SKEW_MS);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(ended).toEqual(['first 01 expired']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('goes on when its node has shown a newer certificate for the same key, and ends with that one', () => {
    newest = { ...admitted, serial: '02', expiresAtMs: admitted.expiresAtMs + HOUR_MS };
    vi.advanceTimersByTime(2 * HOUR_MS + CLOCK_SKEW_MS);
    expect(ended).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(ended).toEqual(['first 02 expired']);
  });

  test('is not prolonged by a certificate for another key, which nobody on it has proved to hold', () => {
    newest = { ...admitted, publicKey: newKey(), expiresAtMs: admitted.expiresAtMs + HOUR_MS };
    vi.advanceTimersByTime(HOUR_MS + CLOCK_SKEW_MS + 2);
    expect(ended).toEqual(['first 01 expired']);
  });

  test('ends within a minute of a wall clock that was set past its expiry', () => {
    vi.advanceTimersByTime(1_000);
    vi.setSystemTime(startMs + 2 * HOUR_MS);
    vi.advanceTimersByTime(60_000);
    expect(ended).toEqual(['first 01 expired']);
  });

  test('ends at once when its certificate is revoked, and others do not', () => {
    tenure.begin('second', { ...admitted, serial: '07' });
    revoked.add('b 07');
    tenure.check();
    expect(ended).toEqual(['second 07 revoked']);
  });

  test('that ended by itself is forgotten', () => {
    tenure.end('first');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('on real nodes', () => {
  test('a live link is cut when the certificate of the other runs out, and that node loses its endpoints', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a', { stallMaxMs: 1_000 });
    const identity = realm.identityEndingIn('b', 4_000);
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] }, { identity });
    b.gossip.publish([endpoint('b')]);
    await a.view.untilEndpoints('b/web/http');
    expect(a.gossip.stats().linksCut.expired).toBe(0);

    await a.view.untilEndpoints();
    expect(Date.now()).toBeGreaterThan(identity.expiresAtMs + CLOCK_SKEW_MS);
    expect(a.gossip.stats().linksCut.expired).toBe(1);
    expect(a.gossip.stats().links).toBe(0);
    await expect.poll(() => a.gossip.stats().refused.expired ?? 0).toBeGreaterThan(0);
  });

  test('a node that is revoked is cut off and expelled by all who hear of it, and cannot come back with its old bundle', async () => {
    using realm = new Realm();
    await using a = await Peer.start(realm, 'a');
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
    await using c = await Peer.start(realm, 'c', { seeds: [a.gossip.address] });
    for (const [name, peer] of Object.entries({ a, b, c })) peer.gossip.publish([endpoint(name)]);
    const all = ['a/web/http', 'b/web/http', 'c/web/http'];
    for (const { view } of [a, b, c]) await view.untilEndpoints(...all);

    expect(await a.gossip.documents.write(realm.revocation('node/b'))).toMatchObject({ kind: 'written' });
    for (const { view } of [a, c]) {
      await view.untilEndpoints('a/web/http', 'c/web/http');
      await view.until(() => view.state('b') === undefined);
    }
    await expect.poll(() => a.gossip.stats().refused.revoked ?? 0).toBeGreaterThan(0);
    for (const { gossip } of [a, c]) expect(gossip.stats()).toMatchObject({ links: 1, members: { alive: 2 } });
    expect(a.gossip.stats().linksCut.revoked).toBeGreaterThan(0);
  });

  test('a node that starts alone honours what its disk says is revoked, and takes back a node with a later certificate', async () => {
    using realm = new Realm();
    const old = realm.identity('b');
    {
      await using a = await Peer.start(realm, 'a');
      await a.gossip.documents.write(realm.revocation('node/b'));
    }
    await using a = await Peer.start(realm, 'a');
    {
      await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] }, { identity: old });
      await expect.poll(() => a.gossip.stats().refused.revoked ?? 0).toBeGreaterThan(0);
      expect([a.view.state('b'), b.view.state('a')]).toEqual([undefined, undefined]);
    }
    await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] }, { identity: realm.laterIdentity('b') });
    await a.view.until(() => a.view.state('b') === 'alive');
    await b.view.until(() => b.view.state('a') === 'alive');
  });
});

function newKey(): NodeCredential['publicKey'] {
  return createPublicKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
}
