/**
 * A node's bundle: its key, its certificate with the issuer's, and the roots it trusts.
 *
 * `weft node issue` writes one with an issuer's key; the agent loads it at start and refuses one that peers would refuse.
 * The key is also the node's libp2p identity.
 * @module
 */
import { generateKeyPairSync, type KeyObject, type X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { readCertificate } from './certificate.ts';
import { CertsError, type CertsErrorCode } from './errors.ts';
import {
  listDirectory,
  makeDirectory,
  readCertificates,
  readPrivateKey,
  readPublic,
  writeKey,
  writePublic,
} from './files.ts';
import { checkGrant } from './grant.ts';
import { signCertificate } from './issue.ts';
import { OID } from './oids.ts';
import { nodeId, parseSpiffeId, parseTrustDomainId } from './spiffe.ts';
import { parseTrustBundle, type TrustBundle, toPem } from './trust-bundle.ts';
import { trustDomainFiles } from './trust-domain.ts';
import { CLOCK_SKEW_MS, type Refusal, verifyChain } from './verify.ts';

export interface NodeBundleOptions {
  /** Where `weft init` wrote; the root's key need not be there. */
  readonly trustDirectory: string;
  readonly name: string;
  /** Identity patterns the node may speak for: `ns/shop/*`. */
  readonly grant: readonly string[];
  /** Made if absent. A bundle of the same node in it is replaced. */
  readonly directory: string;
  readonly ttlMs?: number;
  readonly nowMs?: number;
}

export interface NodeIdentity {
  readonly trustDomain: string;
  readonly name: string;
  readonly spiffeId: string;
  readonly grant: readonly string[];
  readonly privateKey: KeyObject;
  /** Node, issuer. */
  readonly chain: readonly X509Certificate[];
  readonly trust: TrustBundle;
  /** When the first certificate on the way to the root expires. */
  readonly expiresAtMs: number;
}

interface BundleFiles {
  readonly key: string;
  readonly certificates: string;
  readonly roots: string;
}

const DEFAULT_TTL_MS = 7 * 86_400_000;

export function nodeBundleFiles(directory: string): BundleFiles {
  return {
    key: join(directory, 'node.key'),
    certificates: join(directory, 'node.crt'),
    roots: join(directory, 'roots.crt'),
  };
}

/** @throws CertsError when the issuer cannot sign now, or name, grant or directory will not do */
export function issueNodeBundle(options: NodeBundleOptions): void {
  const { trustDirectory, name, grant, directory, ttlMs = DEFAULT_TTL_MS, nowMs = Date.now() } = options;
  checkGrant(grant);
  const issuer = readIssuer(trustDirectory);
  const spiffeId = nodeId(issuer.trustDomain, name);
  checkNotTaken(directory, spiffeId);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = signCertificate(
    {
      subject: `Weft node ${name}`,
      publicKey: keys.publicKey,
      notBeforeMs: nowMs - CLOCK_SKEW_MS,
      notAfterMs: Math.min(nowMs + ttlMs, issuer.expiresAtMs),
      uris: [spiffeId],
      authority: { pathLength: 0 },
      keyUsage: ['digitalSignature', 'keyCertSign'],
      lists: [{ oid: OID.weftGrant, strings: grant }],
    },
    { certificate: issuer.chain[0]!, privateKey: issuer.privateKey },
  );
  const chain = [certificate, ...issuer.chain];
  // What no peer would accept is not handed out; this also finds an issuer that expired or lost its root.
  const verdict = verifyChain(chain, { trust: issuer.trust, role: 'node', nowMs });
  if (!verdict.ok) throw new CertsError('WEFT_CERTS_ISSUER_INVALID', `${issuer.file}: ${verdict.detail}`);

  const files = nodeBundleFiles(directory);
  makeDirectory(directory);
  writeKey(files.key, keys.privateKey);
  writePublic(files.certificates, toPem(chain));
  writePublic(files.roots, toPem(issuer.trust.roots));
}

/** @throws CertsError naming the file and what to do about it */
export function loadNodeBundle(directory: string, nowMs: number = Date.now()): NodeIdentity {
  const files = nodeBundleFiles(directory);
  const privateKey = readPrivateKey(files.key);
  const chain = readCertificates(files.certificates);
  const [node] = chain;
  const read = readCertificate(node!);
  if (!read.ok) throw new CertsError('WEFT_CERTS_NODE_INVALID', `${files.certificates} ${read.detail}`);
  const { uris, grant = [] } = read.facts;
  const id = parseSpiffeId(uris[0] ?? '');
  if (id === undefined) throw new CertsError('WEFT_CERTS_NODE_INVALID', `${files.certificates} names no identity`);
  const trust = parseTrustBundle(id.trustDomain, readPublic(files.roots), files.roots);
  const verdict = verifyChain(chain, { trust, role: 'node', nowMs });
  if (!verdict.ok) {
    const code = LOAD_ERRORS[verdict.reason] ?? 'WEFT_CERTS_NODE_INVALID';
    throw new CertsError(code, `${files.certificates} (${verdict.reason}: ${verdict.detail})`);
  }
  if (!node!.checkPrivateKey(privateKey)) {
    throw new CertsError('WEFT_CERTS_KEY_MISMATCH', `${files.key} and ${files.certificates}`);
  }
  const { spiffeId, node: name, expiresAtMs } = verdict;
  return { trustDomain: id.trustDomain, name, spiffeId, grant, privateKey, chain, trust, expiresAtMs };
}

/** Refusals with a remedy of their own. */
const LOAD_ERRORS: { readonly [R in Refusal]?: CertsErrorCode } = {
  expired: 'WEFT_CERTS_NODE_EXPIRED',
  'untrusted-root': 'WEFT_CERTS_NODE_UNTRUSTED',
  'no-grant': 'WEFT_CERTS_NODE_NO_GRANT',
};

interface Issuer {
  readonly file: string;
  readonly trustDomain: string;
  readonly privateKey: KeyObject;
  /** The issuer's certificate first. */
  readonly chain: readonly X509Certificate[];
  readonly trust: TrustBundle;
  readonly expiresAtMs: number;
}

function readIssuer(trustDirectory: string): Issuer {
  const files = trustDomainFiles(trustDirectory);
  const file = files.issuerCertificate;
  const privateKey = readPrivateKey(files.issuerKey);
  const chain = readCertificates(file);
  const [certificate] = chain;
  const read = readCertificate(certificate!);
  if (!read.ok) throw new CertsError('WEFT_CERTS_ISSUER_INVALID', `${file} ${read.detail}`);
  if (!certificate!.checkPrivateKey(privateKey)) {
    throw new CertsError('WEFT_CERTS_KEY_MISMATCH', `${files.issuerKey} and ${file}`);
  }
  const trustDomain = parseTrustDomainId(read.facts.uris[0] ?? '');
  if (trustDomain === undefined || !read.facts.isP256) {
    throw new CertsError('WEFT_CERTS_ISSUER_INVALID', `${file} is no certificate of an issuer`);
  }
  const trust = parseTrustBundle(trustDomain, readPublic(files.roots), files.roots);
  return { file, trustDomain, privateKey, chain, trust, expiresAtMs: read.facts.notAfterMs };
}

/** Renewing in place is fine; replacing one node by another would leave two nodes with one bundle. */
function checkNotTaken(directory: string, spiffeId: string): void {
  if (!listDirectory(directory).includes('node.crt')) return;
  const file = nodeBundleFiles(directory).certificates;
  const read = readCertificate(readCertificates(file)[0]!);
  const taken = read.ok ? read.facts.uris[0] : undefined;
  if (taken !== spiffeId) throw new CertsError('WEFT_CERTS_DIRECTORY_TAKEN', `${directory} (${taken ?? 'unreadable'})`);
}
