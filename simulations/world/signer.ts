/**
 * Signatures that a simulation can afford: keyed hashes with the sizes of the real ones. What was not signed with a
 * node's secret does not verify, and only the world knows the secrets, so a hostile node can forge nothing but its own.
 * @module
 */
import type { Credential, Signer } from '../../gossip/ports.ts';

/** An ECDSA P-256 signature in DER. */
const SIGNATURE_BYTES = 71;
/** Node and issuer certificate, about as large as certs/ makes them. */
const CERTIFICATE_BYTES = 620;
const SKEW_MS = 60_000;

interface SimCredential extends Credential {
  readonly expiresAtMs: number;
}

export interface SimSignerOptions {
  readonly name: string;
  /** Of the world: other worlds' signatures do not verify here. */
  readonly seed: number;
  /** The host's wall clock, which judges certificates. */
  readonly wallMs: () => number;
  /** Called for every verification: it is work. */
  readonly verified?: () => void;
}

/** The chain a node shows: `root` names the trust domain's root that vouches for it. */
export function chainOf(name: string, expiresAtMs: number, root: string): readonly Uint8Array[] {
  return [certificate(`node ${name} ${expiresAtMs} ${root}`), certificate(`issuer ${root}`)];
}

export class SimSigner implements Signer {
  readonly #options: SimSignerOptions;
  readonly #root: string;

  constructor(options: SimSignerOptions) {
    this.#options = options;
    this.#root = rootOf(options.seed);
  }

  sign(statement: Uint8Array): Uint8Array {
    return signature(this.#options.seed, this.#options.name, statement);
  }

  admit(chain: readonly Uint8Array[]): SimCredential | undefined {
    const [leaf] = chain;
    const [kind, name, expires, root] = leaf === undefined ? [] : decoder.decode(leaf).trimEnd().split(' ');
    const expiresAtMs = Number(expires);
    if (kind !== 'node' || name === undefined || root !== this.#root || Number.isNaN(expiresAtMs)) return undefined;
    return this.#options.wallMs() > expiresAtMs + SKEW_MS ? undefined : { name, expiresAtMs };
  }

  verify(credential: Credential, statement: Uint8Array, given: Uint8Array): boolean {
    this.#options.verified?.();
    if (this.#options.wallMs() > (credential as SimCredential).expiresAtMs + SKEW_MS) return false;
    const wanted = signature(this.#options.seed, credential.name, statement);
    if (given.length !== wanted.length) return false;
    for (let i = 0; i < wanted.length; i++) if (given[i] !== wanted[i]) return false;
    return true;
  }

  /** Nobody is revoked in a simulation yet. */
  isRevoked(): boolean {
    return false;
  }

  /** A node may speak for what its name appears in; that is all a simulated grant is. */
  mayClaim(credential: Credential, identity: string): boolean {
    return identity.endsWith(`/sa/${credential.name}`);
  }

  digest(bytes: Uint8Array): Uint8Array {
    return digest(bytes);
  }
}

/** As long as SHA-256's; the first 64 bits tell texts apart. */
export function digest(bytes: Uint8Array): Uint8Array {
  const result = new Uint8Array(32);
  writeHash(result, bytes, 0x51ed270b);
  return result;
}

export function rootOf(seed: number): string {
  return `root-${seed}`;
}

/** What `name` signs with the secret that the world of this seed gave it. */
export function signature(seed: number, name: string, statement: Uint8Array): Uint8Array {
  let secret = seed ^ 0x2545f491;
  for (let i = 0; i < name.length; i++) secret = Math.imul(secret ^ name.charCodeAt(i), 0x01000193);
  const bytes = new Uint8Array(SIGNATURE_BYTES);
  writeHash(bytes, statement, secret);
  return bytes;
}

/** Two 32-bit lanes over all bytes, to the first eight bytes of `target`. */
function writeHash(target: Uint8Array, bytes: Uint8Array, secret: number): void {
  let a = secret | 0;
  let b = Math.imul(secret, 0x9e3779b1) ^ bytes.length;
  for (let i = 0; i < bytes.length; i++) {
    a = Math.imul(a ^ bytes[i]!, 0x01000193);
    b = Math.imul(b + bytes[i]!, 0x85ebca6b) ^ (b >>> 13);
  }
  for (let i = 0; i < 4; i++) {
    target[i] = a >>> (8 * i);
    target[4 + i] = b >>> (8 * i);
  }
}

/** A certificate is what it says, filled up to a real one's size. */
export function certificate(text: string): Uint8Array {
  return encoder.encode(text.padEnd(CERTIFICATE_BYTES));
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
