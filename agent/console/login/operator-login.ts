/** Logging in with an operator's key: it signs a nonce in the browser, and its certificate says who that is. @module */
import { verify, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { verifyOperator } from '../../../certs/operator.ts';
import type { Revocations } from '../../../certs/revocation.ts';
import type { TrustBundle } from '../../../certs/trust-bundle.ts';
import { grantsOfScope } from '../access/roles.ts';
import type { Subject } from '../access/sessions.ts';
import type { Nonces } from './nonces.ts';
import { loginStatement } from './statement.ts';

const ED25519_SIGNATURE_BYTES = 64;

/** POST /api/v1/login; bytes are base64, the certificate is DER. */
export const loginBody = z.strictObject({
  nonce: z.string().max(256),
  certificate: z.base64().max(16_384),
  signature: z.base64().max(256),
});

export interface OperatorLoginOptions {
  readonly trust: () => TrustBundle;
  readonly revocations: () => Revocations;
  readonly nonces: Nonces;
  readonly nowMs: () => number;
}

export type LoginOutcome =
  | { readonly ok: true; readonly subject: Subject }
  | { readonly ok: false; readonly why: string };

/** @param host as the browser named it */
export function operatorLogin(
  { nonce, certificate, signature }: z.infer<typeof loginBody>,
  host: string,
  { trust, revocations, nonces, nowMs }: OperatorLoginOptions,
): LoginOutcome {
  const now = nowMs();
  if (!nonces.isFresh(nonce, now)) return refused('the challenge is not ours, expired, or used; ask for another');
  const read = readCertificate(certificate);
  if (read === undefined) return refused('certificate: not a certificate in DER');
  const bundle = trust();
  const operator = verifyOperator(read, { trust: bundle, nowMs: now, revocations: revocations() });
  if (!operator.ok) return refused(`certificate: ${operator.reason}: ${operator.detail}`);
  const signed = Buffer.from(signature, 'base64');
  const statement = loginStatement({ trustDomain: bundle.trustDomain, host, nonce });
  if (signed.length !== ED25519_SIGNATURE_BYTES || !verify(null, statement, operator.publicKey, signed)) {
    return refused('signature: not of this certificate over this challenge at this address');
  }
  if (!nonces.use(nonce, now)) return refused('the challenge was used; ask for another');
  const { spiffeId, issuedAtMs, scope, expiresAtMs } = operator;
  const issued = { spiffeId, issuedAtMs };
  return { ok: true, subject: { name: spiffeId, grants: grantsOfScope(scope), untilMs: expiresAtMs, issued } };
}

function readCertificate(base64: string): X509Certificate | undefined {
  try {
    return new X509Certificate(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

function refused(why: string): LoginOutcome {
  return { ok: false, why };
}
