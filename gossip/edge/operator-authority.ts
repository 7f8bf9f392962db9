/** The documents' authority on node:crypto: operators are believed when our root certified them. @module */
import { createHash, verify, X509Certificate } from 'node:crypto';
import { CertificateMemory } from '../../certs/memory.ts';
import { verifyOperator } from '../../certs/operator.ts';
import { rootOf } from '../../certs/root-rotation.ts';
import { scopeCovers } from '../../certs/scope.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import type { DocumentAuthority, Judgement } from '../documents/ports.ts';

const MAX_CERTIFIED = 1_024;

export class OperatorAuthority implements DocumentAuthority {
  #trust: TrustBundle;
  readonly #memory = new CertificateMemory(256);
  /** By certificate (DER), what `certifies` found: documents are many, operators few. */
  readonly #certified = new Map<string, boolean>();
  readonly wallMs: () => number;

  constructor(trust: TrustBundle, wallMs: () => number = Date.now) {
    this.#trust = trust;
    this.wallMs = wallMs;
  }

  /** Judges by these roots from here on. */
  trustRoots(trust: TrustBundle): void {
    this.#trust = trust;
    this.#certified.clear();
  }

  certifies(der: Uint8Array): boolean {
    const key = Buffer.from(der).toString('latin1');
    let isCertified = this.#certified.get(key);
    if (isCertified === undefined) {
      const certificate = parse(der);
      isCertified = certificate !== undefined && rootOf([certificate], this.#trust) !== undefined;
      if (this.#certified.size >= MAX_CERTIFIED) this.#certified.clear();
      this.#certified.set(key, isCertified);
    }
    return isCertified;
  }

  judge(signed: Parameters<DocumentAuthority['judge']>[0]): Judgement {
    const certificate = parse(signed.certificate);
    if (certificate === undefined) return refuse('certificate', 'its certificate cannot be read');
    const verdict = verifyOperator(certificate, { trust: this.#trust, nowMs: signed.atMs, memory: this.#memory });
    if (!verdict.ok) return refuse('certificate', verdict.detail);
    const { spiffeId, issuedAtMs, publicKey, scope } = verdict;
    try {
      if (!verify(null, signed.statement, publicKey, signed.signature)) throw new Error('no match');
    } catch {
      return refuse('signature', `it is not signed by ${spiffeId}, or was altered since`);
    }
    const mayWrite = (kind: string, namespace: string): boolean => scopeCovers(scope, kind, namespace);
    return { ok: true, author: spiffeId, issuedAtMs, mayWrite };
  }

  digest(bytes: Uint8Array): Uint8Array {
    return createHash('sha256').update(bytes).digest();
  }
}

function parse(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

function refuse(reason: 'certificate' | 'signature', detail: string): Judgement {
  return { ok: false, reason, detail };
}
