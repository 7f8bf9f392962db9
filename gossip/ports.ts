/**
 * What the pure cores need and may not have by themselves: chance and cryptography. Production hands in node:crypto,
 * a simulation hands in a seeded generator and cheap stand-ins for signatures.
 * @module
 */

/** A number from 0 (included) to 1 (excluded). */
export type Random = () => number;

/** A node certificate that reached a trusted root. `verify` knows what else it must keep beside the name. */
export interface Credential {
  readonly name: string;
}

export interface Signer {
  /** Signs as this node. */
  sign(statement: Uint8Array): Uint8Array;
  /** Whose certificate chain (leaf first, DER) this is, or undefined when it does not reach our root right now. */
  admit(chain: readonly Uint8Array[]): Credential | undefined;
  /** Whether that node signed the statement and its certificate still holds. */
  verify(credential: Credential, statement: Uint8Array, signature: Uint8Array): boolean;
  /** Whether that certificate was called back since it was admitted. */
  isRevoked(credential: Credential): boolean;
  /** Whether that node's grant lets it speak for this workload identity. */
  mayClaim(credential: Credential, identity: string): boolean;
  /** A collision-resistant hash. */
  digest(bytes: Uint8Array): Uint8Array;
}
