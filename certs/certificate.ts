/**
 * What a certificate says, read strictly from its bytes.
 *
 * Node's X509Certificate parses with OpenSSL, and does not tell path lengths, criticality or our extensions; its list of
 * alternative names is text that a hostile name can imitate. So the facts that decide come from here, from the same bytes
 * that the signature covers. Nothing is judged here: see verify.ts.
 * @module
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { DerError, DerReader, firstBits, instantMs, isTrue, smallInteger, TAG } from './der.ts';
import { decodeOid, encodeOid, OID } from './oids.ts';

/** Ours have some 700 bytes; a full grant adds 4 kB. */
export const MAX_CERTIFICATE_BYTES = 16_384;
const MAX_EXTENSIONS = 32;
const MAX_LIST = 128;

/** Bits of the first octet of a key usage (RFC 5280 §4.2.1.3). */
export const KEY_USAGE = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 } as const;

export interface CertificateFacts {
  /** DER, to be compared byte by byte. */
  readonly issuerName: Buffer;
  readonly subjectName: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly isCa: boolean;
  /** How many CA certificates may follow below; undefined when unlimited. */
  readonly pathLength: number | undefined;
  /** Bits of KEY_USAGE; undefined without the extension, or where it is not critical as X509-SVID §4.3 demands. */
  readonly keyUsage: number | undefined;
  /** OIDs; undefined without the extension, which means any use. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** URI alternative names as sent, one character a byte. */
  readonly uris: readonly string[];
  readonly grant: readonly string[] | undefined;
  readonly scope: readonly string[] | undefined;
  /** When the node was admitted: a renewed certificate keeps it. */
  readonly admittedAtMs: number | undefined;
  readonly subjectKeyId: Buffer | undefined;
  readonly isP256: boolean;
  readonly signatureAlgorithm: string | undefined;
  readonly publicKey: KeyObject;
  /** Of the whole certificate, as OpenSSL writes it. */
  readonly fingerprint256: string;
}

export type ReadCertificate =
  | { readonly ok: true; readonly facts: CertificateFacts }
  | { readonly ok: false; readonly detail: string };

/** Never throws: whatever is wrong with hostile bytes comes back as a constant phrase. */
export function readCertificate(certificate: X509Certificate): ReadCertificate {
  try {
    const { raw } = certificate;
    if (raw.length > MAX_CERTIFICATE_BYTES) {
      return { ok: false, detail: `has ${raw.length} bytes, at most ${MAX_CERTIFICATE_BYTES} are read` };
    }
    return { ok: true, facts: readFacts(raw, certificate) };
  } catch (err) {
    // What is not a DerError comes from OpenSSL, over a key it cannot load.
    return { ok: false, detail: err instanceof DerError ? err.message : 'its public key cannot be used' };
  }
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue } (RFC 5280 §4.1). */
function readFacts(raw: Buffer, certificate: X509Certificate): CertificateFacts {
  const file = new DerReader(raw);
  const outer = file.enter(TAG.sequence);
  file.end();
  const tbs = outer.enter(TAG.sequence);
  const signatureAlgorithm = outer.readWhole(TAG.sequence);
  outer.read(TAG.bitString);
  outer.end();

  if (smallInteger(tbs.enter(TAG.explicit0).read(TAG.integer)) !== 2) throw new DerError('is not of version 3');
  tbs.read(TAG.integer); // serial number
  if (!tbs.readWhole(TAG.sequence).equals(signatureAlgorithm)) throw new DerError('names two signature algorithms');
  const issuerName = tbs.readWhole(TAG.sequence);
  const validity = tbs.enter(TAG.sequence);
  const notBeforeMs = readInstant(validity);
  const notAfterMs = readInstant(validity);
  validity.end();
  const subjectName = tbs.readWhole(TAG.sequence);
  const publicKeyInfo = tbs.readWhole(TAG.sequence);
  const extensions = readExtensions(tbs.enter(TAG.explicit3)); // version 1 unique identifiers are refused with it
  tbs.end();

  return {
    issuerName,
    subjectName,
    notBeforeMs,
    notAfterMs,
    ...extensions,
    isP256: publicKeyInfo.subarray(0, P256_PREFIX.length).equals(P256_PREFIX),
    signatureAlgorithm: decodeOid(new DerReader(signatureAlgorithm).enter(TAG.sequence).read(TAG.oid)),
    publicKey: certificate.publicKey,
    fingerprint256: certificate.fingerprint256,
  };
}

function readInstant(validity: DerReader): number {
  const { tag, content } = validity.readAny();
  return instantMs(tag, content);
}

type ExtensionFacts = Pick<
  CertificateFacts,
  'isCa' | 'pathLength' | 'keyUsage' | 'extendedKeyUsage' | 'uris' | 'grant' | 'scope' | 'admittedAtMs' | 'subjectKeyId'
>;

function readExtensions(wrapper: DerReader): ExtensionFacts {
  const found = new Map<string, { readonly isCritical: boolean; readonly value: Buffer }>();
  const list = wrapper.enter(TAG.sequence);
  wrapper.end();
  while (!list.isAtEnd) {
    const extension = list.enter(TAG.sequence);
    const id = extension.read(TAG.oid);
    const isCritical = isTrue(extension.readOptional(TAG.boolean));
    const value = extension.read(TAG.octetString);
    extension.end();
    const key = id.toString('hex');
    if (isCritical && !UNDERSTOOD.has(key)) throw new DerError(`demands extension ${decodeOid(id)}, which is unknown`);
    if (found.has(key)) throw new DerError('has an extension twice');
    if (found.size === MAX_EXTENSIONS) throw new DerError(`has more than ${MAX_EXTENSIONS} extensions`);
    found.set(key, { isCritical, value });
  }
  const read = <T>(id: string, parse: (value: DerReader) => T): T | undefined => {
    const extension = found.get(id);
    if (extension === undefined) return undefined;
    const value = new DerReader(extension.value);
    const parsed = parse(value);
    value.end();
    return parsed;
  };
  const constraints = read(EXTENSION.basicConstraints, readBasicConstraints);
  const keyUsage = read(EXTENSION.keyUsage, (value) => firstBits(value.read(TAG.bitString)));
  return {
    isCa: constraints?.isCa ?? false,
    pathLength: constraints?.pathLength,
    keyUsage: found.get(EXTENSION.keyUsage)?.isCritical ? keyUsage : undefined,
    extendedKeyUsage: read(EXTENSION.extendedKeyUsage, readIdentifiers),
    uris: read(EXTENSION.subjectAltName, readUris) ?? [],
    grant: read(EXTENSION.weftGrant, readStrings),
    scope: read(EXTENSION.weftScope, readStrings),
    admittedAtMs: read(EXTENSION.weftAdmitted, readMilliseconds),
    subjectKeyId: read(EXTENSION.subjectKeyIdentifier, (value) => value.read(TAG.octetString)),
  };
}

function readBasicConstraints(value: DerReader): { readonly isCa: boolean; readonly pathLength: number | undefined } {
  const fields = value.enter(TAG.sequence);
  const isCa = isTrue(fields.readOptional(TAG.boolean));
  const pathLength = fields.readOptional(TAG.integer);
  fields.end();
  return { isCa, pathLength: pathLength && smallInteger(pathLength) };
}

/** Only URIs are identities; what else a SPIFFE implementation adds (DNS names for old clients) is passed over. */
function readUris(value: DerReader): readonly string[] {
  return readList(value, (names) => names.readAny())
    .filter((name) => name.tag === TAG.context6)
    .map((name) => name.content.toString('latin1'));
}

function readIdentifiers(value: DerReader): readonly string[] {
  return readList(value, (ids) => decodeOid(ids.read(TAG.oid)) ?? '');
}

function readStrings(value: DerReader): readonly string[] {
  return readList(value, (strings) => strings.read(TAG.utf8String).toString('utf8'));
}

function readMilliseconds(value: DerReader): number {
  const [text = '', ...others] = readStrings(value);
  if (!/^[0-9]{1,15}$/.test(text) || others.length > 0) throw new DerError('bad time of admission');
  return Number(text);
}

function readList<T>(value: DerReader, readItem: (items: DerReader) => T): readonly T[] {
  const items = value.enter(TAG.sequence);
  const list: T[] = [];
  while (!items.isAtEnd) {
    if (list.length === MAX_LIST) throw new DerError(`lists more than ${MAX_LIST} things in an extension`);
    list.push(readItem(items));
  }
  return list;
}

const hexOid = (dotted: string): string => encodeOid(dotted).toString('hex');

const EXTENSION = {
  basicConstraints: hexOid(OID.basicConstraints),
  keyUsage: hexOid(OID.keyUsage),
  extendedKeyUsage: hexOid(OID.extendedKeyUsage),
  subjectAltName: hexOid(OID.subjectAltName),
  subjectKeyIdentifier: hexOid(OID.subjectKeyIdentifier),
  weftGrant: hexOid(OID.weftGrant),
  weftScope: hexOid(OID.weftScope),
  weftAdmitted: hexOid(OID.weftAdmitted),
} as const;

/** Extensions that may be critical, because what they say is taken into account. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  EXTENSION.basicConstraints,
  EXTENSION.keyUsage,
  EXTENSION.extendedKeyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.weftGrant,
  EXTENSION.weftScope,
  EXTENSION.weftAdmitted,
]);

/** SubjectPublicKeyInfo of every uncompressed P-256 key, up to its point (RFC 5480 §2). */
const P256_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
