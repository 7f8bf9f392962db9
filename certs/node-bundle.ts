/**
 * A node's bundle: its key, its certificate with the issuer's, and the roots it trusts.
 *
 * `weft node issue` and `weft join` write one, a running agent renews its certificate in place; the agent loads it at start
 * and refuses one that peers would refuse. The key vouches for the node's libp2p identity.
 * @module
 */
import { generateKeyPairSync, type KeyObject, type X509Certificate } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { readCertificate } from './certificate.ts';
import { CertsError, type CertsErrorCode } from './errors.ts';
import {
  listDirectory,
  makeDirectory,
  readCertificates,
  readPrivateKey,
  readPublic,
  replaceFile,
  writeKey,
  writePublic,
} from './files.ts';
import { issueNodeCertificate, loadIssuer } from './issuer.ts';
import { forgetRotation, readRotation, writeRotation } from './root-rotation-files.ts';
import { nodeId, parseSpiffeId } from './spiffe.ts';
import { parseTrustBundle, type TrustBundle, toPem } from './trust-bundle.ts';
import { trustDomainFiles } from './trust-domain.ts';
import { type Refusal, verifyChain } from './verify.ts';

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
  /** The key of the certificate about to be put in place. */
  readonly nextKey: string;
  readonly certificates: string;
  readonly roots: string;
}

const DEFAULT_TTL_MS = 7 * 86_400_000;

export function nodeBundleFiles(directory: string): BundleFiles {
  return {
    key: join(directory, 'node.key'),
    nextKey: join(directory, 'node.key.next'),
    certificates: join(directory, 'node.crt'),
    roots: join(directory, 'roots.crt'),
  };
}

/** @throws CertsError when the issuer cannot sign now, or name, grant or directory will not do */
export function issueNodeBundle(options: NodeBundleOptions): void {
  const { trustDirectory, name, grant, directory, ttlMs = DEFAULT_TTL_MS, nowMs = Date.now() } = options;
  const issuer = loadIssuer(trustDirectory);
  const { roots } = trustDomainFiles(trustDirectory);
  const trust = parseTrustBundle(issuer.trustDomain, readPublic(roots), roots);
  checkNotTaken(directory, nodeId(issuer.trustDomain, name));
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const chain = issueNodeCertificate(issuer, trust, { name, grant, publicKey, ttlMs, nowMs });
  installNodeBundle(directory, { privateKey, chain, roots: trust.roots });
  const rotation = readRotation(trustDirectory);
  if (rotation !== undefined) writeRotation(directory, rotation);
}

export interface NodeBundle {
  /** Absent: the key that is there stays. */
  readonly privateKey?: KeyObject;
  readonly chain: readonly X509Certificate[];
  /** Absent: the roots that are there stay. */
  readonly roots?: readonly X509Certificate[];
}

/**
 * Writes a bundle so that whoever loads it meanwhile, or after a crash, finds the old one or the new one whole: the
 * certificate is put in place last, and until then the new key lies beside the old one.
 */
export function installNodeBundle(directory: string, { privateKey, chain, roots }: NodeBundle): void {
  const files = nodeBundleFiles(directory);
  makeDirectory(directory);
  if (privateKey !== undefined) forgetRotation(directory);
  if (roots !== undefined) writePublic(files.roots, toPem(roots));
  if (privateKey !== undefined) writeKey(files.nextKey, privateKey);
  writePublic(files.certificates, toPem(chain));
  if (privateKey !== undefined) replaceFile(files.nextKey, files.key);
}

/** @throws CertsError when the directory holds the bundle of another node, which would leave two nodes with one bundle */
export function checkNotTaken(directory: string, spiffeId: string): void {
  if (!listDirectory(directory).includes('node.crt')) return;
  const file = nodeBundleFiles(directory).certificates;
  const read = readCertificate(readCertificates(file)[0]!);
  const taken = read.ok ? read.facts.uris[0] : undefined;
  if (taken !== spiffeId) throw new CertsError('WEFT_CERTS_DIRECTORY_TAKEN', `${directory} (${taken ?? 'unreadable'})`);
}

/** @throws CertsError naming the file and what to do about it */
export function loadNodeBundle(directory: string, nowMs: number = Date.now()): NodeIdentity {
  const files = nodeBundleFiles(directory);
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
  const privateKey = readKeyOf(node!, files);
  const { spiffeId, node: name, expiresAtMs } = verdict;
  return { trustDomain: id.trustDomain, name, spiffeId, grant, privateKey, chain, trust, expiresAtMs };
}

/** Refusals with a remedy of their own. */
const LOAD_ERRORS: { readonly [R in Refusal]?: CertsErrorCode } = {
  expired: 'WEFT_CERTS_NODE_EXPIRED',
  'untrusted-root': 'WEFT_CERTS_NODE_UNTRUSTED',
  'no-grant': 'WEFT_CERTS_NODE_NO_GRANT',
};

/** The key of this certificate. It lies beside the old one while a new bundle is put in place, or after a crash then. */
function readKeyOf(node: X509Certificate, files: BundleFiles): KeyObject {
  const names = listDirectory(dirname(files.key));
  const present = [files.key, files.nextKey].filter((file) => names.includes(basename(file)));
  for (const file of present.length === 0 ? [files.key] : present) {
    const key = readPrivateKey(file);
    if (node.checkPrivateKey(key)) return key;
  }
  throw new CertsError('WEFT_CERTS_KEY_MISMATCH', `${files.key} and ${files.certificates}`);
}
