/**
 * The side of a rotation that needs keys of roots: the directory of the trust domain, off line but for this.
 *
 * While a rotation is under way the new root lies beside the old one as root.next.key and root.next.crt; rotation.json
 * says what was stated so far. Each step is on disk before anybody is told of it, so one that was cut short goes on.
 * @module
 */
import { generateKeyPairSync, type X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readCertificate } from './certificate.ts';
import { CertsError } from './errors.ts';
import { listDirectory, readCertificates, readPrivateKey, replaceFile, writeKey, writePublic } from './files.ts';
import { signCertificate } from './issue.ts';
import { OID } from './oids.ts';
import { type Rotation, rootFingerprint, rootOf, signRoots } from './root-rotation.ts';
import { readRotation, writeRotation } from './root-rotation-files.ts';
import { parseTrustDomainId } from './spiffe.ts';
import { toPem } from './trust-bundle.ts';
import { certifyIssuer, makeRoot, ROOT_TTL_MS, type Root, trustDomainFiles } from './trust-domain.ts';
import { CLOCK_SKEW_MS, issuedOf } from './verify.ts';

/**
 * `distributed` = both roots are to be trusted; `moved` = certificates are to lead to the new one; `retired` = the old one
 * is to be trusted no more, and what is left is to clean up.
 */
export type RotationStage = 'none' | 'distributed' | 'moved' | 'retired';

export class RotatingTrustDomain {
  readonly trustDomain: string;
  readonly directory: string;
  /** The root there was before the rotation, and is when none is under way. */
  readonly old: Root;
  #next: Root | undefined;
  #rotation: Rotation;

  /** @throws CertsError when the key of the root is not there, or anything else will not do */
  constructor(directory: string) {
    const { rootKey, rootCertificate } = trustDomainFiles(directory);
    this.directory = directory;
    finishReplacing(directory);
    this.old = readRoot(rootKey, rootCertificate);
    const read = readCertificate(this.old.certificate);
    const trustDomain = read.ok ? parseTrustDomainId(read.facts.uris[0] ?? '') : undefined;
    if (trustDomain === undefined) throw new CertsError('WEFT_CERTS_ISSUER_INVALID', `${rootCertificate} is no root`);
    this.trustDomain = trustDomain;
    const next = nextFiles(directory);
    if (listDirectory(directory).includes('root.next.crt')) this.#next = readRoot(next.key, next.certificate);
    this.#rotation = readRotation(directory) ?? { statements: [], issuers: [] };
  }

  get next(): Root | undefined {
    return this.stage === 'none' ? undefined : this.#next;
  }

  /** Whether a new root was made that is not, or no longer, to be trusted: a rotation that was given up, or never stated. */
  get isGivenUp(): boolean {
    return this.#next !== undefined && this.stage === 'none';
  }

  /** What has been stated so far, for nodes to follow. */
  get rotation(): Rotation {
    return this.#rotation;
  }

  get stage(): RotationStage {
    const stated = this.#rotation.statements.at(-1)?.roots.map(rootFingerprint) ?? [];
    if (this.#next === undefined || !stated.includes(rootFingerprint(this.#next.certificate))) return 'none';
    if (!stated.includes(rootFingerprint(this.old.certificate))) return 'retired';
    const { certificate } = this.#next;
    const isMoved = this.#rotation.issuers.some((issuer) => rootOf([issuer], trustOf(certificate)) !== undefined);
    return isMoved ? 'moved' : 'distributed';
  }

  /** Makes the new root, and states that both are to be trusted. */
  distribute(nowMs: number): void {
    this.#expect('none');
    const { key, certificate } = nextFiles(this.directory);
    const sequence = this.#sequence();
    const name = `Weft root ${this.trustDomain} ${sequence}`;
    this.#next = makeRoot(this.trustDomain, { name, ttlMs: ROOT_TTL_MS, nowMs });
    writeKey(key, this.#next.privateKey);
    writePublic(certificate, toPem([this.#next.certificate]));
    this.#state([this.old, this.#next], [this.old, this.#next]);
  }

  /**
   * Certifies the issuer under one of the roots, so that certificates of nodes lead there.
   *
   * @param options.isNewIssuer with another key: who stole the old one is left with nothing once the old root is retired
   */
  move(to: Root, nowMs: number, { isNewIssuer = false } = {}): void {
    const { trustDomain } = this;
    const files = trustDomainFiles(this.directory);
    const keys = isNewIssuer ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : undefined;
    const publicKey = keys?.publicKey ?? readCertificates(files.issuerCertificate)[0]!.publicKey;
    const issuer = certifyIssuer(to, { trustDomain, publicKey, nowMs });
    if (keys !== undefined) writeKey(files.issuerKey, keys.privateKey);
    writePublic(files.issuerCertificate, toPem([issuer]));
    this.#save({ ...this.#rotation, issuers: [issuer] });
  }

  /** States that the new root alone is to be trusted. */
  retire(): void {
    this.#expect('moved');
    this.#state([this.#next!], [this.old, this.#next!]);
  }

  /** Puts the new root in the place of the old one, whose key is of no more use. */
  complete(): void {
    this.#expect('retired');
    const { rootKey, rootCertificate } = trustDomainFiles(this.directory);
    const next = nextFiles(this.directory);
    replaceFile(next.key, rootKey);
    replaceFile(next.certificate, rootCertificate);
  }

  /** States that the old root alone is to be trusted. */
  giveUp(): void {
    this.#state([this.old], [this.old]);
  }

  /** Forgets the new root. */
  discard(): void {
    const { key, certificate } = nextFiles(this.directory);
    rmSync(certificate, { force: true });
    rmSync(key, { force: true });
    this.#next = undefined;
  }

  /**
   * The certificate of an operator under one of the roots. It counts as issued when the given one was, so that what was
   * revoked stays revoked.
   */
  certifyOperator(operator: X509Certificate, by: Root, nowMs: number): X509Certificate {
    const read = readCertificate(operator);
    if (!read.ok) throw new CertsError('WEFT_CERTS_OPERATOR_INVALID', `the certificate of the operator ${read.detail}`);
    const { uris, scope = [], publicKey, notAfterMs } = read.facts;
    return signCertificate(
      {
        subject: operator.subject.replace(/^CN=/, ''),
        publicKey,
        notBeforeMs: nowMs - CLOCK_SKEW_MS,
        notAfterMs: Math.min(notAfterMs, by.certificate.validToDate.getTime()),
        uris,
        keyUsage: ['digitalSignature'],
        lists: [
          { oid: OID.weftScope, strings: scope },
          { oid: OID.weftAdmitted, strings: [String(Math.floor(issuedOf(read).issuedAtMs))] },
        ],
      },
      by,
    );
  }

  #sequence(): number {
    return (this.#rotation.statements.at(-1)?.sequence ?? 0) + 1;
  }

  #state(roots: readonly Root[], signers: readonly Root[]): void {
    const { trustDomain } = this;
    const certificates = roots.map(({ certificate }) => certificate);
    const statement = signRoots({ trustDomain, sequence: this.#sequence(), roots: certificates }, signers);
    this.#save({ ...this.#rotation, statements: [...this.#rotation.statements, statement] });
    writePublic(trustDomainFiles(this.directory).roots, toPem(certificates));
  }

  #save(rotation: Rotation): void {
    writeRotation(this.directory, rotation);
    this.#rotation = rotation;
  }

  #expect(wanted: RotationStage): void {
    const { stage } = this;
    if (stage === wanted) return;
    throw new CertsError('WEFT_CERTS_ROTATION_STAGE', `${this.directory} is at stage ${stage}, wanted ${wanted}`);
  }
}

function trustOf(root: X509Certificate) {
  return { trustDomain: '', roots: [root] };
}

function nextFiles(directory: string): { readonly key: string; readonly certificate: string } {
  return { key: join(directory, 'root.next.key'), certificate: join(directory, 'root.next.crt') };
}

/** `complete` may have been cut short between the two files. */
function finishReplacing(directory: string): void {
  const names = listDirectory(directory);
  if (!names.includes('root.next.crt') || names.includes('root.next.key')) return;
  replaceFile(nextFiles(directory).certificate, trustDomainFiles(directory).rootCertificate);
}

function readRoot(keyFile: string, certificateFile: string): Root {
  const privateKey = readPrivateKey(keyFile);
  const certificate = readCertificates(certificateFile)[0]!;
  if (certificate.checkPrivateKey(privateKey)) return { certificate, privateKey };
  throw new CertsError('WEFT_CERTS_KEY_MISMATCH', `${keyFile} and ${certificateFile}`);
}
