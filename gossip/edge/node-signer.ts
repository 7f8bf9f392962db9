/**
 * The cores' signer on node:crypto: this node's certificate key signs, and others are believed when their chain reaches
 * our root at this moment.
 * @module
 */
import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { readCertificate } from '../../certs/certificate.ts';
import { grantCovers } from '../../certs/grant.ts';
import { CertificateMemory } from '../../certs/memory.ts';
import type { NodeIdentity } from '../../certs/node-bundle.ts';
import type { Issued } from '../../certs/revocation.ts';
import { Revocations } from '../../certs/revocation.ts';
import { parseSpiffeId } from '../../certs/spiffe.ts';
import type { Refusal } from '../../certs/verify.ts';
import { CLOCK_SKEW_MS, parseChain, verifyChain } from '../../certs/verify.ts';
import type { Credential, Signer } from '../ports.ts';

export interface NodeCredential extends Credential {
  readonly publicKey: KeyObject;
  readonly grant: readonly string[];
  /** Of the node's own certificate, in hexadecimal as node:crypto writes it: for people. */
  readonly serial: string;
  /** What a revocation covers. */
  readonly issued: readonly Issued[];
  readonly expiresAtMs: number;
  /** Fingerprint (SHA-256, as node:crypto writes it) of the root it leads to. */
  readonly root: string;
}

export type Admission =
  | { readonly ok: true; readonly credential: NodeCredential }
  | { readonly ok: false; readonly reason: Refusal; readonly detail: string };

export class NodeSigner implements Signer {
  #identity: NodeIdentity;
  readonly #wallMs: () => number;
  readonly #memory = new CertificateMemory();
  #revocations = new Revocations();
  /** Fingerprints of roots that certificates may lead to; one that was dropped is among them until `dropRoots`. */
  #roots: ReadonlySet<string>;

  /** @param wallMs certificates are the one thing that is judged by the wall clock */
  constructor(identity: NodeIdentity, wallMs: () => number = Date.now) {
    this.#identity = identity;
    this.#wallMs = wallMs;
    this.#roots = new Set(fingerprints(identity));
  }

  /** Who this node is at this moment. */
  get identity(): NodeIdentity {
    return this.#identity;
  }

  /** Signs and judges by a renewed bundle of the same node from here on. */
  replace(identity: NodeIdentity): void {
    this.#identity = identity;
    this.#roots = new Set([...this.#roots, ...fingerprints(identity)]);
  }

  /** From here on, what was admitted under roots that are trusted no more counts as revoked. */
  dropRoots(): void {
    this.#roots = new Set(fingerprints(this.#identity));
  }

  /** From here on these hold, and no others. */
  revoke(revocations: Revocations): void {
    this.#revocations = revocations;
  }

  sign(statement: Uint8Array): Uint8Array {
    return sign('sha256', statement, this.#identity.privateKey);
  }

  admit(chain: readonly Uint8Array[]): NodeCredential | undefined {
    const admission = this.examine(chain);
    return admission.ok ? admission.credential : undefined;
  }

  /** As `admit`, with the reason of a refusal. */
  examine(chain: readonly Uint8Array[]): Admission {
    const parsed = parseChain(chain);
    if (!Array.isArray(parsed)) return parsed;
    const verdict = verifyChain(parsed, {
      trust: this.#identity.trust,
      role: 'node',
      nowMs: this.#wallMs(),
      memory: this.#memory,
      revocations: this.#revocations,
    });
    if (!verdict.ok) return verdict;
    const facts = this.#memory.factsOf(parsed[0]!) ?? factsOf(parsed[0]!);
    const { publicKey, grant = [] } = facts;
    const { node: name, expiresAtMs, issued } = verdict;
    const { serialNumber: serial } = parsed[0]!;
    const root = this.#memory.pathOf(parsed[0]!)?.rootFingerprint ?? '';
    return { ok: true, credential: { name, publicKey, grant, serial, expiresAtMs, issued, root } };
  }

  verify(credential: Credential, statement: Uint8Array, signature: Uint8Array): boolean {
    const { publicKey, expiresAtMs } = credential as NodeCredential; // only `admit` makes them
    if (this.#wallMs() > expiresAtMs + CLOCK_SKEW_MS || this.isRevoked(credential)) return false;
    try {
      return verify('sha256', statement, publicKey, signature);
    } catch {
      return false; // bytes that are no signature at all
    }
  }

  isRevoked(credential: Credential): boolean {
    const { issued, root } = credential as NodeCredential;
    return issued.some((one) => this.#revocations.covers(one)) || (root !== '' && !this.#roots.has(root));
  }

  mayClaim(credential: Credential, identity: string): boolean {
    const id = parseSpiffeId(identity);
    if (id?.trustDomain !== this.#identity.trustDomain) return false;
    return grantCovers((credential as NodeCredential).grant, id.path);
  }

  digest(bytes: Uint8Array): Uint8Array {
    return createHash('sha256').update(bytes).digest();
  }
}

function fingerprints({ trust }: NodeIdentity): string[] {
  return trust.roots.map((root) => root.fingerprint256);
}

function factsOf(certificate: Parameters<typeof readCertificate>[0]) {
  const read = readCertificate(certificate);
  if (!read.ok) throw new Error(`a certificate that was just verified ${read.detail}`);
  return read.facts;
}
