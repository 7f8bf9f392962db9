/**
 * Certificates already found genuine, so that a handshake with a known peer costs no signature check.
 *
 * An entry says only what cannot change: that this certificate, byte for byte, is signed by that issuer, and what it
 * says. Time, identity, grant and roots are judged anew each time. Only roots and what they vouch for gets in.
 * @module
 */
import type { X509Certificate } from 'node:crypto';
import type { CertificateFacts } from './certificate.ts';

interface Entry {
  readonly facts: CertificateFacts;
  readonly issuerFingerprint: string;
}

/** SVID, node, issuer, root. */
const LONGEST_PATH = 4;

export interface KnownPath {
  /** The certificate's own first, the root's last. */
  readonly facts: readonly CertificateFacts[];
  readonly rootFingerprint: string;
}

/** Least recently used goes first. One per thread is right; it is not shared between trust domains. */
export class CertificateMemory {
  readonly #capacity: number;
  readonly #entries = new Map<string, Entry>();

  /** @param capacity certificates kept, some 3 kB each; about the SVIDs and nodes one thread talks to */
  constructor(capacity = 2_048) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  factsOf(certificate: X509Certificate): CertificateFacts | undefined {
    return this.#take(certificate.fingerprint256)?.facts;
  }

  /**
   * What a certificate met before says, and each of those above it up to its root, with the root's fingerprint; undefined
   * when one of them was forgotten. Spares even looking at what is sent along with it.
   */
  pathOf(certificate: X509Certificate): KnownPath | undefined {
    const facts: CertificateFacts[] = [];
    let key = certificate.fingerprint256;
    while (facts.length < LONGEST_PATH) {
      const entry = this.#take(key);
      if (entry === undefined) return undefined;
      facts.push(entry.facts);
      if (entry.issuerFingerprint === key) return { facts, rootFingerprint: key };
      key = entry.issuerFingerprint;
    }
    return undefined;
  }

  isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
    return this.#entries.get(certificate.fingerprint256)?.issuerFingerprint === issuer.fingerprint256;
  }

  /** To be called only after the signature was checked, or with a root as its own issuer. */
  remember(certificate: X509Certificate, issuer: X509Certificate, facts: CertificateFacts): void {
    this.#entries.delete(certificate.fingerprint256);
    this.#entries.set(certificate.fingerprint256, { facts, issuerFingerprint: issuer.fingerprint256 });
    if (this.#entries.size <= this.#capacity) return;
    const oldest = this.#entries.keys().next();
    if (!oldest.done) this.#entries.delete(oldest.value);
  }

  /** Makes it the most recently used. */
  #take(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }
}
