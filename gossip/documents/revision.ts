/**
 * A document is one chain of signed revisions for each (kind, namespace, name). A revision stands for itself: whoever
 * holds it can tell who wrote it, that its author was entitled to, and which of two is the later.
 *
 * Bodies travel and are stored as opaque bytes, so that an agent carries kinds and fields it has never heard of.
 * @module
 */
import type { Hlc } from './hlc.ts';
import { isHlc } from './hlc.ts';

export interface DocumentKey {
  readonly kind: string;
  /** '' = the document is the mesh's as a whole. */
  readonly namespace: string;
  readonly name: string;
}

/** What the author signs. */
export interface RevisionContent extends DocumentKey {
  /** 1 for the first of its document, one more than that of the base otherwise. */
  readonly number: number;
  /** Id of the revision it replaces; '' for the first. */
  readonly base: string;
  readonly hlc: Hlc;
  /** SPIFFE id of the operator. */
  readonly author: string;
  /** Canonical JSON of the resource; null = deleted. */
  readonly body: Uint8Array | null;
  /** The author's certificate, DER. */
  readonly certificate: Uint8Array;
}

export interface Revision extends RevisionContent {
  readonly signature: Uint8Array;
}

/** A revision with the id that follows from its content. */
export interface Held {
  readonly id: string;
  readonly revision: Revision;
}

/** Why a revision is not taken: a closed set, so that it can label a metric. */
export type DocumentRefusal =
  | 'malformed' // not the shape of a revision
  | 'too-large'
  | 'future' // by more than the clocks of two nodes may differ
  | 'certificate' // no operator of ours, or not at that time
  | 'author' // the certificate is another operator's
  | 'revoked' // its author was called back, whenever it says it was written
  | 'scope' // its author may not write this kind or namespace
  | 'signature'
  | 'replayed' // it was in force once, and was replaced
  | 'full'; // more documents than are carried

export const MAX_BODY_BYTES = 256 * 1024;
export const MAX_DOCUMENT_CERTIFICATE_BYTES = 8 * 1024;
/** A kind, a namespace, a name and the slashes between them. */
export const MAX_KEY_LENGTH = 63 + 63 + 253 + 2;

const KIND = /^[A-Z][A-Za-z0-9]{0,62}$/;
const NAMESPACE = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$/;
/** A DNS name, or one with `_` as catalogs have them. */
const NAME = /^[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*$/;
const ID = /^[0-9a-f]{32}$/;
const ID_BYTES = 16;

/** `kind/namespace/name`, the one spelling of a key. */
export function keyText({ kind, namespace, name }: DocumentKey): string {
  return `${kind}/${namespace}/${name}`;
}

/** How people read a key: `AccessPolicy shop/web`, `MeshConfig default`. */
export function describeKey({ kind, namespace, name }: DocumentKey): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** What is wrong with the shape of a revision, as a phrase; undefined when nothing is. */
export function revisionProblem(revision: RevisionContent): string | undefined {
  const { kind, namespace, name, number, base, hlc, body, certificate } = revision;
  if (!KIND.test(kind)) return 'its kind is not a word in CamelCase of at most 63 letters and digits';
  if (!NAMESPACE.test(namespace)) return 'its namespace is not a DNS label';
  if (name.length > 253 || !NAME.test(name)) return 'its name is not a DNS name, with _ at most';
  if (!Number.isSafeInteger(number) || number < 1) return 'its number is below 1';
  if (number === 1 ? base !== '' : !ID.test(base)) return 'its base does not fit its number';
  if (!isHlc(hlc)) return 'its time is no hybrid logical clock';
  if (certificate.length > MAX_DOCUMENT_CERTIFICATE_BYTES) return 'its certificate is too long';
  if (body !== null && body.length > MAX_BODY_BYTES) {
    return `it has ${body.length} bytes, at most ${MAX_BODY_BYTES} are carried`;
  }
  return undefined;
}

/** The bytes an author signs: every field, one a line, and digests of what is long. */
export function revisionStatement(
  trustDomain: string,
  revision: RevisionContent,
  digest: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  const { kind, namespace, name, number, base, hlc, author, body, certificate } = revision;
  const lines = [
    'weft document 1',
    trustDomain,
    kind,
    namespace,
    name,
    String(number),
    base,
    `${hlc.ms} ${hlc.count}`,
    author,
    body === null ? 'deleted' : `${body.length} ${toHex(digest(body))}`,
    toHex(digest(certificate)),
  ];
  return new TextEncoder().encode(`${lines.join('\n')}\n`);
}

/** A revision is known by what it says: the first 128 bits of the hash of its statement, in hex. */
export function revisionId(statement: Uint8Array, digest: (bytes: Uint8Array) => Uint8Array): string {
  return toHex(digest(statement).subarray(0, ID_BYTES));
}

/** The part of an id that people type and read. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

/** About what a revision takes on the wire, on disk and in memory. */
export function revisionBytes({ body, certificate }: Revision): number {
  return 500 + certificate.length + (body?.length ?? 0);
}

function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
