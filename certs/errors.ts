/** Every code `certs/` raises. The error reference is generated from this table, and a test compares the two. */
export const CERTS_ERRORS = {
  WEFT_CERTS_BAD_NAME:
    'not usable in a SPIFFE ID; use letters, digits, dots, dashes and underscores (a trust domain: lower case only)',
  WEFT_CERTS_BAD_GRANT: 'not a grant; write identity patterns such as ns/shop/*, ns/*/sa/web, or * for every workload',
  WEFT_CERTS_TRUST_DOMAIN_EXISTS:
    'this directory already holds a trust domain; choose another, a new root would orphan every node of the old one',
  WEFT_CERTS_DIRECTORY_NOT_EMPTY: 'directory is not empty; choose an empty or a new one',
  WEFT_CERTS_DIRECTORY_TAKEN: 'directory holds the bundle of another node; choose another directory',
  WEFT_CERTS_FILE_UNREADABLE: 'cannot read this file; check that it exists and that this user may read it',
  WEFT_CERTS_FILE_UNWRITABLE: 'cannot write this file; check the directory, its owner and the space left',
  WEFT_CERTS_FILE_WRITABLE_BY_OTHERS: 'other users could change whom this node trusts; run the chmod named here',
  WEFT_CERTS_KEY_EXPOSED: 'private key is open to other users; run the chmod named here, and replace it if it was read',
  WEFT_CERTS_KEY_FOREIGN_OWNER: 'private key belongs to another user; run the chown named here, or run as that user',
  WEFT_CERTS_KEY_MALFORMED: 'not a private key in PEM (PKCS#8); issue it again',
  WEFT_CERTS_KEY_MISMATCH: 'private key and certificate do not belong together; issue the bundle again',
  WEFT_CERTS_CERTIFICATE_MALFORMED: 'not a list of certificates in PEM; issue it again',
  WEFT_CERTS_NO_ROOTS: 'no root certificate to trust; copy roots.crt from the trust domain',
  WEFT_CERTS_BAD_FOREIGN_ISSUER:
    'not an issuer to be listed under certs.foreignIssuers; give the CA certificate that signs SVIDs there, and a grant',
  WEFT_CERTS_TOO_MANY_ROOTS: 'more trusted roots than a rotation needs; remove the retired ones',
  WEFT_CERTS_ROTATION_MALFORMED:
    'not a rotation of roots as weft cert rotate-root writes it, or damaged; copy it again from the trust domain',
  WEFT_CERTS_ROTATION_STAGE:
    'the rotation of the root is not at this stage; weft cert rotate-root status shows where it is',
  WEFT_CERTS_ISSUER_INVALID: 'this issuer cannot admit nodes; check its certificate, its expiry and the clock',
  WEFT_CERTS_NODE_EXPIRED: 'node certificate is past its expiry; check the clock, then issue the node bundle again',
  WEFT_CERTS_NODE_UNTRUSTED:
    'node certificate does not lead to a root in roots.crt; check which trust domain it is from',
  WEFT_CERTS_NODE_NO_GRANT: 'node certificate grants no identities; issue the node bundle again with a grant',
  WEFT_CERTS_NODE_INVALID: 'node certificate is not acceptable; issue the node bundle again',
  WEFT_CERTS_BAD_SCOPE:
    'not a scope; write kind/namespace patterns such as AccessPolicy/shop, */shop, MeshConfig/- or */* for everything',
  WEFT_CERTS_OPERATOR_INVALID:
    'operator certificate is not acceptable; check its expiry and the clock, or issue the operator again with the root',
  WEFT_CERTS_BAD_TOKEN_TTL: 'not a life for a join token; choose from 1s to 24h',
  WEFT_CERTS_TOKEN_OUT_OF_SCOPE:
    'this operator may not grant this; use one with JoinToken/NAMESPACE, JoinToken/* or */* in its scope',
  WEFT_CERTS_OUTSIDE_GRANT: 'this node may not speak for this identity; issue its bundle again with a wider grant',
} as const;

export type CertsErrorCode = keyof typeof CERTS_ERRORS;

/** Code branches on `code`; the message says what happened, to what, and what to try. */
export class CertsError extends Error {
  override readonly name = 'CertsError';
  readonly code: CertsErrorCode;

  /** @param subject the file, name or value at fault, with the fact that decided; never key material */
  constructor(code: CertsErrorCode, subject: string, options?: ErrorOptions) {
    super(`${subject}: ${CERTS_ERRORS[code]}`, options);
    this.code = code;
  }
}
