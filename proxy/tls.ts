/** TLS between agents: 1.3 only, both sides authenticated, and verified by `certs/`, not by OpenSSL. @module */

import tls from 'node:tls';
import type { Refusal } from '../certs/verify.ts';
import type { Counter } from './telemetry/counters.ts';
import type { StatsWriter } from './telemetry/stats-writer.ts';

/**
 * AES-128 first: half the rounds of the usual first choice, and no weaker where it matters. OpenSSL is asked to take any chain (and spared the public roots): it knows
 * neither grants nor our clock skew, so verifyChain judges right after the handshake, before a byte is used.
 */
export const TLS_OPTIONS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  sigalgs: 'ecdsa_secp256r1_sha256',
  rejectUnauthorized: false,
} as const satisfies tls.SecureContextOptions & { rejectUnauthorized: boolean };

/** @throws whatever OpenSSL says about a certificate or key that cannot be used */
export function secureContext(svid: {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
}): tls.SecureContext {
  const { rejectUnauthorized: _, ...options } = TLS_OPTIONS;
  return tls.createSecureContext({
    ...options,
    ca: [],
    cert: svid.certificateChainPem,
    key: svid.privateKeyPem,
  });
}

const REFUSAL_COUNTERS: Record<Refusal, Counter> = {
  'no-certificate': 'peersRefusedNoCertificate',
  'untrusted-root': 'peersRefusedUntrustedRoot',
  expired: 'peersRefusedExpired',
  'not-yet-valid': 'peersRefusedExpired',
  'bad-signature': 'peersRefusedMalformed',
  'not-a-ca': 'peersRefusedMalformed',
  'path-length': 'peersRefusedMalformed',
  'bad-spiffe-id': 'peersRefusedIdentity',
  'wrong-trust-domain': 'peersRefusedIdentity',
  'no-grant': 'peersRefusedGrant',
  'outside-grant': 'peersRefusedGrant',
  'wrong-role': 'peersRefusedIdentity',
  'key-usage': 'peersRefusedMalformed',
  'chain-too-long': 'peersRefusedMalformed',
  'wrong-identity': 'peersRefusedIdentity',
  revoked: 'peersRefusedRevoked',
  malformed: 'peersRefusedMalformed',
};

export function countRefusal(stats: StatsWriter, reason: Refusal): void {
  stats.count(REFUSAL_COUNTERS[reason]);
}
