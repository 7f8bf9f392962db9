import { describe, expect, test } from 'vitest';
import type { CertificateSpec } from '../../certs/issue.ts';
import { verifyDesk, verifyIssuer } from '../../certs/issuer-chain.ts';
import { forge, forgeChain, HOUR_MS, NOW_MS, TRUST_DOMAIN } from './trust.ts';

const DESK = { uris: [`spiffe://${TRUST_DOMAIN}`], keyUsage: ['digitalSignature'], isTlsPeer: true } as const;

function judge(twists: { issuer?: Partial<CertificateSpec>; desk?: Partial<CertificateSpec> }, nowMs = NOW_MS): string {
  const { trust, issuer } = forgeChain(twists.issuer === undefined ? {} : { issuer: twists.issuer });
  const desk = forge({ ...DESK, notBeforeMs: NOW_MS - HOUR_MS, notAfterMs: NOW_MS + HOUR_MS, ...twists.desk }, issuer);
  return verifyDesk([desk.certificate, issuer.certificate], { trust, nowMs })?.reason ?? 'accepted';
}

test('the desk of an issuer is one that an issuer of the trust domain certified, in its time', () => {
  expect(judge({})).toBe('accepted');
  expect(judge({}, NOW_MS + 2 * HOUR_MS)).toBe('expired');
  expect(judge({}, NOW_MS - 2 * HOUR_MS)).toBe('not-yet-valid');
});

describe('what is no desk', () => {
  test.each<[string, Parameters<typeof judge>[0], string]>([
    ['of another trust domain', { desk: { uris: ['spiffe://other.example'] } }, 'wrong-trust-domain'],
    ['with the name of a workload', { desk: { uris: [`spiffe://${TRUST_DOMAIN}/ns/a/sa/b`] } }, 'wrong-trust-domain'],
    ['that is a CA', { desk: { authority: { pathLength: 0 } } }, 'wrong-role'],
    ['that may not sign', { desk: { keyUsage: ['cRLSign'] } }, 'key-usage'],
    ['of an authority that may sign no nodes', { issuer: { authority: { pathLength: 0 } } }, 'path-length'],
    ['of an authority with a path', { issuer: { uris: [`spiffe://${TRUST_DOMAIN}/node/a`] } }, 'wrong-trust-domain'],
    ['of an authority that may not certify', { issuer: { keyUsage: ['cRLSign'] } }, 'key-usage'],
  ])('one %s', (_what, twists, reason) => {
    expect(judge(twists)).toBe(reason);
  });

  test('the chain of a node, of a workload, and any of another length', () => {
    const { trust, chain } = forgeChain();
    const [svid, node, issuer] = chain as [(typeof chain)[0], (typeof chain)[0], (typeof chain)[0]];
    const options = { trust, nowMs: NOW_MS };
    expect(verifyDesk([node, issuer], options)?.reason).toBe('wrong-role');
    expect(verifyDesk([svid, node], options)?.reason).toBe('untrusted-root');
    for (const some of [[], [issuer], chain]) expect(verifyDesk(some, options)?.reason).toBe('wrong-role');
  });
});

test('an issuer is one that a trusted root certified as such', () => {
  const { trust, issuer, node, root } = forgeChain();
  const options = { trust, nowMs: NOW_MS };
  expect(verifyIssuer(issuer.certificate, options)).toBeUndefined();
  expect(verifyIssuer(node.certificate, options)?.reason).toBe('untrusted-root');
  expect(verifyIssuer(root.certificate, options)?.reason).toBe('path-length');
  expect(verifyIssuer(forgeChain().issuer.certificate, options)?.reason).toBe('untrusted-root');
});
