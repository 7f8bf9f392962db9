/** TLS of the join listener and of those who come to it. @module */
import type tls from 'node:tls';

/** 1.3 only; each side is judged by `certs/` right after the handshake, not by OpenSSL, which knows no issuers of ours. */
export const JOIN_TLS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  sigalgs: 'ecdsa_secp256r1_sha256',
  rejectUnauthorized: false,
  ca: [],
  ALPNProtocols: ['weft-join/1'],
} as const satisfies tls.SecureContextOptions & { rejectUnauthorized: boolean; ALPNProtocols: readonly string[] };
