/**
 * Issuers of another mesh under the same root, such as the one an ambient mesh signs with: their SVIDs come straight from a CA
 * that is no node of ours. Each is listed by whoever runs this node, with the identities that it may speak for.
 *
 * Nothing a certificate says makes it one of these, and none of these vouches for a node: what a node of ours may speak for
 * stays what its own certificate grants.
 * @module
 */
import { readCertificate } from './certificate.ts';
import { CertsError } from './errors.ts';
import { grantProblem } from './grant.ts';
import { kindOf, parseSpiffeId, parseTrustDomainId, quote } from './spiffe.ts';
import { type ForeignIssuer, parseCertificates } from './trust-bundle.ts';

/** Plain data, as it crosses threads. */
export interface ForeignIssuerSpec {
  readonly name: string;
  readonly certificatePem: string;
  readonly grant: readonly string[];
}

/** Bounds what is looked through for each new peer. */
export const MAX_FOREIGN_ISSUERS = 16;

/** @throws CertsError that names the issuer, for a certificate that cannot be one, and a grant that makes no sense */
export function parseForeignIssuers(specs: readonly ForeignIssuerSpec[]): readonly ForeignIssuer[] {
  if (specs.length > MAX_FOREIGN_ISSUERS) {
    throw bad('certs.foreignIssuers', `${specs.length} issuers, at most ${MAX_FOREIGN_ISSUERS}`);
  }
  const issuers = specs.map(parseForeignIssuer);
  const seen = new Map<string, string>();
  for (const { name, fingerprint256 } of issuers) {
    const other = seen.get(fingerprint256);
    if (other !== undefined) throw bad(name, `the same certificate as ${other}; give it one grant`);
    seen.set(fingerprint256, name);
  }
  return issuers;
}

function parseForeignIssuer({ name, certificatePem, grant }: ForeignIssuerSpec): ForeignIssuer {
  const [certificate, ...others] = parseCertificates(certificatePem, name);
  if (certificate === undefined || others.length > 0) {
    throw bad(name, `${others.length + (certificate === undefined ? 0 : 1)} certificates, needs exactly one in PEM`);
  }
  const read = readCertificate(certificate);
  if (!read.ok) throw bad(name, `its certificate ${read.detail}`);
  const { isCa, isP256, pathLength, grant: ownGrant, uris, fingerprint256 } = read.facts;
  if (!isCa) throw bad(name, 'its certificate is not a CA');
  if (!isP256) throw bad(name, 'its key is not ECDSA P-256');
  const ids = uris.map(parseSpiffeId);
  if (ownGrant !== undefined || ids.some((id) => id !== undefined && kindOf(id) === 'node')) {
    throw bad(name, 'its certificate is that of a node of Weft, whose grant it carries itself');
  }
  if (pathLength !== 0 && uris.some((uri) => parseTrustDomainId(uri) !== undefined)) {
    throw bad(
      name,
      'its certificate names the trust domain and may sign CAs, so it could admit nodes; give it path length 0',
    );
  }
  if (certificate.checkIssued(certificate)) throw bad(name, 'its certificate is a root; list what the root signed');
  const problem = grantProblem(grant);
  if (problem !== undefined) throw bad(name, `its grant has ${problem}; write patterns such as ns/istio/*`);
  return { name, fingerprint256, grant };
}

function bad(name: string, what: string): CertsError {
  return new CertsError('WEFT_CERTS_BAD_FOREIGN_ISSUER', `${quote(name)}: ${what}`);
}
