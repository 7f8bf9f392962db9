/** The roots that the certificates of a trust domain are checked against. Several, while a root is being rotated. @module */
import { X509Certificate } from 'node:crypto';
import { readCertificate } from './certificate.ts';
import { CertsError } from './errors.ts';
import { trustDomainId } from './spiffe.ts';

export interface TrustBundle {
  readonly trustDomain: string;
  readonly roots: readonly X509Certificate[];
  /** Those of other meshes that may sign SVIDs under these roots; none unless somebody listed them. */
  readonly foreignIssuers?: readonly ForeignIssuer[];
}

/** See foreign-issuer.ts. */
export interface ForeignIssuer {
  /** For messages: its common place in the configuration. */
  readonly name: string;
  /** Of the very certificate: a renewed one is listed beside the one before. */
  readonly fingerprint256: string;
  /** As of a node certificate: `ns/istio/*`. */
  readonly grant: readonly string[];
}

const MAX_ROOTS = 8;
const MAX_PEM_LENGTH = 262_144;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * @param source where the text came from, for the message
 * @throws CertsError when there is no root, too many, or one that cannot be used
 */
export function parseTrustBundle(trustDomain: string, rootsPem: string, source = 'trust bundle'): TrustBundle {
  trustDomainId(trustDomain); // refuses a name that no certificate could carry
  const roots = parseCertificates(rootsPem, source);
  if (roots.length === 0) throw new CertsError('WEFT_CERTS_NO_ROOTS', source);
  if (roots.length > MAX_ROOTS) {
    throw new CertsError('WEFT_CERTS_TOO_MANY_ROOTS', `${source} has ${roots.length} roots, at most ${MAX_ROOTS}`);
  }
  for (const root of roots) {
    const read = readCertificate(root);
    if (!read.ok) throw new CertsError('WEFT_CERTS_CERTIFICATE_MALFORMED', `${source}: a root ${read.detail}`);
  }
  return { trustDomain, roots };
}

/** All certificates in a PEM text, in order. Text around them is a comment, as OpenSSL has it. */
export function parseCertificates(pem: string, source: string): readonly X509Certificate[] {
  if (pem.length > MAX_PEM_LENGTH) {
    throw new CertsError('WEFT_CERTS_CERTIFICATE_MALFORMED', `${source} is longer than ${MAX_PEM_LENGTH} characters`);
  }
  try {
    return (pem.match(PEM_CERTIFICATE) ?? []).map((text) => new X509Certificate(text));
  } catch (err) {
    throw new CertsError('WEFT_CERTS_CERTIFICATE_MALFORMED', source, { cause: err });
  }
}

export function toPem(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join('');
}
