/**
 * Assembles and signs a certificate (RFC 5280 §4). Mechanism only: who may have what is decided by the callers, and tests
 * forge with it what no caller would sign.
 *
 * node-forge writes the DER, as it cannot sign ECDSA; node:crypto signs. Signers are always ECDSA P-256.
 * @module
 */
import { createHash, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { KEY_USAGE, readCertificate } from './certificate.ts';
import {
  type Asn1,
  bitString,
  childrenOf,
  context,
  explicit,
  integer,
  isTrue,
  octets,
  oid,
  parsed,
  sequence,
  setOf,
  time,
  toDer,
  utf8,
} from './der-writer.ts';
import { OID } from './oids.ts';

export interface CertificateSpec {
  /** Common name, for people only; '' leaves the subject empty. */
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** URI alternative names. */
  readonly uris: readonly string[];
  /** Makes it a CA. */
  readonly authority?: { readonly pathLength: number };
  readonly keyUsage: readonly (keyof typeof KEY_USAGE)[];
  /** For TLS servers and clients alike. */
  readonly isTlsPeer?: boolean;
  /** Extensions of our own, each a list of strings, not critical: OpenSSL refuses critical ones it does not know. */
  readonly lists?: readonly { readonly oid: string; readonly strings: readonly string[] }[];
}

export interface CertificateSigner {
  /** Absent when the certificate signs itself. */
  readonly certificate?: X509Certificate;
  readonly privateKey: KeyObject;
}

/** Instants are cut to whole seconds, so a certificate ends at or before `notAfterMs`. */
export function signCertificate(spec: CertificateSpec, signer: CertificateSigner): X509Certificate {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const publicKeyInfo = spec.publicKey.export({ type: 'spki', format: 'der' });
  const subject = spec.subject === '' ? sequence() : commonName(spec.subject);
  const issuer = issuerOf(signer);
  const ownKeyId = keyId(publicKeyInfo);
  const tbs = sequence(
    explicit(0, integer(Buffer.of(2))), // version 3
    integer(serialNumber()),
    algorithm,
    issuer?.name ?? subject,
    sequence(time(spec.notBeforeMs), time(spec.notAfterMs)),
    subject,
    parsed(publicKeyInfo),
    explicit(3, sequence(...extensions(spec, ownKeyId, issuer?.keyId ?? ownKeyId))),
  );
  const signature = sign('sha256', toDer(tbs), { key: signer.privateKey, dsaEncoding: 'der' });
  return new X509Certificate(toDer(sequence(tbs, algorithm, bitString(signature, 0))));
}

function issuerOf({ certificate }: CertificateSigner): { readonly name: Asn1; readonly keyId: Buffer } | undefined {
  if (certificate === undefined) return undefined;
  const read = readCertificate(certificate);
  if (!read.ok) throw new Error(`issuer certificate ${read.detail}`);
  const { subjectName, subjectKeyId, publicKey } = read.facts;
  return {
    name: parsed(subjectName),
    keyId: subjectKeyId ?? keyId(publicKey.export({ type: 'spki', format: 'der' })),
  };
}

function extensions(spec: CertificateSpec, ownKeyId: Buffer, issuerKeyId: Buffer): Asn1[] {
  const { authority } = spec;
  const constraints = authority ? sequence(isTrue(), integer(Buffer.of(authority.pathLength))) : sequence();
  const list = [
    extension(OID.basicConstraints, 'critical', constraints),
    extension(OID.keyUsage, 'critical', usageBits(spec.keyUsage)),
    extension(OID.subjectKeyIdentifier, '', octets(ownKeyId)),
    extension(OID.authorityKeyIdentifier, '', sequence(context(0, issuerKeyId))),
  ];
  if (spec.isTlsPeer)
    list.push(extension(OID.extendedKeyUsage, '', sequence(oid(OID.serverAuth), oid(OID.clientAuth))));
  if (spec.uris.length > 0) {
    // RFC 5280 §4.2.1.6: critical when there is no subject to go by.
    const names = spec.uris.map((uri) => context(6, Buffer.from(uri, 'latin1')));
    list.push(extension(OID.subjectAltName, spec.subject === '' ? 'critical' : '', sequence(...names)));
  }
  for (const { oid: id, strings } of spec.lists ?? []) list.push(extension(id, '', sequence(...strings.map(utf8))));
  return list;
}

/** 128 bits, random but for the first two: positive, of a constant length, never zero. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes;
}

/** The leftmost 160 bits of the SHA-256 of the public key (RFC 7093 §2, method 1). */
function keyId(publicKeyInfo: Buffer): Buffer {
  const [, key] = childrenOf(parsed(publicKeyInfo));
  return createHash('sha256').update(toDer(key!)).digest().subarray(0, 20);
}

/** Bits in DER end with the last one that is set (X.690 §11.2.2). */
function usageBits(usage: CertificateSpec['keyUsage']): Asn1 {
  const bits = usage.reduce((sum, name) => sum | KEY_USAGE[name], 0);
  return bitString(Buffer.of(bits), bits === 0 ? 0 : 31 - Math.clz32(bits & -bits));
}

/** A name of one common name, for people only. */
export function commonName(text: string): Asn1 {
  const attribute = sequence(oid(OID.commonName), utf8(text.slice(0, 64))); // ub-common-name
  return sequence(setOf(attribute));
}

function extension(id: string, critical: 'critical' | '', value: Asn1): Asn1 {
  return sequence(oid(id), ...(critical ? [isTrue()] : []), octets(toDer(value)));
}
