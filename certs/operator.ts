/**
 * Who signed a document: an operator, whose Ed25519 key a trusted root certified directly, with a scope.
 *
 * The same rules as in verify.ts, for the one shape that has no issuer in between: only the offline root makes operators,
 * so that a stolen node or issuer can write no policy.
 * @module
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { type CertificateFacts, KEY_USAGE, readCertificate } from './certificate.ts';
import type { Issued } from './revocation.ts';
import { scopeProblem } from './scope.ts';
import { kindOf, nameOf, quote } from './spiffe.ts';
import type { ChainOptions, Link, Refusal } from './verify.ts';
import {
  checkAuthorities,
  checkRevoked,
  checkTimes,
  findRoot,
  hasUsage,
  identityOf,
  issuedOf,
  refuse,
} from './verify.ts';

export type OperatorVerdict =
  | Operator
  | { readonly ok: false; readonly reason: Refusal | 'no-scope'; readonly detail: string };

export interface Operator extends Issued {
  readonly ok: true;
  readonly name: string;
  readonly publicKey: KeyObject;
  /** `kind/namespace` patterns; see scope.ts. */
  readonly scope: readonly string[];
  /** When the certificate or its root expires, without skew. */
  readonly expiresAtMs: number;
}

/**
 * @param options.nowMs the instant to judge by; for a document, when it says it was written
 * @returns a typed refusal for whatever a peer may send; never throws
 */
export function verifyOperator(certificate: X509Certificate, options: ChainOptions): OperatorVerdict {
  const known = options.memory?.factsOf(certificate);
  const read = known === undefined ? readCertificate(certificate) : { ok: true as const, facts: known };
  if (!read.ok) return refuse('malformed', `the operator certificate ${read.detail}`);
  const leaf: Link = { label: 'the operator certificate', certificate, facts: read.facts };
  if (leaf.facts.publicKey.asymmetricKeyType !== 'ed25519') {
    return refuse('malformed', `${leaf.label} has a key that is not Ed25519`);
  }
  const root = findRoot(leaf, options);
  if (root === undefined) return refuse('untrusted-root', `no trusted root signed ${leaf.label}`);
  const path = [leaf, root];
  return checkTimes(path, options.nowMs) ?? checkAuthorities(path) ?? judge(leaf, root.facts, options);
}

function judge(leaf: Link, root: CertificateFacts, options: ChainOptions): OperatorVerdict {
  const { label, facts } = leaf;
  const id = identityOf(leaf, options);
  if ('reason' in id) return id;
  if (kindOf(id) !== 'operator') return refuse('wrong-role', `${quote(id.path)} is no operator`);
  if (facts.isCa) return refuse('wrong-role', `${label} is a CA, which no operator is`);
  if (!hasUsage(facts, KEY_USAGE.digitalSignature) || hasUsage(facts, KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign)) {
    return refuse('key-usage', `${label} needs the usage digitalSignature, critical, and may not sign certificates`);
  }
  if (facts.scope === undefined) return noScope(`${label} carries no scope`);
  const problem = scopeProblem(facts.scope);
  if (problem !== undefined) return noScope(`${label} carries a scope with ${problem}`);
  const issued = issuedOf(leaf);
  const revoked = checkRevoked([issued], options);
  if (revoked !== undefined) return revoked;
  return {
    ok: true,
    ...issued,
    name: nameOf(id),
    publicKey: facts.publicKey,
    scope: facts.scope,
    expiresAtMs: Math.min(facts.notAfterMs, root.notAfterMs),
  };
}

function noScope(detail: string): OperatorVerdict {
  return { ok: false, reason: 'no-scope', detail };
}
