/**
 * An operator's bundle: key, certificate and the roots, in a directory of its own. `weft init` writes the first one next
 * to the root; further ones, with a narrower scope, take the root's key.
 * @module
 */
import { generateKeyPairSync, type KeyObject, sign, type X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { readCertificate } from './certificate.ts';
import { CertsError } from './errors.ts';
import {
  listDirectory,
  makeDirectory,
  readCertificates,
  readPrivateKey,
  readPublic,
  writeKey,
  writePublic,
} from './files.ts';
import { signCertificate } from './issue.ts';
import { OID } from './oids.ts';
import { verifyOperator } from './operator.ts';
import { checkScope } from './scope.ts';
import { operatorId, parseSpiffeId } from './spiffe.ts';
import { parseTrustBundle, toPem } from './trust-bundle.ts';
import { trustDomainFiles } from './trust-domain.ts';
import { CLOCK_SKEW_MS } from './verify.ts';

export interface OperatorBundleOptions {
  /** Where `weft init` wrote, the root's key included. */
  readonly trustDirectory: string;
  readonly name: string;
  /** `kind/namespace` patterns. */
  readonly scope: readonly string[];
  /** Made if absent; must hold no operator yet. */
  readonly directory: string;
  readonly ttlMs?: number;
  readonly nowMs?: number;
}

export interface OperatorIdentity {
  readonly trustDomain: string;
  readonly name: string;
  readonly spiffeId: string;
  readonly scope: readonly string[];
  readonly privateKey: KeyObject;
  readonly certificate: X509Certificate;
  readonly expiresAtMs: number;
}

const DEFAULT_TTL_MS = 365 * 86_400_000;

interface BundleFiles {
  readonly key: string;
  readonly certificate: string;
  readonly roots: string;
}

function operatorFiles(directory: string): BundleFiles {
  return {
    key: join(directory, 'operator.key'),
    certificate: join(directory, 'operator.crt'),
    roots: join(directory, 'roots.crt'),
  };
}

/** @throws CertsError when the root cannot sign, or name, scope or directory will not do */
export function issueOperatorBundle(options: OperatorBundleOptions): void {
  const { trustDirectory, name, scope, directory, ttlMs = DEFAULT_TTL_MS, nowMs = Date.now() } = options;
  checkScope(scope);
  const trustFiles = trustDomainFiles(trustDirectory);
  const privateKey = readPrivateKey(trustFiles.rootKey);
  const root = readCertificates(trustFiles.rootCertificate)[0]!;
  if (!root.checkPrivateKey(privateKey)) {
    throw new CertsError('WEFT_CERTS_KEY_MISMATCH', `${trustFiles.rootKey} and ${trustFiles.rootCertificate}`);
  }
  const trustDomain = root.subjectAltName?.replace(/^URI:spiffe:\/\//, '') ?? '';
  const files = operatorFiles(directory);
  if (listDirectory(directory).includes('operator.key')) {
    throw new CertsError('WEFT_CERTS_DIRECTORY_NOT_EMPTY', `${directory} (has operator.key)`);
  }
  const keys = generateKeyPairSync('ed25519');
  const certificate = signCertificate(
    {
      subject: `Weft operator ${name}`,
      publicKey: keys.publicKey,
      notBeforeMs: nowMs - CLOCK_SKEW_MS,
      notAfterMs: Math.min(nowMs + ttlMs, root.validToDate.getTime()),
      uris: [operatorId(trustDomain, name)],
      keyUsage: ['digitalSignature'],
      lists: [{ oid: OID.weftScope, strings: scope }],
    },
    { certificate: root, privateKey },
  );
  const verdict = verifyOperator(certificate, { trust: { trustDomain, roots: [root] }, nowMs });
  if (!verdict.ok)
    throw new CertsError('WEFT_CERTS_ISSUER_INVALID', `${trustFiles.rootCertificate}: ${verdict.detail}`);
  makeDirectory(directory);
  writeKey(files.key, keys.privateKey, 'new');
  writePublic(files.certificate, toPem([certificate]));
  writePublic(files.roots, toPem([root]));
}

/** @throws CertsError naming the file and what to do about it */
export function loadOperatorBundle(directory: string, nowMs: number = Date.now()): OperatorIdentity {
  const files = operatorFiles(directory);
  const privateKey = readPrivateKey(files.key);
  const certificate = readCertificates(files.certificate)[0]!;
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new CertsError('WEFT_CERTS_KEY_MISMATCH', `${files.key} and ${files.certificate}`);
  }
  const read = readCertificate(certificate);
  const id = read.ok ? parseSpiffeId(read.facts.uris[0] ?? '') : undefined;
  if (id === undefined) throw new CertsError('WEFT_CERTS_OPERATOR_INVALID', `${files.certificate} names no identity`);
  const trust = parseTrustBundle(id.trustDomain, readPublic(files.roots), files.roots);
  const verdict = verifyOperator(certificate, { trust, nowMs });
  if (!verdict.ok) {
    const subject = `${files.certificate} (${verdict.reason}: ${verdict.detail})`;
    throw new CertsError('WEFT_CERTS_OPERATOR_INVALID', subject);
  }
  const { name, spiffeId, scope, expiresAtMs } = verdict;
  return { trustDomain: id.trustDomain, name, spiffeId, scope, privateKey, certificate, expiresAtMs };
}

/** The signature of an operator, Ed25519 over the statement itself. */
export function signAsOperator(operator: OperatorIdentity, statement: Uint8Array): Uint8Array {
  return sign(null, statement, operator.privateKey);
}
