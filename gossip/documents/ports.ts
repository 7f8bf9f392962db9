/** What the documents' core needs and may not have by itself. @module */

/** What an authority says of a signature under a document. */
export type Judgement =
  | {
      readonly ok: true;
      readonly author: string;
      /** When the author was certified, Unix milliseconds. */
      readonly issuedAtMs: number;
      readonly mayWrite: (kind: string, namespace: string) => boolean;
    }
  | { readonly ok: false; readonly reason: 'certificate' | 'signature'; readonly detail: string };

export interface DocumentAuthority {
  /**
   * Whether an operator that our root certified signed the statement.
   *
   * @param atMs the certificate must have been in its time then: documents outlive the certificates that signed them
   */
  judge(signed: {
    readonly certificate: Uint8Array;
    readonly statement: Uint8Array;
    readonly signature: Uint8Array;
    readonly atMs: number;
  }): Judgement;
  /** Whether a root that is trusted now signed this certificate, whatever else is to be said of it. */
  certifies(certificate: Uint8Array): boolean;
  /** A collision-resistant hash. */
  digest(bytes: Uint8Array): Uint8Array;
  /** The wall clock, Unix milliseconds: only to refuse what claims to be from the future. */
  wallMs(): number;
}
