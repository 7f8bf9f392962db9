/** What a node does when the roots of its trust domain change, and in which order. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { IdentityHolder } from '../../../agent/identity/holder.ts';
import { type FollowerOptions, RootFollower } from '../../../agent/rotation/root-follower.ts';
import { issueNodeCertificate, loadIssuer } from '../../../certs/issuer.ts';
import { loadNodeBundle, type NodeIdentity } from '../../../certs/node-bundle.ts';
import { rootFingerprint, rootOf } from '../../../certs/root-rotation.ts';
import { RotatingTrustDomain } from '../../../certs/root-rotation-authority.ts';
import { readRotation, writeRotation } from '../../../certs/root-rotation-files.ts';
import { certifyIssuer } from '../../../certs/trust-domain.ts';
import { verifyChain } from '../../../certs/verify.ts';
import { HOUR_MS, makeNode, TemporaryDirectory } from '../../certs/trust.ts';

let directory: TemporaryDirectory;
let domain: RotatingTrustDomain;
let holder: IdentityHolder;
/** Every identity that was in use, in order. */
let seen: NodeIdentity[];
let did: string[];

beforeEach(() => {
  directory = new TemporaryDirectory();
  const identity = makeNode(directory);
  domain = new RotatingTrustDomain(directory.sub('trust'));
  holder = new IdentityHolder({ directory: bundle(), identity, log: pino({ level: 'silent' }) });
  seen = [identity];
  did = [];
  holder.onChange((one) => seen.push(one));
  return () => directory[Symbol.dispose]();
});

const bundle = (): string => directory.sub('node-a');

function follower(changes: Partial<FollowerOptions> = {}): RootFollower {
  return new RootFollower({
    directory: bundle(),
    log: pino({ level: 'silent' }),
    holder,
    issuersCertified: () => did.push('issuers'),
    renewNow: async () => void did.push('renew now'),
    renewSoon: () => did.push('renew soon'),
    settled: async () => void did.push('settled'),
    ...changes,
  });
}

/** Fingerprint of the root that the certificate in use leads to: to toEqual, all certificates are alike. */
function rootNow(): string | undefined {
  const { chain, trust } = holder.current;
  const root = rootOf(chain, trust);
  return root && rootFingerprint(root);
}

function nextRoot(): string {
  return rootFingerprint(domain.next!.certificate);
}

describe('a node that follows its roots', () => {
  test('presents nothing at any moment that those before and after would not accept', async () => {
    const roots = follower();
    domain.distribute(Date.now());
    await roots.follow(domain.rotation);
    domain.move(domain.next!, Date.now());
    await roots.follow(domain.rotation);
    domain.retire();
    await roots.follow(domain.rotation);
    expect(rootNow()).toBe(nextRoot());
    for (const [i, { chain, trust }] of seen.entries()) {
      for (const other of seen.slice(Math.max(0, i - 1), i + 2)) {
        const options = { trust: other.trust, role: 'node', nowMs: Date.now() } as const;
        expect(verifyChain(chain, options).ok, `${i} of ${seen.length}, ${trust.roots.length} roots`).toBe(true);
      }
    }
    expect(did).toEqual(['issuers', 'settled', 'issuers', 'renew soon', 'settled', 'issuers', 'settled']);
    expect(loadNodeBundle(bundle()).trust.roots.map(rootFingerprint)).toEqual([nextRoot()]);
  });

  test('leads back to the old root when the rotation is given up', async () => {
    const roots = follower();
    const before = rootNow();
    domain.distribute(Date.now());
    domain.move(domain.next!, Date.now());
    await roots.follow(domain.rotation);
    domain.move(domain.old, Date.now());
    await roots.follow(domain.rotation);
    expect(rootNow()).toBe(before);
    domain.giveUp();
    await roots.follow(domain.rotation);
    expect(holder.current.trust.roots.map(rootFingerprint)).toEqual([before]);
  });

  test('catches up in one go, and with both at once keeps that order', async () => {
    domain.distribute(Date.now());
    domain.move(domain.next!, Date.now());
    domain.retire();
    writeRotation(bundle(), domain.rotation);
    await follower().catchUp();
    expect(seen.map(({ trust }) => trust.roots.length)).toEqual([1, 2, 2, 1]);
    expect(seen.every(({ chain, trust }) => rootOf(chain, trust) !== undefined)).toBe(true);
    expect(rootNow()).toBe(nextRoot());
    did = [];
    await follower().catchUp();
    expect(did).toEqual([]);
  });

  test('says that it has it only when all of the agent has', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const roots = follower({ settled: () => promise });
    domain.distribute(Date.now());
    let isDone = false;
    const following = roots.follow(domain.rotation).then(() => {
      isDone = true;
    });
    await new Promise((turn) => setImmediate(turn));
    expect(isDone).toBe(false);
    resolve();
    await following;
  });

  test('takes no statement twice, and leaves all as it was when it refuses one', async () => {
    const roots = follower();
    domain.distribute(Date.now());
    const begun = domain.rotation;
    await roots.follow(begun);
    domain.move(domain.next!, Date.now());
    domain.retire();
    await roots.follow(domain.rotation);
    const files = (): string[] =>
      ['roots.crt', 'node.crt', 'rotation.json'].map((name) => readFileSync(join(bundle(), name), 'utf8'));
    const before = files();
    await expect(roots.follow(begun)).rejects.toThrow('replayed: it ends with statement 1, this node follows 2');
    await expect(follower().follow(begun)).rejects.toThrow('replayed'); // after a restart
    expect(files()).toEqual(before);
    expect(roots.sequence).toBe(2);
  });

  test('keeps leading there when an issuer that has yet to hear of it renews its certificate', async () => {
    const late = loadIssuer(domain.directory);
    const roots = follower();
    domain.distribute(Date.now());
    domain.move(domain.next!, Date.now());
    await roots.follow(domain.rotation);
    const { trust, name, grant, chain } = holder.current;
    const request = { name, grant, publicKey: chain[0]!.publicKey, ttlMs: HOUR_MS, nowMs: Date.now() };
    holder.install({ chain: issueNodeCertificate(late, trust, request) });
    expect(rootNow()).toBe(nextRoot());
  });

  test('asks for another certificate when its issuer has no new one, and says so when none comes', async () => {
    domain.distribute(Date.now());
    domain.move(domain.next!, Date.now());
    using other = new TemporaryDirectory();
    makeNode(other);
    const stranger = new RotatingTrustDomain(other.sub('trust'));
    const { rotation } = domain;
    // An issuer with another key, under the new root: the bundle of this node was signed by one that is not named.
    const foreign = loadIssuer(stranger.directory);
    const { publicKey } = foreign.certificate;
    const { trustDomain } = domain;
    const issuer = certifyIssuer(domain.next!, { trustDomain, publicKey, nowMs: Date.now() });
    const named = { ...rotation, issuers: [issuer] };
    await expect(follower({ renewalMs: 100 }).follow(named)).rejects.toThrow(
      'no issuer in reach gave this node a certificate',
    );
    expect(new Set(did)).toEqual(new Set(['issuers', 'renew now']));
    const { trust, name, grant, chain } = holder.current;
    const request = { name, grant, publicKey: chain[0]!.publicKey, ttlMs: HOUR_MS, nowMs: Date.now() };
    const renewNow = async (): Promise<void> => {
      holder.install({ chain: issueNodeCertificate({ ...foreign, certificate: issuer }, trust, request) });
    };
    await follower({ renewNow }).follow(named);
    expect(rootNow()).toBe(nextRoot());
    expect(readRotation(bundle())!.issuers.map(rootFingerprint)).toEqual([rootFingerprint(issuer)]);
  });
});
