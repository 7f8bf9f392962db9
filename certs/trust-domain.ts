/**
 * `weft init`: a root, the issuer it certifies, and the first operator.
 *
 * The root's key is needed again only to renew the issuer, to add an issuer or an operator, and to rotate: take it off
 * the machine. Issuers admit nodes; the operator's key signs documents.
 * @module
 */
import { generateKeyPairSync, type KeyObject, type X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { CertsError } from './errors.ts';
import { listDirectory, makeDirectory, writeKey, writePublic } from './files.ts';
import { signCertificate } from './issue.ts';
import { OID } from './oids.ts';
import { operatorId, trustDomainId } from './spiffe.ts';
import { toPem } from './trust-bundle.ts';
import { CLOCK_SKEW_MS } from './verify.ts';

export interface TrustDomainOptions {
  readonly trustDomain: string;
  /** Must be empty or absent. */
  readonly directory: string;
  /** Name of the first operator; `admin` if not given. */
  readonly operator?: string;
  readonly rootTtlMs?: number;
  readonly issuerTtlMs?: number;
  readonly operatorTtlMs?: number;
  readonly nowMs?: number;
}

/** Where everything lies. Keys have mode 0600. */
export interface TrustDomainFiles {
  readonly rootKey: string;
  readonly rootCertificate: string;
  readonly issuerKey: string;
  readonly issuerCertificate: string;
  /** What every node trusts. */
  readonly roots: string;
  readonly operatorKey: string;
  readonly operatorCertificate: string;
}

const YEAR_MS = 365 * 86_400_000;
export const ROOT_TTL_MS = 10 * YEAR_MS;

export function trustDomainFiles(directory: string): TrustDomainFiles {
  return {
    rootKey: join(directory, 'root.key'),
    rootCertificate: join(directory, 'root.crt'),
    issuerKey: join(directory, 'issuer.key'),
    issuerCertificate: join(directory, 'issuer.crt'),
    roots: join(directory, 'roots.crt'),
    operatorKey: join(directory, 'operator.key'),
    operatorCertificate: join(directory, 'operator.crt'),
  };
}

/** @throws CertsError when the directory holds anything: a new root written over an old one cannot be taken back */
export function createTrustDomain(options: TrustDomainOptions): TrustDomainFiles {
  const { trustDomain, directory, operator = 'admin', nowMs = Date.now() } = options;
  const { rootTtlMs = ROOT_TTL_MS, issuerTtlMs = YEAR_MS, operatorTtlMs = YEAR_MS } = options;
  const operatorUri = operatorId(trustDomain, operator);
  checkEmpty(directory);

  const notBeforeMs = nowMs - CLOCK_SKEW_MS;
  const rootEndsAtMs = nowMs + rootTtlMs;
  const signer = makeRoot(trustDomain, { name: `Weft root ${trustDomain}`, ttlMs: rootTtlMs, nowMs });
  const root = signer.certificate;
  const issuerKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const operatorKeys = generateKeyPairSync('ed25519');
  const issuer = certifyIssuer(signer, { trustDomain, publicKey: issuerKeys.publicKey, ttlMs: issuerTtlMs, nowMs });
  const operatorCertificate = signCertificate(
    {
      subject: `Weft operator ${operator}`,
      publicKey: operatorKeys.publicKey,
      notBeforeMs,
      notAfterMs: Math.min(nowMs + operatorTtlMs, rootEndsAtMs),
      uris: [operatorUri],
      keyUsage: ['digitalSignature'],
      lists: [{ oid: OID.weftScope, strings: ['*/*'] }], // every kind, in every namespace
    },
    signer,
  );

  const files = trustDomainFiles(directory);
  makeDirectory(directory);
  writeKey(files.rootKey, signer.privateKey, 'new'); // first: of two at once, the slower fails before it harms
  writePublic(files.rootCertificate, toPem([root]));
  writeKey(files.issuerKey, issuerKeys.privateKey, 'new');
  writePublic(files.issuerCertificate, toPem([issuer]));
  writeKey(files.operatorKey, operatorKeys.privateKey, 'new');
  writePublic(files.operatorCertificate, toPem([operatorCertificate]));
  writePublic(files.roots, toPem([root])); // last: without it nothing can be issued from a half-made directory
  return files;
}

/** A root: a certificate, and the key that can sign with it. */
export interface Root {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

/** @param options.name for people; two roots of one trust domain should not share it */
export function makeRoot(
  trustDomain: string,
  { name, ttlMs, nowMs }: { readonly name: string; readonly ttlMs: number; readonly nowMs: number },
): Root {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = signCertificate(
    {
      ...authority(trustDomain, nowMs),
      subject: name,
      publicKey,
      notAfterMs: nowMs + ttlMs,
      authority: { pathLength: 2 },
    },
    { privateKey },
  );
  return { certificate, privateKey };
}

/** The certificate of an issuer with this key; it ends with the root's at the latest. */
export function certifyIssuer(
  root: Root,
  issuer: {
    readonly trustDomain: string;
    readonly publicKey: KeyObject;
    readonly ttlMs?: number;
    readonly nowMs: number;
  },
): X509Certificate {
  const { trustDomain, publicKey, ttlMs = YEAR_MS, nowMs } = issuer;
  return signCertificate(
    {
      ...authority(trustDomain, nowMs),
      subject: `Weft issuer ${trustDomain}`,
      publicKey,
      notAfterMs: Math.min(nowMs + ttlMs, root.certificate.validToDate.getTime()),
      authority: { pathLength: 1 },
    },
    root,
  );
}

function authority(trustDomain: string, nowMs: number) {
  return {
    notBeforeMs: nowMs - CLOCK_SKEW_MS,
    uris: [trustDomainId(trustDomain)],
    keyUsage: ['keyCertSign', 'cRLSign'],
  } as const;
}

function checkEmpty(directory: string): void {
  const names = listDirectory(directory);
  if (names.includes('root.crt') || names.includes('root.key') || names.includes('issuer.key')) {
    throw new CertsError('WEFT_CERTS_TRUST_DOMAIN_EXISTS', directory);
  }
  if (names.length > 0) throw new CertsError('WEFT_CERTS_DIRECTORY_NOT_EMPTY', `${directory} (has ${names[0]})`);
}
