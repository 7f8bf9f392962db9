import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KEY_USAGE, readCertificate } from '../../certs/certificate.ts';
import { type CertificateSpec, signCertificate } from '../../certs/issue.ts';
import { OID } from '../../certs/oids.ts';
import { parseChain } from '../../certs/verify.ts';
import { SEEDED } from './properties.ts';
import { altered, forgeChain } from './trust.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SECOND_MS = 1_000;

const instant = fc.integer({ min: Date.UTC(1970) / SECOND_MS, max: Date.UTC(2200) / SECOND_MS });
const anySpec: fc.Arbitrary<CertificateSpec> = fc.record(
  {
    publicKey: fc.constant(publicKey),
    subject: fc.string({ maxLength: 80, unit: 'grapheme' }),
    notBeforeMs: instant.map((s) => s * SECOND_MS),
    notAfterMs: instant.map((s) => s * SECOND_MS),
    uris: fc.array(fc.string({ maxLength: 300, unit: fc.constantFrom('a', ':', '/', '\0', '\n') }), { maxLength: 4 }),
    keyUsage: fc.subarray(['digitalSignature', 'keyCertSign', 'cRLSign'] as const, { minLength: 1 }),
    authority: fc.record({ pathLength: fc.nat(127) }),
    isTlsPeer: fc.boolean(),
    lists: fc
      .array(fc.string({ maxLength: 50 }), { maxLength: 20 })
      .map((strings) => [{ oid: OID.weftGrant, strings }]),
  },
  { requiredKeys: ['publicKey', 'subject', 'notBeforeMs', 'notAfterMs', 'uris', 'keyUsage'] },
);

test('what is signed into a certificate is what is read from it, by us and by OpenSSL', () => {
  fc.assert(
    fc.property(anySpec, (spec) => {
      const certificate = signCertificate(spec, { privateKey });
      const read = readCertificate(certificate);
      if (!read.ok) throw new Error(read.detail);
      expect(read.facts).toMatchObject({
        notBeforeMs: spec.notBeforeMs,
        notAfterMs: spec.notAfterMs,
        isCa: spec.authority !== undefined,
        pathLength: spec.authority?.pathLength,
        keyUsage: spec.keyUsage.reduce((sum, name) => sum | KEY_USAGE[name], 0),
        uris: spec.uris,
        grant: spec.lists?.[0]?.strings,
        isP256: true,
        signatureAlgorithm: OID.ecdsaWithSha256,
      });
      expect(certificate.ca).toBe(spec.authority !== undefined && spec.keyUsage.includes('keyCertSign'));
      expect(certificate.validFromDate.getTime()).toBe(spec.notBeforeMs);
      expect(certificate.validToDate.getTime()).toBe(spec.notAfterMs);
      expect(certificate.keyUsage).toEqual(spec.isTlsPeer ? [OID.serverAuth, OID.clientAuth] : undefined);
      expect(certificate.verify(publicKey)).toBe(true);
      expect(certificate.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    }),
    SEEDED,
  );
});

test('two certificates never share a serial number', () => {
  const chain = forgeChain().chain;
  expect(new Set(chain.map((certificate) => certificate.serialNumber)).size).toBe(chain.length);
});

test.each([
  ['version 1', '\xa0\x03\x02\x01\x02', '\xa0\x03\x02\x01\x00', 'version 3'],
  ['two signature algorithms', '\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02', null, 'two signature algorithms'],
  ['an extension twice', '\x06\x03\x55\x1d\x0e', '\x06\x03\x55\x1d\x23', 'an extension twice'],
  ['an unknown critical extension', '\x06\x03\x55\x1d\x0f', '\x06\x03\x55\x1d\x7f', 'demands extension 2.5.29.127'],
  ['a boolean that is neither', '\x01\x01\xff', '\x01\x01\x01', 'bad boolean'],
  ['30 February', '260115', '260230', 'bad time'],
])('a certificate with %s is refused', (_what, from, to, detail) => {
  const { svid } = forgeChain();
  const changed = altered(svid.certificate, from, to ?? from.replace('\x03\x02', '\x03\x03'));
  expect(readCertificate(changed)).toEqual({ ok: false, detail: expect.stringContaining(detail) });
});

test('a certificate of 100 kB is refused before it is read', () => {
  const lists = [{ oid: OID.weftGrant, strings: ['x'.repeat(100_000)] }];
  const { svid } = forgeChain({ svid: { lists } });
  expect(readCertificate(svid.certificate)).toEqual({ ok: false, detail: expect.stringContaining('at most 16384') });
  expect(parseChain([svid.certificate.raw])).toMatchObject({ ok: false, reason: 'malformed' });
});

test('a certificate with more extensions or names than any has is refused', () => {
  const lists = Array.from({ length: 40 }, (_, i) => ({ oid: `1.3.6.1.4.1.99999.${i}`, strings: [] }));
  const crowded = forgeChain({ svid: { lists } }).svid.certificate;
  expect(readCertificate(crowded)).toEqual({ ok: false, detail: 'has more than 32 extensions' });
  const named = forgeChain({ svid: { uris: Array.from({ length: 200 }, (_, i) => `a:${i}`) } }).svid.certificate;
  expect(readCertificate(named)).toEqual({ ok: false, detail: expect.stringContaining('more than 128 things') });
});

test('bytes from the wire become certificates, or a refusal when they are none or too many', () => {
  const ders = forgeChain().chain.map((certificate) => certificate.raw);
  const parsed = parseChain(ders);
  expect(Array.isArray(parsed) && parsed.map((certificate) => certificate.raw)).toEqual(ders);
  expect(parsed).toEqual([expect.any(X509Certificate), expect.any(X509Certificate), expect.any(X509Certificate)]);
  expect(parseChain([Buffer.from('garbage')])).toMatchObject({ ok: false, reason: 'malformed' });
  expect(parseChain([...ders, ...ders])).toMatchObject({ ok: false, reason: 'chain-too-long' });
});

test('no identifier of ours has an arc that Go cannot hold', () => {
  const arcs = Object.values(OID).flatMap((dotted) => dotted.split('.').map(Number));
  expect(Math.max(...arcs)).toBeLessThan(2 ** 31);
});
