/**
 * Issuers: whoever holds a key that a root certified for admitting nodes.
 *
 * Two things are made with it: node certificates, and the proof to peers and joiners that one is an issuer. The key does
 * nothing else, and is read from its own directory.
 * @module
 */
import { generateKeyPairSync, type KeyObject, sign, verify, type X509Certificate } from 'node:crypto';
import { readCertificate } from './certificate.ts';
import { CertsError } from './errors.ts';
import { readCertificates, readPrivateKey } from './files.ts';
import { checkGrant } from './grant.ts';
import { signCertificate } from './issue.ts';
import { verifyIssuer } from './issuer-chain.ts';
import { OID } from './oids.ts';
import { nodeId, parseTrustDomainId, trustDomainId } from './spiffe.ts';
import type { TrustBundle } from './trust-bundle.ts';
import { toPem } from './trust-bundle.ts';
import { trustDomainFiles } from './trust-domain.ts';
import { type ChainOptions, CLOCK_SKEW_MS, type Refused, verifyChain } from './verify.ts';

export interface Issuer {
  /** Of its certificate, for messages. */
  readonly file: string;
  readonly trustDomain: string;
  readonly privateKey: KeyObject;
  readonly certificate: X509Certificate;
  readonly expiresAtMs: number;
}

export interface NodeRequest {
  readonly name: string;
  readonly grant: readonly string[];
  readonly publicKey: KeyObject;
  readonly ttlMs: number;
  readonly nowMs: number;
  /** When it was admitted, if that is not now; kept when a certificate is renewed. */
  readonly admittedAtMs?: number;
}

/**
 * @param directory with issuer.key and issuer.crt, as `weft init` wrote them
 * @throws CertsError naming the file and what to do about it
 */
export function loadIssuer(directory: string): Issuer {
  const files = trustDomainFiles(directory);
  const file = files.issuerCertificate;
  const privateKey = readPrivateKey(files.issuerKey);
  const certificate = readCertificates(file)[0]!;
  const read = readCertificate(certificate);
  if (!read.ok) throw new CertsError('WEFT_CERTS_ISSUER_INVALID', `${file} ${read.detail}`);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new CertsError('WEFT_CERTS_KEY_MISMATCH', `${files.issuerKey} and ${file}`);
  }
  const trustDomain = parseTrustDomainId(read.facts.uris[0] ?? '');
  if (trustDomain === undefined || !read.facts.isP256) {
    throw new CertsError('WEFT_CERTS_ISSUER_INVALID', `${file} is no certificate of an issuer`);
  }
  return { file, trustDomain, privateKey, certificate, expiresAtMs: read.facts.notAfterMs };
}

/**
 * Signs a node certificate, which ends with the issuer's at the latest.
 *
 * @returns the chain a node presents: its own certificate, then the issuer's
 * @throws CertsError when name or grant will not do, or the issuer cannot sign now
 */
export function issueNodeCertificate(issuer: Issuer, trust: TrustBundle, request: NodeRequest): X509Certificate[] {
  const { name, grant, publicKey, ttlMs, nowMs, admittedAtMs = nowMs } = request;
  checkGrant(grant);
  const certificate = signCertificate(
    {
      subject: `Weft node ${name}`,
      publicKey,
      notBeforeMs: nowMs - CLOCK_SKEW_MS,
      notAfterMs: Math.min(nowMs + ttlMs, issuer.expiresAtMs),
      uris: [nodeId(issuer.trustDomain, name)],
      authority: { pathLength: 0 },
      keyUsage: ['digitalSignature', 'keyCertSign'],
      lists: [
        { oid: OID.weftGrant, strings: grant },
        { oid: OID.weftAdmitted, strings: [String(Math.floor(admittedAtMs))] },
      ],
    },
    issuer,
  );
  const chain = [certificate, issuer.certificate];
  // What no peer would accept is not handed out; this also finds an issuer that expired or lost its root.
  const verdict = verifyChain(chain, { trust, role: 'node', nowMs });
  if (!verdict.ok) throw new CertsError('WEFT_CERTS_ISSUER_INVALID', `${issuer.file}: ${verdict.detail}`);
  return chain;
}

/** A TLS credential that only an issuer can have: a key, and a certificate of the issuer's own making for it. */
export interface DeskCredential {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/**
 * What the join listener of an issuer shows. It is signed by the issuer itself and is no CA, so that neither a node
 * certificate nor an SVID can pass for it, and joiners give their token to issuers only.
 *
 * @param root the root that signed the issuer: a joiner knows its fingerprint, not its bytes
 */
export function mintDeskCredential(
  issuer: Issuer,
  root: X509Certificate,
  times: { readonly ttlMs: number; readonly nowMs: number },
): DeskCredential {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = signCertificate(
    {
      subject: '',
      publicKey: keys.publicKey,
      notBeforeMs: times.nowMs - CLOCK_SKEW_MS,
      notAfterMs: Math.min(times.nowMs + times.ttlMs, issuer.expiresAtMs),
      uris: [trustDomainId(issuer.trustDomain)],
      keyUsage: ['digitalSignature'],
      isTlsPeer: true,
    },
    issuer,
  );
  return {
    certificatePem: toPem([certificate, issuer.certificate, root]),
    privateKeyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** What an issuer says of itself in the mesh, where anybody could say so. */
export interface IssuerProof {
  readonly certificate: X509Certificate;
  readonly signature: Uint8Array;
}

/** @param claim what is claimed beside being an issuer, such as where joiners are welcome */
export function proveIssuer(issuer: Issuer, node: string, claim: string): IssuerProof {
  const { certificate, privateKey, trustDomain } = issuer;
  return { certificate, signature: sign('sha256', proofStatement(trustDomain, node, claim), privateKey) };
}

/** @returns why it is no proof, or undefined when it is one */
export function refuseProof(
  { certificate, signature }: IssuerProof,
  about: { readonly node: string; readonly claim: string },
  options: ChainOptions,
): Refused | undefined {
  const refused = verifyIssuer(certificate, options);
  if (refused !== undefined) return refused;
  const statement = proofStatement(options.trust.trustDomain, about.node, about.claim);
  if (isSignedBy(certificate.publicKey, statement, signature)) return undefined;
  return { ok: false, reason: 'bad-signature', detail: `the proof of ${about.node} is not signed by its issuer key` };
}

function isSignedBy(key: KeyObject, statement: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify('sha256', statement, key, signature);
  } catch {
    return false; // bytes that are no signature at all
  }
}

function proofStatement(trustDomain: string, node: string, claim: string): Uint8Array {
  return new TextEncoder().encode(`weft issuer 1\n${trustDomain}\n${node}\n${claim}\n`);
}
