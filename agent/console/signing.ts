/**
 * Signing with an operator's key where the key is: in the browser, by WebCrypto. What is signed is put together here, from what
 * the operator sees, and never taken as bytes from an agent. Runs in browsers and in Node.
 * @module
 */
import { revisionStatement } from '../../gossip/documents/revision.ts';
import type { SignedRevision } from '../documents/views.ts';
import { type LoginStatement, loginStatement } from './login/statement.ts';
import type { DocumentCheck } from './shapes/mesh.ts';

const URI_TAG = 0x86;

export interface OperatorKey {
  readonly key: CryptoKey;
  /** DER. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  /** The SPIFFE id in it. */
  readonly author: string;
}

/** Reads operator.key and operator.crt, as `weft init` and `weft operator` write them. @throws Error naming what will not do */
export async function readOperatorKey(keyPem: string, certificatePem: string): Promise<OperatorKey> {
  const pkcs8 = pemBytes(keyPem, 'PRIVATE KEY');
  const certificate = pemBytes(certificatePem, 'CERTIFICATE');
  if (pkcs8 === undefined) throw new Error('operator.key: no PRIVATE KEY in PEM');
  if (certificate === undefined) throw new Error('operator.crt: no CERTIFICATE in PEM');
  const author = identityIn(certificate);
  if (author === undefined) throw new Error('operator.crt: it names no operator');
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign']);
  return { key, certificate, author };
}

/** The body of POST /api/v1/login. */
export async function signLogin(operator: OperatorKey, statement: LoginStatement): Promise<Record<string, string>> {
  const signature = await sign(operator, loginStatement(statement));
  return { nonce: statement.nonce, certificate: toBase64(operator.certificate), signature };
}

/** The revision that publishes what was checked. @throws Error where the check found that it cannot be published */
export async function signDocument(operator: OperatorKey, check: DocumentCheck): Promise<SignedRevision> {
  const { key, next, toSign } = check;
  if (key === null || next === null || toSign === null) throw new Error('it cannot be published: see its problems');
  return signRevision(operator, { ...check, key, next }, fromBase64Url(toSign));
}

/**
 * The revision that deletes a document.
 *
 * @param shown what the operator sees: no content says which document it is, so an agent must not choose it
 * @throws Error where the check is about another one, or found that it cannot be deleted
 */
export async function signDeletion(
  operator: OperatorKey,
  check: DocumentCheck,
  shown: NonNullable<DocumentCheck['key']>,
): Promise<SignedRevision> {
  const { key, next, problems, isDeletion } = check;
  const isBad = problems.some(({ severity }) => severity === 'error');
  if (!isDeletion || key === null || next === null || isBad) throw new Error('it cannot be deleted: see its problems');
  const isSame = key.kind === shown.kind && key.namespace === shown.namespace && key.name === shown.name;
  if (!isSame) throw new Error('the agent gave another document to delete than is shown; nothing was signed');
  return signRevision(operator, { ...check, key, next }, null);
}

type Published = Pick<DocumentCheck, 'base'> & { readonly [K in 'key' | 'next']: NonNullable<DocumentCheck[K]> };

async function signRevision(
  operator: OperatorKey,
  { key, next, base }: Published,
  body: Uint8Array<ArrayBuffer> | null,
): Promise<SignedRevision> {
  const { certificate, author } = operator;
  const { number, hlc, trustDomain } = next;
  const content = { ...key, number, base: base ?? '', hlc, author, body, certificate };
  const parts = body === null ? [certificate] : [body, certificate];
  const digests = new Map(parts.map((bytes) => [bytes as Uint8Array, digest(bytes)]));
  const known = new Map(await Promise.all([...digests].map(async ([bytes, made]) => [bytes, await made] as const)));
  const statement = revisionStatement(trustDomain, content, (bytes) => known.get(bytes)!);
  return {
    ...key,
    number,
    base: content.base,
    hlc,
    author,
    body: body === null ? null : new TextDecoder().decode(body),
    certificate: toBase64(certificate),
    signature: await sign(operator, statement),
  };
}

async function sign({ key }: OperatorKey, statement: Uint8Array): Promise<string> {
  return toBase64(new Uint8Array(await crypto.subtle.sign('Ed25519', key, new Uint8Array(statement))));
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

function pemBytes(pem: string, label: string): Uint8Array<ArrayBuffer> | undefined {
  const [, base64] = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`).exec(pem) ?? [];
  return base64 === undefined ? undefined : fromBase64(base64.replaceAll(/\s/g, ''));
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'));
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** The URI of its subjectAltName: tag [6], a length, `spiffe://TRUST-DOMAIN/operator/NAME`. Whether it holds, agents judge. */
function identityIn(certificate: Uint8Array): string | undefined {
  for (let i = 0; i + 2 < certificate.length; i++) {
    if (certificate[i] !== URI_TAG) continue;
    const length = certificate[i + 1]!;
    const text = new TextDecoder('latin1').decode(certificate.subarray(i + 2, i + 2 + length));
    if (text.length === length && /^spiffe:\/\/[a-z0-9._-]+\/operator\/[\w.-]+$/.test(text)) return text;
  }
  return undefined;
}
