/** A CA of another mesh under our root: what it may speak for, and everything it may not. */
import type { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { type ForeignIssuerSpec, parseForeignIssuers } from '../../certs/foreign-issuer.ts';
import type { CertificateSpec } from '../../certs/issue.ts';
import { CertificateMemory } from '../../certs/memory.ts';
import { Revocations } from '../../certs/revocation.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import { CLOCK_SKEW_MS, type VerifyOptions, verifyChain } from '../../certs/verify.ts';
import { type Forged, forge, forgeChain, NOW_MS, SHAPE, TRUST_DOMAIN } from './trust.ts';

const ISTIO = `spiffe://${TRUST_DOMAIN}/ns/istio/sa/web`;
/** As istiod has it: a CA without a SPIFFE ID. */
const CA: Partial<CertificateSpec> = { ...SHAPE.issuer, subject: 'istiod', uris: [], authority: { pathLength: 1 } };

interface World {
  readonly root: Forged;
  readonly ca: Forged;
  readonly trust: TrustBundle;
}

function world(twist: Partial<CertificateSpec> = {}, grant: readonly string[] = ['ns/istio/*']): World {
  const { root } = forgeChain();
  const ca = forge({ ...CA, ...twist }, root);
  const foreignIssuers = parseForeignIssuers([specOf(ca, grant)]);
  return { root, ca, trust: { trustDomain: TRUST_DOMAIN, roots: [root.certificate], foreignIssuers } };
}

function specOf(
  { certificate }: Forged,
  grant: readonly string[] = ['ns/istio/*'],
  name = 'istio.crt',
): ForeignIssuerSpec {
  return { name, certificatePem: certificate.toString(), grant };
}

function leaf(ca: Forged, twist: Partial<CertificateSpec> = {}): X509Certificate {
  return forge({ ...SHAPE.svid, uris: [ISTIO], ...twist }, ca).certificate;
}

function verify(trust: TrustBundle, chain: readonly X509Certificate[], more: Partial<VerifyOptions> = {}) {
  return verifyChain(chain, { trust, role: 'workload', nowMs: NOW_MS, ...more });
}

function reason(trust: TrustBundle, chain: readonly X509Certificate[], more: Partial<VerifyOptions> = {}) {
  const verdict = verify(trust, chain, more);
  return verdict.ok ? 'accepted' : verdict.reason;
}

test('an SVID of a listed issuer within its grant is accepted, by the name of the list', () => {
  const { ca, trust } = world();
  expect(verify(trust, [leaf(ca), ca.certificate])).toMatchObject({ ok: true, spiffeId: ISTIO, node: 'istio.crt' });
});

test('the root that an ambient mesh sends along does no harm', () => {
  const { ca, root, trust } = world();
  expect(reason(trust, [leaf(ca), ca.certificate, root.certificate])).toBe('accepted');
});

test('it may speak for nothing outside its grant', () => {
  const { ca, trust } = world();
  const web = leaf(ca, { uris: [`spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`] });
  expect(reason(trust, [web, ca.certificate])).toBe('outside-grant');
});

test.each<readonly [string, Partial<CertificateSpec>, string]>([
  ['has expired', { notAfterMs: NOW_MS - CLOCK_SKEW_MS - 1_000 }, 'expired'],
  ['names a node', { uris: [`spiffe://${TRUST_DOMAIN}/node/a`] }, 'wrong-role'],
  ['is of another trust domain', { uris: ['spiffe://cluster.local/ns/istio/sa/web'] }, 'wrong-trust-domain'],
  ['is a CA', { authority: { pathLength: 0 }, keyUsage: ['digitalSignature', 'keyCertSign'] }, 'wrong-role'],
  ['may sign certificates', { keyUsage: ['digitalSignature', 'keyCertSign'] }, 'key-usage'],
  ['has no name', { uris: [] }, 'bad-spiffe-id'],
])('an SVID of it that %s is refused', (_what, twist, refusal) => {
  const { ca, trust } = world();
  expect(reason(trust, [leaf(ca, twist), ca.certificate])).toBe(refusal);
});

test('an issuer that is not listed vouches for nobody', () => {
  const { root, trust } = world();
  const other = forge(CA, root);
  expect(reason(trust, [leaf(other), other.certificate])).toBe('bad-spiffe-id');
  expect(reason({ ...trust, foreignIssuers: [] }, [leaf(other), other.certificate])).toBe('bad-spiffe-id');
});

test('a listed issuer counts as long as its root does, and its own time', () => {
  const { ca, trust } = world();
  const stranger = forgeChain().root;
  expect(reason({ ...trust, roots: [stranger.certificate] }, [leaf(ca), ca.certificate])).toBe('untrusted-root');
  const old = world({ notAfterMs: NOW_MS - CLOCK_SKEW_MS - 1_000 });
  expect(reason(old.trust, [leaf(old.ca), old.ca.certificate])).toBe('expired');
});

test('a certificate of the same name that somebody else signed with does not stand in for it', () => {
  const { ca, trust } = world();
  const impostor = forge(CA, forgeChain().root);
  expect(reason(trust, [leaf(impostor), ca.certificate])).toBe('bad-signature');
});

test('it admits no node: neither as a peer of gossip nor above an SVID', () => {
  const { ca, trust } = world();
  const node = forge(SHAPE.node, ca);
  const svid = forge({ ...SHAPE.svid, uris: [ISTIO] }, node).certificate;
  expect(reason(trust, [node.certificate, ca.certificate], { role: 'node' })).toBe('bad-spiffe-id');
  expect(reason(trust, [svid, node.certificate, ca.certificate])).toBe('bad-spiffe-id');
});

test('the grant of a node of ours is what its certificate says, whatever is listed', () => {
  const { root, issuer, node } = forgeChain();
  const foreignIssuers = [
    { name: 'node.crt', fingerprint256: node.certificate.fingerprint256, grant: ['*'] },
    { name: 'issuer.crt', fingerprint256: issuer.certificate.fingerprint256, grant: ['*'] },
  ];
  const trust = { trustDomain: TRUST_DOMAIN, roots: [root.certificate], foreignIssuers };
  const outside = forge({ ...SHAPE.svid, uris: [ISTIO] }, node).certificate;
  expect(reason(trust, [outside, node.certificate, issuer.certificate])).toBe('outside-grant');
});

test('an identity it vouched for can be revoked, and what it proved is told', () => {
  const { ca, trust } = world();
  const chain = [leaf(ca), ca.certificate];
  const verdict = verify(trust, chain);
  expect(verdict.ok && verdict.issued.map(({ spiffeId }) => spiffeId)).toEqual([ISTIO]);
  const revocations = new Revocations([{ subject: ISTIO, beforeMs: NOW_MS }]);
  expect(reason(trust, chain, { revocations })).toBe('revoked');
});

test('a peer met before is judged by the list of now', () => {
  const { ca, trust } = world();
  const memory = new CertificateMemory();
  const chain = [leaf(ca), ca.certificate];
  expect(reason(trust, chain, { memory })).toBe('accepted');
  expect(reason(trust, chain, { memory, expected: `${ISTIO}x` })).toBe('wrong-identity');
  expect(reason({ ...trust, foreignIssuers: [] }, chain, { memory })).toBe('bad-spiffe-id'); // of its issuer
});

test('what cannot be a foreign issuer is refused with a reason when it is listed', () => {
  const { root, node, svid } = forgeChain();
  const problem = (spec: ForeignIssuerSpec | readonly ForeignIssuerSpec[]): string => {
    try {
      parseForeignIssuers([spec].flat());
      return 'accepted';
    } catch (error) {
      return String(error);
    }
  };
  const ca = forge(CA, root);
  expect(problem(specOf(ca))).toBe('accepted');
  expect(problem({ ...specOf(ca), certificatePem: '' })).toContain('0 certificates');
  expect(problem({ ...specOf(ca), certificatePem: `${ca.certificate}${root.certificate}` })).toContain(
    '2 certificates',
  );
  expect(problem(specOf(svid))).toContain('not a CA');
  expect(problem(specOf(node))).toContain('a node of Weft');
  expect(problem(specOf(root))).toContain('could admit nodes');
  expect(problem(specOf(forge(CA)))).toContain('a root');
  expect(problem(specOf(forge({ ...SHAPE.issuer }, root)))).toContain('could admit nodes');
  expect(problem(specOf(forge({ ...SHAPE.issuer, authority: { pathLength: 0 } }, root)))).toBe('accepted');
  expect(problem(specOf(ca, ['node/*']))).toContain('pattern "node/*"');
  expect(problem([specOf(ca), specOf(ca, ['ns/other/*'], 'again.crt')])).toContain('the same certificate');
  expect(problem(Array.from({ length: 17 }, () => specOf(ca)))).toContain('at most 16');
});
