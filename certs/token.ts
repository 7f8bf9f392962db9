/**
 * Join tokens: what lets a machine that has nothing yet become a node, once.
 *
 * An operator whose scope covers the grant signs one; any issuer can check it by itself, because it carries the operator's
 * certificate. It names the roots by fingerprint, so that the joiner knows an issuer of this trust domain before it shows
 * the token. Whoever has it may use it: it is a secret until it was used or has expired. Its id is none.
 *
 * Token ::= SEQUENCE { claims SEQUENCE, operatorCertificate Certificate, signature OCTET STRING }, in DER, then base64url.
 * @module
 */
import { createHash, randomBytes, verify, X509Certificate } from 'node:crypto';
import { DerReader, instantMs, smallInteger, TAG } from './der.ts';
import { integer, octets, parsed, sequence, time, toDer, utf8 } from './der-writer.ts';
import { CertsError } from './errors.ts';
import { checkGrant, grantProblem } from './grant.ts';
import { verifyOperator } from './operator.ts';
import { type OperatorIdentity, signAsOperator } from './operator-bundle.ts';
import { scopeCovers } from './scope.ts';
import { nodeId, quote } from './spiffe.ts';
import { type ChainOptions, CLOCK_SKEW_MS } from './verify.ts';

/** The kind that an operator's scope must name for this, with the namespaces of the grant: `JoinToken/shop`. */
export const TOKEN_KIND = 'JoinToken';
/** Issuers remember a used token until it has expired, so a token may not live for ever. */
export const MAX_TOKEN_TTL_MS = 24 * 3_600_000;
const PREFIX = 'weft-join-1.';
const MAX_TEXT_LENGTH = 16_384;
const MAX_ROOTS = 8;
const ID_BYTES = 16;

export interface TokenOptions {
  readonly grant: readonly string[];
  /** The only node that may join with it; any that is new to the mesh if absent. */
  readonly name?: string;
  readonly ttlMs: number;
  readonly nowMs: number;
  /** Those that the joiner is to know the mesh by. */
  readonly roots: readonly X509Certificate[];
}

export interface Token {
  readonly trustDomain: string;
  /** Hexadecimal. */
  readonly id: string;
  /** Empty: any that is new to the mesh. */
  readonly name: string;
  readonly grant: readonly string[];
  /** SHA-256 of trusted roots, hexadecimal. */
  readonly roots: readonly string[];
  readonly notBeforeMs: number;
  readonly expiresAtMs: number;
  /** What the operator signed. */
  readonly claims: Buffer;
  readonly operator: X509Certificate;
  readonly signature: Buffer;
}

/** Why a token is refused: a closed set, so that it can label a metric. */
export type TokenRefusal =
  | 'malformed'
  | 'wrong-trust-domain'
  | 'wrong-root'
  | 'expired'
  | 'not-yet-valid'
  | 'too-long'
  | 'bad-grant'
  | 'operator'
  | 'signature'
  | 'out-of-scope';

export type TokenVerdict =
  | { readonly ok: true /** Name of the operator. */; readonly author: string }
  | { readonly ok: false; readonly reason: TokenRefusal; readonly detail: string };

/** @throws CertsError when grant, name or life will not do, or the operator may not sign such a token */
export function createToken(operator: OperatorIdentity, options: TokenOptions): string {
  const { grant, name = '', ttlMs, nowMs, roots } = options;
  checkGrant(grant);
  if (name !== '') nodeId(operator.trustDomain, name);
  if (!(ttlMs >= 1_000 && ttlMs <= MAX_TOKEN_TTL_MS)) {
    throw new CertsError('WEFT_CERTS_BAD_TOKEN_TTL', `${ttlMs / 1_000} s`);
  }
  const uncovered = uncoveredBy(operator.scope, grant);
  if (uncovered !== undefined) {
    const subject = `${quote(uncovered)}, operator ${operator.name} (${operator.scope.join(', ')})`;
    throw new CertsError('WEFT_CERTS_TOKEN_OUT_OF_SCOPE', subject);
  }
  const claims = sequence(
    integer(Buffer.of(1)),
    utf8(operator.trustDomain),
    octets(randomBytes(ID_BYTES)),
    utf8(name),
    sequence(...grant.map(utf8)),
    sequence(...roots.map((root) => octets(fingerprint(root)))),
    time(nowMs),
    time(nowMs + ttlMs),
  );
  const signature = signAsOperator(operator, statement(toDer(claims)));
  const token = toDer(sequence(claims, parsed(operator.certificate.raw), octets(Buffer.from(signature))));
  return `${PREFIX}${token.toString('base64url')}`;
}

/** Reads the form only. @returns undefined for anything that is no token; never throws */
export function parseToken(text: string): Token | undefined {
  if (text.length > MAX_TEXT_LENGTH || !text.startsWith(PREFIX)) return undefined;
  try {
    const encoded = text.slice(PREFIX.length);
    const bytes = Buffer.from(encoded, 'base64url');
    return bytes.toString('base64url') === encoded ? readToken(bytes) : undefined;
  } catch {
    return undefined; // cut short, altered, or a certificate that OpenSSL does not take
  }
}

/** Whether an issuer may act on it now; whether it was used before is not known here. Never throws. */
export function verifyToken(token: Token, options: ChainOptions): TokenVerdict {
  const { trust, nowMs } = options;
  if (token.trustDomain !== trust.trustDomain) {
    return refuse('wrong-trust-domain', `the token is for ${quote(token.trustDomain)}, this is ${trust.trustDomain}`);
  }
  if (!trust.roots.some((root) => token.roots.includes(fingerprint(root).toString('hex')))) {
    return refuse('wrong-root', 'the token names no root that is trusted here');
  }
  const operator = verifyOperator(token.operator, options);
  if (!operator.ok) return refuse('operator', operator.detail);
  if (!isSigned(token, operator.publicKey))
    return refuse('signature', `not signed by ${operator.spiffeId}, or altered`);
  if (nowMs > token.expiresAtMs + CLOCK_SKEW_MS) {
    return refuse('expired', `the token expired at ${new Date(token.expiresAtMs).toISOString()}`);
  }
  if (nowMs < token.notBeforeMs - CLOCK_SKEW_MS) {
    return refuse('not-yet-valid', `the token is valid from ${new Date(token.notBeforeMs).toISOString()}`);
  }
  if (token.expiresAtMs - token.notBeforeMs > MAX_TOKEN_TTL_MS) return refuse('too-long', 'the token lives over 24 h');
  const problem = grantProblem(token.grant);
  if (problem !== undefined) return refuse('bad-grant', `the grant of the token has ${problem}`);
  const uncovered = uncoveredBy(operator.scope, token.grant);
  if (uncovered !== undefined) return refuse('out-of-scope', `${operator.name} may not grant ${quote(uncovered)}`);
  return { ok: true, author: operator.name };
}

/** SHA-256 of a certificate's DER, as tokens name roots. */
export function fingerprint(certificate: X509Certificate): Buffer {
  return createHash('sha256').update(certificate.raw).digest();
}

function readToken(bytes: Buffer): Token | undefined {
  const file = new DerReader(bytes);
  const outer = file.enter(TAG.sequence);
  file.end();
  const claims = outer.readWhole(TAG.sequence);
  const operator = new X509Certificate(outer.readWhole(TAG.sequence));
  const signature = outer.read(TAG.octetString);
  outer.end();
  const fields = new DerReader(claims).enter(TAG.sequence);
  if (smallInteger(fields.read(TAG.integer)) !== 1) return undefined;
  const trustDomain = text(fields);
  const id = fields.read(TAG.octetString);
  const name = text(fields);
  const grant = list(fields, text);
  const roots = list(fields, (items) => items.read(TAG.octetString).toString('hex'));
  const notBeforeMs = instant(fields);
  const expiresAtMs = instant(fields);
  fields.end();
  if (id.length !== ID_BYTES || roots.length > MAX_ROOTS) return undefined;
  const identity = { trustDomain, id: id.toString('hex'), name, grant, roots, notBeforeMs, expiresAtMs };
  return { ...identity, claims, operator, signature };
}

function text(fields: DerReader): string {
  return fields.read(TAG.utf8String).toString('utf8');
}

function instant(fields: DerReader): number {
  const { tag, content } = fields.readAny();
  return instantMs(tag, content);
}

/** Bounded by the length of the token. */
function list<T>(fields: DerReader, read: (items: DerReader) => T): T[] {
  const items = fields.enter(TAG.sequence);
  const all: T[] = [];
  while (!items.isAtEnd) all.push(read(items));
  return all;
}

/** The first pattern of the grant that the scope does not cover; one for many namespaces needs a scope for all. */
function uncoveredBy(scope: readonly string[], grant: readonly string[]): string | undefined {
  return grant.find((pattern) => !scopeCovers(scope, TOKEN_KIND, pattern.split('/')[1] ?? '*'));
}

function isSigned({ claims, signature }: Token, key: Parameters<typeof verify>[2]): boolean {
  try {
    return verify(null, statement(claims), key, signature);
  } catch {
    return false; // bytes that are no signature at all
  }
}

function statement(claims: Buffer): Buffer {
  return Buffer.concat([Buffer.from('weft join token\n'), claims]);
}

function refuse(reason: TokenRefusal, detail: string): TokenVerdict {
  return { ok: false, reason, detail };
}
