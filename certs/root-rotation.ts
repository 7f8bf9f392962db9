/**
 * Which roots a trust domain has, said by roots themselves, so that the set can change while every node runs.
 *
 * A statement lists all roots from then on and counts up; it is worth something to whoever trusts one of the roots that
 * signed it. As with the root metadata of TUF (specification 1.0.33 §5.3), a node that was away walks from the statement
 * it knows to the latest. Whoever carries a statement, an operator's document or a file, cannot change what it says.
 * @module
 */
import { type KeyObject, sign, verify, type X509Certificate } from 'node:crypto';
import { KEY_USAGE, readCertificate } from './certificate.ts';
import { verifyIssuer } from './issuer-chain.ts';
import { parseTrustDomainId, quote } from './spiffe.ts';
import type { TrustBundle } from './trust-bundle.ts';
import { CLOCK_SKEW_MS, hasUsage, verifyChain } from './verify.ts';

export interface RootsStatement {
  /** 1 for the first; the later one counts. */
  readonly sequence: number;
  /** All roots to be trusted, the newest last. */
  readonly roots: readonly X509Certificate[];
  readonly signatures: readonly RootSignature[];
}

export interface RootSignature {
  /** Fingerprint (SHA-256, lower-case hexadecimal) of the root whose key signed. */
  readonly root: string;
  readonly signature: Uint8Array;
}

/** All that is needed to follow: public, and worth nothing to who does not trust a root that signed. */
export interface Rotation {
  /** In order, the latest last. */
  readonly statements: readonly RootsStatement[];
  /** Certificates of issuers under the root that chains are to lead to. */
  readonly issuers: readonly X509Certificate[];
}

/** What somebody trusts, and the sequence of the statement that said so; 0 when no statement did. */
export interface TrustedRoots {
  readonly trust: TrustBundle;
  readonly sequence: number;
}

/** Why a rotation is not followed. */
export type RotationRefusal =
  | 'malformed'
  | 'wrong-trust-domain'
  | 'replayed' // older than what is trusted here, or another one of the same number
  | 'unsigned' // by any root that is trusted here
  | 'left-behind'; // the node's own certificate would not be accepted any more

export type Followed<T> =
  | ({ readonly ok: true } & T)
  | { readonly ok: false; readonly reason: RotationRefusal; readonly detail: string };

export function rootFingerprint(root: X509Certificate): string {
  return root.fingerprint256.replaceAll(':', '').toLowerCase();
}

/** @param signers every root listed, and one that is trusted where it is to be followed */
export function signRoots(
  stated: { readonly trustDomain: string } & Omit<RootsStatement, 'signatures'>,
  signers: readonly { readonly certificate: X509Certificate; readonly privateKey: KeyObject }[],
): RootsStatement {
  const { trustDomain, sequence, roots } = stated;
  const bytes = statementBytes(trustDomain, { sequence, roots });
  const signatures = signers.map(({ certificate, privateKey }) => ({
    root: rootFingerprint(certificate),
    signature: sign('sha256', bytes, privateKey),
  }));
  return { sequence, roots, signatures };
}

/**
 * Whom to trust after these statements. Each must be signed by a root trusted before it and by every root that it lists:
 * the first shows that it may, the second that nobody was listed who does not know.
 */
export function followRoots(
  statements: readonly RootsStatement[],
  from: TrustedRoots,
  nowMs: number,
): Followed<TrustedRoots> {
  const last = statements.at(-1);
  if (last === undefined) return refuse('malformed', 'it holds no statement about roots');
  if (statements.some(({ sequence }, i) => sequence <= (statements[i - 1]?.sequence ?? 0))) {
    return refuse('malformed', 'its statements are not in order');
  }
  const { trustDomain } = from.trust;
  if (last.sequence < from.sequence) {
    return refuse('replayed', `it ends with statement ${last.sequence}, this node follows ${from.sequence}`);
  }
  if (last.sequence === from.sequence) {
    if (isSameSet(last.roots, from.trust.roots)) return { ok: true, ...from };
    return refuse('replayed', `its statement ${last.sequence} lists other roots than the one that this node follows`);
  }
  let at = from;
  let refused: Followed<never> | undefined;
  for (const statement of statements) {
    if (statement.sequence <= from.sequence) continue;
    const problem = statementProblem(statement, at.trust, nowMs);
    if (problem === undefined) at = { trust: { trustDomain, roots: statement.roots }, sequence: statement.sequence };
    refused = problem;
  }
  return refused ?? { ok: true, ...at };
}

/** What a node presents and trusts once it follows. */
export interface Standing extends TrustedRoots {
  readonly chain: readonly X509Certificate[];
}

/**
 * As `followRoots`, for a node with a certificate. Where an issuer was certified anew with the key that signed the node's
 * certificate, its new certificate takes the place of the old one in the chain: nobody has to be asked for that.
 */
export function followRotation(rotation: Rotation, from: Standing, nowMs: number): Followed<Standing> {
  const followed = followRoots(rotation.statements, from, nowMs);
  if (!followed.ok) return followed;
  const { trust, sequence } = followed;
  const chain = chainUnder(rotation.issuers, from.chain, { trust, nowMs });
  const verdict = verifyChain(chain, { trust, role: 'node', nowMs });
  if (verdict.ok || verdict.reason !== 'untrusted-root') return { ok: true, trust, sequence, chain };
  const detail = `the certificate of this node leads to no root of statement ${sequence}: it needs a new one first`;
  return refuse('left-behind', detail);
}

/** The trusted root that signed the top of a chain. */
export function rootOf(chain: readonly X509Certificate[], { roots }: TrustBundle): X509Certificate | undefined {
  const top = chain.at(-1);
  return roots.find((root) => top?.checkIssued(root) === true && top.verify(root.publicKey));
}

/** The certificate stated for an issuer's key, if it is to be trusted. */
export function issuerFor(
  issuers: readonly X509Certificate[],
  publicKey: KeyObject,
  options: { readonly trust: TrustBundle; readonly nowMs: number },
): X509Certificate | undefined {
  return issuers.find((one) => one.publicKey.equals(publicKey) && verifyIssuer(one, options) === undefined);
}

/** A node's chain with the certificate stated for its issuer, where there is one; as it was otherwise. */
export function chainUnder(
  issuers: readonly X509Certificate[],
  chain: readonly X509Certificate[],
  options: { readonly trust: TrustBundle; readonly nowMs: number },
): readonly X509Certificate[] {
  const [node, issuer] = chain;
  const stated = issuer && issuerFor(issuers, issuer.publicKey, options);
  return node === undefined || stated === undefined || stated.raw.equals(issuer!.raw) ? chain : [node, stated];
}

function statementProblem(
  statement: RootsStatement,
  trust: TrustBundle,
  nowMs: number,
): Extract<Followed<never>, { ok: false }> | undefined {
  const { roots, sequence } = statement;
  for (const root of roots) {
    const problem = rootProblem(root, trust.trustDomain);
    if (problem !== undefined) return problem;
  }
  if (new Set(roots.map(rootFingerprint)).size !== roots.length) return refuse('malformed', 'it lists a root twice');
  const bytes = statementBytes(trust.trustDomain, statement);
  const isSigner = (root: X509Certificate): boolean => hasSigned(statement, root, bytes);
  const inTime = trust.roots.filter((root) => nowMs <= root.validToDate.getTime() + CLOCK_SKEW_MS);
  if (!inTime.some(isSigner)) {
    return refuse('unsigned', `statement ${sequence} is signed by no root that this node trusts`);
  }
  const silent = roots.find((root) => !isSigner(root));
  if (silent === undefined) return undefined;
  return refuse(
    'unsigned',
    `statement ${sequence} is not signed by root ${rootFingerprint(silent).slice(0, 16)}, which it lists`,
  );
}

/** A root is trusted for whatever it signs, so what becomes one must look as `weft init` makes it. */
function rootProblem(root: X509Certificate, trustDomain: string): Extract<Followed<never>, { ok: false }> | undefined {
  const read = readCertificate(root);
  if (!read.ok) return refuse('malformed', `a root ${read.detail}`);
  const { facts } = read;
  const [uri, ...others] = facts.uris;
  if (parseTrustDomainId(uri ?? '') !== trustDomain || others.length > 0) {
    return refuse('wrong-trust-domain', `a root is of ${quote(uri ?? '')}, this node is of ${trustDomain}`);
  }
  const isRoot = facts.isCa && facts.isP256 && hasUsage(facts, KEY_USAGE.keyCertSign) && (facts.pathLength ?? 2) >= 2;
  if (!isRoot || !facts.issuerName.equals(facts.subjectName) || !isSelfSigned(root)) {
    return refuse('malformed', 'it lists a certificate that is no root');
  }
  return undefined;
}

function isSelfSigned(root: X509Certificate): boolean {
  try {
    return root.verify(root.publicKey);
  } catch {
    return false; // OpenSSL cannot check such a signature with such a key
  }
}

function hasSigned({ signatures }: RootsStatement, root: X509Certificate, bytes: Uint8Array): boolean {
  const name = rootFingerprint(root);
  return signatures.some((one) => {
    if (one.root !== name) return false;
    try {
      return verify('sha256', bytes, root.publicKey, one.signature);
    } catch {
      return false; // bytes that are no signature at all
    }
  });
}

function statementBytes(trustDomain: string, { sequence, roots }: Omit<RootsStatement, 'signatures'>): Uint8Array {
  const lines = ['weft roots 1', trustDomain, String(sequence), ...roots.map(rootFingerprint)];
  return new TextEncoder().encode(`${lines.join('\n')}\n`);
}

/** Whether both lists hold the same certificates, in any order. */
export function isSameSet(a: readonly X509Certificate[], b: readonly X509Certificate[]): boolean {
  const names = new Set(a.map(rootFingerprint));
  return a.length === b.length && b.every((root) => names.has(rootFingerprint(root)));
}

function refuse(reason: RotationRefusal, detail: string): Extract<Followed<never>, { ok: false }> {
  return { ok: false, reason, detail };
}
