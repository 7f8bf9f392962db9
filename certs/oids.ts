/** Object identifiers, as the dotted text people know and the bytes certificates hold. @module */

/**
 * The arc of our own extensions: a random UUID in pieces below the arc that Microsoft keeps for numbers made this way,
 * which needs no registration. Not 2.25.UUID (ITU-T X.667 §7): Go, so go-spiffe and SPIRE, refuses a certificate that
 * has anywhere in it an OID with an arc of more than 31 bits. Never change it: certificates in the field carry it.
 */
const WEFT = '1.2.840.113556.1.8000.2554.14916.29619.42850.19886.41046.7584284.16379818';

export const OID = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  /** In node certificates, SEQUENCE OF UTF8String: the identity patterns the node may speak for. */
  weftGrant: `${WEFT}.1`,
  /** In operator certificates, SEQUENCE OF UTF8String: the `kind/namespace` patterns the operator may write. */
  weftScope: `${WEFT}.2`,
  /** In certificates that may be issued anew, SEQUENCE OF one UTF8String: when the first was, in ms of Unix time. */
  weftAdmitted: `${WEFT}.3`,
} as const;

/** The content octets of an OBJECT IDENTIFIER (X.690 §8.19). BigInt because others' arcs under 2.25 have 128 bits. */
export function encodeOid(dotted: string): Buffer {
  const [first = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  return Buffer.from([first * 40n + second, ...rest].flatMap(base128));
}

/** @returns undefined for bytes that are no identifier, or one too long to be worth naming */
export function decodeOid(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0 || bytes.length > 64 || bytes[bytes.length - 1]! >= 0x80) return undefined;
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of bytes) {
    if (arc === 0n && byte === 0x80) return undefined; // a leading zero group is not DER
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [head = 0n, ...rest] = arcs;
  const first = head < 80n ? head / 40n : 2n;
  return [first, head - first * 40n, ...rest].join('.');
}

function base128(arc: bigint): number[] {
  const groups = [Number(arc & 0x7fn)];
  for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80);
  return groups;
}
