/**
 * What is asked of an issuer and what it answers, by joiners over TLS and by members over gossip: msgpack arrays whose
 * first field is a version. Sizes are bounded before anything is read; see the listeners.
 * @module
 */
import { pack, unpackGuarded } from '../../gossip/wire/pack.ts';

/** How one token was used, as issuers tell each other. */
export interface TokenUse {
  /** Hexadecimal id of the token. */
  readonly token: string;
  /** SHA-256 of the joiner's public key, hexadecimal: the same joiner may ask again. */
  readonly key: string;
  /** The node that joined. */
  readonly node: string;
  readonly atMs: number;
  /** When the token was made, and when it expires. */
  readonly madeAtMs: number;
  readonly expiresAtMs: number;
}

export type Question =
  /** A joiner with a token. */
  | { readonly kind: 'join'; readonly token: string; readonly csr: Uint8Array; readonly name: string }
  /** A node, with the chain it has; the connection proves that it holds the key. */
  | { readonly kind: 'renew'; readonly chain: readonly Uint8Array[] }
  /** Another issuer: may this joiner use this token? */
  | { readonly kind: 'claim'; readonly use: TokenUse }
  /** Another issuer: what I know of used tokens; what do you? */
  | { readonly kind: 'uses'; readonly uses: readonly TokenUse[] };

/** Reasons beside those of certs/token.ts and certs/verify.ts. */
export type DeskRefusal =
  | 'malformed' // no question of ours
  | 'busy' // try again in a moment
  | 'used' // the token was used by another joiner
  | 'wrong-name' // the token is for another node
  | 'name-taken' // a node of this name exists, and the token does not name it
  | 'bad-request' // the certification request does not hold
  | 'wrong-key' // the chain is not of the key that the connection proved
  | 'used-twice' // it joined with a token that another one had used before
  | 'not-an-issuer'; // for issuers only

export type Answer =
  | { readonly kind: 'issued'; readonly chain: readonly Uint8Array[]; readonly roots: readonly Uint8Array[] }
  | { readonly kind: 'claimed' }
  | { readonly kind: 'uses'; readonly uses: readonly TokenUse[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly detail: string };

/** The longest question a joiner may send. */
export const MAX_QUESTION_BYTES = 24 * 1024;
export const MAX_ANSWER_BYTES = 128 * 1024;
/** Uses in one message: 100 kB. */
export const MAX_USES = 1_000;
const MAX_CERTIFICATES = 8;
const VERSION = 1;

export function encodeQuestion(question: Question): Uint8Array {
  switch (question.kind) {
    case 'join':
      return pack([VERSION, 'join', question.token, question.csr, question.name]);
    case 'renew':
      return pack([VERSION, 'renew', question.chain]);
    case 'claim':
      return pack([VERSION, 'claim', fieldsOf(question.use)]);
    case 'uses':
      return pack([VERSION, 'uses', question.uses.slice(0, MAX_USES).map(fieldsOf)]);
  }
}

/** @returns undefined for whatever is no question that this version knows */
export function decodeQuestion(bytes: Uint8Array): Question | undefined {
  const [kind, ...fields] = versioned(bytes);
  if (kind === 'join') {
    const [token, csr, name] = fields;
    if (typeof token !== 'string' || !(csr instanceof Uint8Array) || typeof name !== 'string') return undefined;
    return { kind, token, csr, name };
  }
  if (kind === 'renew') {
    const chain = certificates(fields[0]);
    return chain && { kind, chain };
  }
  if (kind === 'claim') {
    const use = readUse(fields[0]);
    return use && { kind, use };
  }
  const uses = kind === 'uses' ? readUses(fields[0]) : undefined;
  return uses && { kind: 'uses', uses };
}

export function encodeAnswer(answer: Answer): Uint8Array {
  switch (answer.kind) {
    case 'issued':
      return pack([VERSION, 'issued', answer.chain, answer.roots]);
    case 'claimed':
      return pack([VERSION, 'claimed']);
    case 'uses':
      return pack([VERSION, 'uses', answer.uses.slice(0, MAX_USES).map(fieldsOf)]);
    case 'refused':
      return pack([VERSION, 'refused', answer.reason, answer.detail.slice(0, 500)]);
  }
}

/** @returns undefined for whatever is no answer that this version knows */
export function decodeAnswer(bytes: Uint8Array): Answer | undefined {
  const [kind, ...fields] = versioned(bytes);
  if (kind === 'claimed') return { kind };
  if (kind === 'issued') {
    const [chain, roots] = [certificates(fields[0]), certificates(fields[1])];
    return chain && roots && { kind, chain, roots };
  }
  if (kind === 'refused') {
    const [reason, detail] = fields;
    return typeof reason === 'string' && typeof detail === 'string' ? { kind, reason, detail } : undefined;
  }
  const uses = kind === 'uses' ? readUses(fields[0]) : undefined;
  return uses && { kind: 'uses', uses };
}

export function refused(reason: string, detail: string): Extract<Answer, { kind: 'refused' }> {
  return { kind: 'refused', reason, detail };
}

function versioned(bytes: Uint8Array): unknown[] {
  const fields = unpackGuarded(bytes);
  return Array.isArray(fields) && fields[0] === VERSION ? fields.slice(1) : [];
}

function certificates(list: unknown): Uint8Array[] | undefined {
  if (!Array.isArray(list) || list.length > MAX_CERTIFICATES) return undefined;
  return list.every((der) => der instanceof Uint8Array) ? list : undefined;
}

function fieldsOf({ token, key, node, atMs, madeAtMs, expiresAtMs }: TokenUse): unknown[] {
  return [Buffer.from(token, 'hex'), Buffer.from(key, 'hex'), node, atMs, madeAtMs, expiresAtMs];
}

function readUses(list: unknown): TokenUse[] | undefined {
  if (!Array.isArray(list) || list.length > MAX_USES) return undefined;
  const uses = list.map(readUse);
  return uses.every((use) => use !== undefined) ? uses : undefined;
}

function readUse(fields: unknown): TokenUse | undefined {
  if (!Array.isArray(fields)) return undefined;
  const [token, key, node, atMs, madeAtMs, expiresAtMs] = fields as unknown[];
  if (!isInstant(atMs) || !isInstant(madeAtMs) || !isInstant(expiresAtMs)) return undefined;
  if (typeof node !== 'string' || node.length > 253 || !isBytes(token, 16) || !isBytes(key, 32)) return undefined;
  return { token: hex(token), key: hex(key), node, atMs, madeAtMs, expiresAtMs };
}

function isInstant(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
