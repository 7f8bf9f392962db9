/** Which statements about roots are followed: those of roots, in order, and nobody else's. */
import { generateKeyPairSync, type X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { issueNodeBundle, loadNodeBundle } from '../../certs/node-bundle.ts';
import { verifyOperator } from '../../certs/operator.ts';
import { loadOperatorBundle } from '../../certs/operator-bundle.ts';
import { Revocations } from '../../certs/revocation.ts';
import {
  type Followed,
  followRoots,
  followRotation,
  type RootsStatement,
  rootFingerprint,
  rootOf,
  type Standing,
  signRoots,
  type TrustedRoots,
} from '../../certs/root-rotation.ts';
import { RotatingTrustDomain } from '../../certs/root-rotation-authority.ts';
import {
  followedSoFar,
  readRotation,
  rotationFromJson,
  rotationToJson,
  writeRotation,
} from '../../certs/root-rotation-files.ts';
import { createTrustDomain, makeRoot, type Root } from '../../certs/trust-domain.ts';
import { HOUR_MS, TemporaryDirectory, TRUST_DOMAIN } from './trust.ts';

const NOW_MS = Date.now();

function root(trustDomain = TRUST_DOMAIN, nowMs = NOW_MS): Root {
  return makeRoot(trustDomain, { name: 'a root', ttlMs: HOUR_MS, nowMs });
}

function state(sequence: number, roots: readonly Root[], signers = roots, trustDomain = TRUST_DOMAIN): RootsStatement {
  return signRoots({ trustDomain, sequence, roots: roots.map(({ certificate }) => certificate) }, signers);
}

function trusting(roots: readonly Root[], sequence = 0): TrustedRoots {
  return { trust: { trustDomain: TRUST_DOMAIN, roots: roots.map(({ certificate }) => certificate) }, sequence };
}

/** Fingerprints: to toEqual, all certificates are alike. */
function names(certificates: readonly X509Certificate[]): string[] {
  return certificates.map(rootFingerprint);
}

/** What somebody trusts and follows, comparable; or why not. */
function outcome(followed: Followed<TrustedRoots>): unknown {
  return followed.ok ? { roots: names(followed.trust.roots), sequence: followed.sequence } : followed.reason;
}

function follows(roots: readonly Root[], sequence: number): unknown {
  return { roots: names(roots.map(({ certificate }) => certificate)), sequence };
}

describe('a statement about roots', () => {
  const [old, next, foreign] = [root(), root(), root()];
  const both = state(1, [old, next]);
  const retired = state(2, [next], [old, next]);
  const follow = (statements: readonly RootsStatement[], from = trusting([old])) =>
    followRoots(statements, from, NOW_MS);
  const reasonOf = (statements: readonly RootsStatement[], from?: TrustedRoots): string => {
    const followed = follow(statements, from);
    return followed.ok ? 'followed' : followed.reason;
  };

  test('is followed from root to root, also by a node that missed the one in between', () => {
    expect(outcome(follow([both]))).toEqual(follows([old, next], 1));
    expect(outcome(follow([both, retired], trusting([old, next], 1)))).toEqual(follows([next], 2));
    expect(outcome(follow([both, retired]))).toEqual(follows([next], 2));
    expect(outcome(follow([retired]))).toEqual(follows([next], 2));
    const [later, last] = [root(), root()];
    const chain = [both, retired, state(3, [next, later]), state(4, [later], [next, later]), state(5, [later, last])];
    expect(outcome(follow(chain))).toEqual(follows([later, last], 5));
  });

  test('adds the old root for a node that began with the new one', () => {
    expect(outcome(follow([both], trusting([next])))).toEqual(follows([old, next], 1));
  });

  test('is worth nothing when no root signed it, another one did, or one that is listed did not', () => {
    expect(reasonOf([state(1, [old, next], [])])).toBe('unsigned');
    expect(reasonOf([state(1, [foreign])])).toBe('unsigned');
    expect(reasonOf([state(1, [old, foreign], [foreign])])).toBe('unsigned');
    expect(reasonOf([state(1, [old, foreign], [old])])).toBe('unsigned');
    expect(reasonOf([state(1, [foreign]), state(2, [foreign, old], [foreign])])).toBe('unsigned');
  });

  test('is worth nothing when what was signed was altered', () => {
    const { roots, signatures } = both;
    const swappedNames = names(roots).reverse();
    expect(reasonOf([{ sequence: 2, roots, signatures }])).toBe('unsigned');
    expect(reasonOf([{ sequence: 1, roots: [...roots, foreign.certificate], signatures }])).toBe('unsigned');
    const swapped = signatures.map(({ signature }, i) => ({ root: swappedNames[i]!, signature }));
    expect(reasonOf([{ sequence: 1, roots, signatures: swapped }])).toBe('unsigned');
    const broken = signatures.map(({ root: name }) => ({ root: name, signature: Buffer.from('no signature') }));
    expect(reasonOf([{ sequence: 1, roots, signatures: broken }])).toBe('unsigned');
  });

  test('is worth nothing in another trust domain, or about roots of another', () => {
    expect(reasonOf([state(1, [old, next], [old, next], 'other.example')])).toBe('unsigned');
    const other = root('other.example');
    expect(reasonOf([state(1, [old, other])])).toBe('wrong-trust-domain');
  });

  test('is not taken again once a later one was', () => {
    expect(reasonOf([both], trusting([next], 2))).toBe('replayed');
    expect(reasonOf([state(2, [old, next])], trusting([next], 2))).toBe('replayed');
    expect(reasonOf([both, retired], trusting([next], 2))).toBe('followed');
    expect(reasonOf([both, retired, state(3, [old], [old])], trusting([next], 2))).toBe('unsigned');
  });

  test('does not count when the root that signed it has expired', () => {
    const gone = root(TRUST_DOMAIN, NOW_MS - 3 * HOUR_MS);
    expect(reasonOf([state(1, [gone, next])], trusting([gone]))).toBe('unsigned');
  });

  test('lists roots only', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    using directory = new TemporaryDirectory();
    createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: directory.sub('trust') });
    const domain = new RotatingTrustDomain(directory.sub('trust'));
    domain.distribute(NOW_MS);
    domain.move(domain.next!, NOW_MS);
    const issuer = { certificate: domain.rotation.issuers[0]!, privateKey: domain.old.privateKey };
    expect(publicKey.equals(issuer.certificate.publicKey)).toBe(false);
    expect(reasonOf([state(1, [old, issuer], [old])])).toBe('malformed');
    expect(reasonOf([state(1, [old, old])])).toBe('malformed');
    expect(reasonOf([retired, both])).toBe('malformed');
    expect(reasonOf([])).toBe('malformed');
  });
});

describe('a trust domain', () => {
  let directory: TemporaryDirectory;
  let domain: RotatingTrustDomain;
  beforeEach(() => {
    directory = new TemporaryDirectory();
    createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: directory.sub('trust') });
    domain = new RotatingTrustDomain(directory.sub('trust'));
    return () => directory[Symbol.dispose]();
  });

  const again = (): RotatingTrustDomain => new RotatingTrustDomain(directory.sub('trust'));
  function issue(name: string): Standing {
    issueNodeBundle({ trustDirectory: domain.directory, name, grant: ['*'], directory: directory.sub(name) });
    return standing(name);
  }
  function leadsTo({ chain, trust }: Standing): string | undefined {
    const root = rootOf(chain, trust);
    return root && rootFingerprint(root);
  }
  function standing(name: string): Standing {
    const { chain, trust } = loadNodeBundle(directory.sub(name));
    return { ...followedSoFar(trust, readRotation(directory.sub(name))), chain };
  }

  test('goes from stage to stage, wherever it is interrupted', () => {
    expect(domain.stage).toBe('none');
    domain.distribute(NOW_MS);
    expect(again().stage).toBe('distributed');
    domain.move(domain.next!, NOW_MS);
    expect(again().stage).toBe('moved');
    domain.retire();
    expect(again().stage).toBe('retired');
    const next = rootFingerprint(domain.next!.certificate);
    domain.complete();
    expect(again().stage).toBe('none');
    expect(rootFingerprint(again().old.certificate)).toBe(next);
    expect(existsSync(join(domain.directory, 'root.next.key'))).toBe(false);
  });

  test('refuses to begin twice, and to retire before it moved', () => {
    domain.distribute(NOW_MS);
    expect(() => again().distribute(NOW_MS)).toThrow('at stage distributed, wanted none');
    expect(() => again().retire()).toThrow('at stage distributed, wanted moved');
  });

  test('carries its nodes from root to root, without one of them asking for anything', () => {
    const before = issue('a');
    domain.distribute(NOW_MS);
    const distributed = followRotation(domain.rotation, before, NOW_MS);
    expect(distributed).toMatchObject({ ok: true, sequence: 1 });
    expect(distributed.ok && distributed.chain).toBe(before.chain);
    domain.move(domain.next!, NOW_MS);
    const moved = followRotation(domain.rotation, { ...before, ...distributed }, NOW_MS);
    if (!moved.ok) throw new Error(moved.detail);
    expect(moved.chain[0]).toBe(before.chain[0]);
    expect(leadsTo(moved)).toBe(rootFingerprint(domain.next!.certificate));
    domain.retire();
    const retired = followRotation(domain.rotation, moved, NOW_MS);
    expect(outcome(retired)).toEqual(follows([domain.next!], 2));
    expect(retired.ok && names(retired.chain)).toEqual(names(moved.chain));
    const away = followRotation(domain.rotation, before, NOW_MS);
    expect(outcome(away)).toEqual(outcome(retired));
    expect(away.ok && names(away.chain)).toEqual(names(moved.chain));
  });

  test('leaves a node where it was when its certificate would not be accepted any more', () => {
    const before = issue('a');
    domain.distribute(NOW_MS);
    domain.move(domain.next!, NOW_MS);
    domain.retire();
    const others = { ...domain.rotation, issuers: [] };
    expect(followRotation(others, before, NOW_MS)).toMatchObject({ ok: false, reason: 'left-behind' });
  });

  test('is what it was when a rotation is given up', () => {
    const before = issue('a');
    domain.distribute(NOW_MS);
    domain.move(domain.next!, NOW_MS);
    const moved = followRotation(domain.rotation, before, NOW_MS);
    if (!moved.ok) throw new Error(moved.detail);
    domain.move(domain.old, NOW_MS);
    const back = followRotation(domain.rotation, moved, NOW_MS);
    if (!back.ok) throw new Error(back.detail);
    expect(leadsTo(back)).toBe(rootFingerprint(domain.old.certificate));
    domain.giveUp();
    expect(outcome(followRotation(domain.rotation, back, NOW_MS))).toEqual(follows([domain.old], 2));
    expect([again().stage, again().isGivenUp]).toEqual(['none', true]);
    domain.discard();
    expect(again().isGivenUp).toBe(false);
    domain.distribute(NOW_MS);
    expect(again().rotation.statements.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  });

  test('gives new nodes what the others have, so that no older statement moves them', () => {
    domain.distribute(NOW_MS);
    const early = again().rotation;
    domain.move(domain.next!, NOW_MS);
    domain.retire();
    domain.complete();
    const late = issue('late');
    expect(late.sequence).toBe(2);
    expect(followRotation(early, late, NOW_MS)).toMatchObject({ ok: false, reason: 'replayed' });
  });

  test('certifies operators anew, and what was revoked stays revoked', () => {
    const { certificate, spiffeId } = loadOperatorBundle(domain.directory);
    domain.distribute(NOW_MS);
    const renewed = domain.certifyOperator(certificate, domain.next!, NOW_MS + HOUR_MS);
    const trust = { trustDomain: TRUST_DOMAIN, roots: [domain.next!.certificate] };
    const options = { trust, nowMs: NOW_MS + HOUR_MS };
    expect(verifyOperator(renewed, options)).toMatchObject({ ok: true, name: 'admin', scope: ['*/*'] });
    const revocations = new Revocations([{ subject: spiffeId, beforeMs: Date.now() + 1_000 }]);
    expect(verifyOperator(renewed, { ...options, revocations })).toMatchObject({ ok: false, reason: 'revoked' });
  });

  test('and its files are refused when they are damaged', () => {
    domain.distribute(NOW_MS);
    const json = rotationToJson(domain.rotation);
    expect(rotationToJson(rotationFromJson(json, 'here'))).toEqual(json);
    for (const bad of [
      null,
      {},
      { ...json, issuers: ['AAAA'] },
      { ...json, statements: Array(17).fill(json.statements[0]) },
    ]) {
      expect(() => rotationFromJson(bad, 'here')).toThrow('here: not a rotation');
    }
    writeRotation(directory.sub('trust'), domain.rotation);
    expect(readRotation(directory.path)).toBeUndefined();
  });
});
