/** Who may sign documents: what an operator certificate must say, and every way to fail at it. */
import { generateKeyPairSync, verify } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readCertificates } from '../../certs/files.ts';
import type { CertificateSpec } from '../../certs/issue.ts';
import { signCertificate } from '../../certs/issue.ts';
import { OID } from '../../certs/oids.ts';
import { verifyOperator } from '../../certs/operator.ts';
import { issueOperatorBundle, loadOperatorBundle, signAsOperator } from '../../certs/operator-bundle.ts';
import { scopeCovers, scopeProblem } from '../../certs/scope.ts';
import { createTrustDomain } from '../../certs/trust-domain.ts';
import { forge, forgeChain, HOUR_MS, NOW_MS, TemporaryDirectory, TRUST_DOMAIN } from './trust.ts';

const OPERATOR = `spiffe://${TRUST_DOMAIN}/operator/alice`;

/** An operator certificate, twisted, signed by a level of a good chain. */
function operator(twist: Partial<CertificateSpec> = {}, signer: 'root' | 'issuer' | 'node' = 'root') {
  const world = forgeChain();
  const keys = generateKeyPairSync('ed25519');
  const certificate = signCertificate(
    {
      subject: 'operator',
      publicKey: keys.publicKey,
      notBeforeMs: NOW_MS - HOUR_MS,
      notAfterMs: NOW_MS + HOUR_MS / 2,
      uris: [OPERATOR],
      keyUsage: ['digitalSignature'],
      lists: [{ oid: OID.weftScope, strings: ['AccessPolicy/shop'] }],
      ...twist,
    },
    world[signer],
  );
  return { trust: world.trust, certificate };
}

function judged(twist?: Partial<CertificateSpec>, signer?: 'root' | 'issuer' | 'node', nowMs = NOW_MS) {
  const { trust, certificate } = operator(twist, signer);
  return verifyOperator(certificate, { trust, nowMs });
}

test('a certificate of the root, with a key, an identity and a scope, makes an operator', () => {
  expect(judged()).toMatchObject({
    ok: true,
    spiffeId: OPERATOR,
    name: 'alice',
    scope: ['AccessPolicy/shop'],
    expiresAtMs: NOW_MS + HOUR_MS / 2,
  });
});

test.each([
  ['signed by an issuer', {}, 'issuer', 'untrusted-root'],
  ['signed by a node', {}, 'node', 'untrusted-root'],
  ['named as a node', { uris: [`spiffe://${TRUST_DOMAIN}/node/a`] }, 'root', 'wrong-role'],
  ['of another trust domain', { uris: ['spiffe://other.example/operator/alice'] }, 'root', 'wrong-trust-domain'],
  ['with two identities', { uris: [OPERATOR, `${OPERATOR}2`] }, 'root', 'bad-spiffe-id'],
  ['that may sign certificates', { authority: { pathLength: 0 } }, 'root', 'wrong-role'],
  ['with another key usage', { keyUsage: ['keyCertSign'] }, 'root', 'key-usage'],
  ['without a scope', { lists: [] }, 'root', 'no-scope'],
  ['with an empty scope', { lists: [{ oid: OID.weftScope, strings: [] }] }, 'root', 'no-scope'],
  ['with a broken scope', { lists: [{ oid: OID.weftScope, strings: ['AccessPolicy'] }] }, 'root', 'no-scope'],
] as const)('an operator certificate %s is refused', (_what, twist, signer, reason) => {
  expect(judged(twist as Partial<CertificateSpec>, signer)).toMatchObject({ ok: false, reason });
});

test('an operator certificate is judged at the instant asked for, with a minute of skew', () => {
  expect(judged({}, 'root', NOW_MS + HOUR_MS / 2 + 59_000).ok).toBe(true);
  expect(judged({}, 'root', NOW_MS + HOUR_MS / 2 + 61_000)).toMatchObject({ reason: 'expired' });
  expect(judged({}, 'root', NOW_MS - 2 * HOUR_MS)).toMatchObject({ reason: 'not-yet-valid' });
});

test('a key that is not Ed25519 is no operator key', () => {
  const world = forgeChain();
  const { certificate } = forge({ uris: [OPERATOR], lists: [{ oid: OID.weftScope, strings: ['*/*'] }] }, world.root);
  expect(verifyOperator(certificate, { trust: world.trust, nowMs: NOW_MS })).toMatchObject({ reason: 'malformed' });
});

test('a scope covers its kinds and namespaces and nothing else', () => {
  expect(scopeCovers(['AccessPolicy/shop'], 'AccessPolicy', 'shop')).toBe(true);
  expect(scopeCovers(['AccessPolicy/shop'], 'AccessPolicy', 'shop2')).toBe(false);
  expect(scopeCovers(['AccessPolicy/shop'], 'RateLimit', 'shop')).toBe(false);
  expect(scopeCovers(['*/shop'], 'MeshConfig', '')).toBe(false);
  expect(scopeCovers(['MeshConfig/-'], 'MeshConfig', '')).toBe(true);
  expect(scopeCovers(['MeshConfig/-'], 'MeshConfig', 'shop')).toBe(false);
  expect(scopeCovers(['*/*'], 'MeshConfig', '')).toBe(true);
  expect(scopeCovers(['*', '/', '*/', 'a/*', '*/*/*'], 'A', 'b')).toBe(false);
});

test('a scope that makes no sense is named', () => {
  expect(scopeProblem([])).toBe('no pattern');
  expect(scopeProblem(['accessPolicy/*'])).toContain('accessPolicy/*');
  expect(scopeProblem(Array.from({ length: 65 }, () => '*/*'))).toContain('65 patterns');
});

test('weft init makes an operator that may write everything, and the root makes narrower ones', () => {
  using directory = new TemporaryDirectory();
  const trust = directory.sub('trust');
  createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: trust });
  expect(loadOperatorBundle(trust)).toMatchObject({ name: 'admin', scope: ['*/*'], trustDomain: TRUST_DOMAIN });

  const bob = directory.sub('bob');
  issueOperatorBundle({ trustDirectory: trust, name: 'bob', scope: ['*/shop'], directory: bob });
  const loaded = loadOperatorBundle(bob);
  expect(loaded).toMatchObject({ name: 'bob', scope: ['*/shop'] });
  const statement = Buffer.from('words');
  const signature = signAsOperator(loaded, statement);
  expect(verify(null, statement, readCertificates(`${bob}/operator.crt`)[0]!.publicKey, signature)).toBe(true);
  expect(() => issueOperatorBundle({ trustDirectory: trust, name: 'bob', scope: ['*/shop'], directory: bob })).toThrow(
    'has operator.key',
  );
});

test('an operator bundle that nobody would believe is refused when it is loaded', () => {
  using directory = new TemporaryDirectory();
  const trust = directory.sub('trust');
  createTrustDomain({ trustDomain: TRUST_DOMAIN, directory: trust, operatorTtlMs: HOUR_MS });
  expect(() => loadOperatorBundle(trust, Date.now() + 2 * HOUR_MS)).toThrow('expired');
  chmodSync(`${trust}/operator.key`, 0o644);
  expect(() => loadOperatorBundle(trust)).toThrow('chmod 600');
  expect(() =>
    issueOperatorBundle({ trustDirectory: trust, name: 'x', scope: ['shop'], directory: directory.sub('x') }),
  ).toThrow('kind/namespace');
});
