import { expect, test } from 'vitest';
import { OID } from '../../certs/oids.ts';
import { parseCertificates, parseTrustBundle, toPem } from '../../certs/trust-bundle.ts';
import { forge, forgeChain, TRUST_DOMAIN } from './trust.ts';

const { root, issuer } = forgeChain();

test('roots are read in order, whatever stands around them', () => {
  const pem = `# two roots\n${toPem([root.certificate])}\nthe next one\n${toPem([issuer.certificate])}`;
  const { trustDomain, roots } = parseTrustBundle(TRUST_DOMAIN, pem);
  expect(trustDomain).toBe(TRUST_DOMAIN);
  expect(roots.map((certificate) => certificate.raw)).toEqual([root.certificate.raw, issuer.certificate.raw]);
});

test('eight roots are enough for any rotation, and more are refused', () => {
  const many = (count: number) => toPem(Array.from({ length: count }, () => root.certificate));
  expect(parseTrustBundle(TRUST_DOMAIN, many(8)).roots).toHaveLength(8);
  expect(() => parseTrustBundle(TRUST_DOMAIN, many(9), 'roots.crt')).toThrow('roots.crt has 9 roots, at most 8');
});

test('a bundle without a root, or with one that would vouch for nobody, is refused with its source', () => {
  expect(() => parseTrustBundle(TRUST_DOMAIN, '', 'roots.crt')).toThrow('roots.crt: no root certificate to trust');
  const huge = forge({ lists: [{ oid: OID.weftScope, strings: ['x'.repeat(20_000)] }] });
  const pem = toPem([root.certificate, huge.certificate]);
  expect(() => parseTrustBundle(TRUST_DOMAIN, pem, 'roots.crt')).toThrow('roots.crt: a root has 20');
  expect(() => parseTrustBundle('Test.example', pem)).toThrow('trust domain "Test.example"');
});

test('a text longer than any bundle is not searched', () => {
  const pem = toPem([root.certificate]) + ' '.repeat(262_144);
  expect(() => parseCertificates(pem, 'peer')).toThrow('peer is longer than 262144 characters');
});
