/** What the admin API says of the roots of the trust domain. @module */

export interface TrustView {
  readonly trustDomain: string;
  /** Of the statement that this node follows; 0 when no root was ever rotated. */
  readonly sequence: number;
  /** Trusted by this node, in the order of the statement, the newest last. */
  readonly roots: readonly RootView[];
  readonly members: readonly MemberTrustView[];
}

export interface RootView {
  /** SHA-256 in lower-case hexadecimal. */
  readonly fingerprint: string;
  readonly notBefore: string;
  readonly expiresAt: string;
}

export interface MemberTrustView {
  readonly name: string;
  readonly state: string;
  readonly isSelf: boolean;
  /** Fingerprint of the root that its certificate leads to, as this node verified it; empty when it knows none. */
  readonly root: string;
}
