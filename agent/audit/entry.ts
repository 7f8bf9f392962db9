/**
 * Entries of the audit trail, and the lines they are on disk: JSON, each holding the hash of the line before and its own,
 * so that a line that was changed, taken out or put in later breaks the chain.
 *
 * The chain shows that a file was edited; it cannot stop somebody who may write the file from writing all of it anew. Whoever
 * must be sure keeps the head (number and hash) elsewhere: the agent logs it, and `weft audit --verify` prints it.
 * @module
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export const AUDIT_EVENTS = [
  'accepted', // a revision was taken in: signature, scope and time are in order; revocations are documents too
  'refused', // a revision was not taken in; `reason` and `detail` say why
  'applied', // a revision was taken into use on this node
  'removed', // a document is no longer in use on this node, because it was deleted
  'rejected', // a revision is no good on this node; the one before stays in use
  'held-back', // a revision is not in use, or no longer, because another node rejected it
  'joined', // a node was admitted
  'omitted', // entries that were left out, and why
  'damaged', // the end of the file could not be read at start, and was set aside
] as const;

export type AuditEvent = (typeof AUDIT_EVENTS)[number];

const word = z.string().optional();
const record = z.object({
  event: z.enum(AUDIT_EVENTS),
  /** SPIFFE id of who signed it; of a refused revision, what it claims. */
  operator: word,
  kind: word,
  namespace: word,
  name: word,
  revision: word,
  number: z.number().optional(),
  /** The revision it replaces. */
  base: word,
  /** By the signer's clock, ISO 8601. */
  signedAt: word,
  /** How it came here. */
  via: z.enum(['operator', 'peer', 'snapshot', 'disk', 'own']).optional(),
  /** The peer it came from. */
  from: word,
  /** A word for programs. */
  reason: word,
  /** For people. */
  detail: word,
});

const entry = record.extend({
  /** 1 for the first of this node. */
  seq: z.int().min(1),
  /** By this node's clock, ISO 8601. */
  at: z.string(),
});

/** What happened, as whoever saw it says it. */
export type AuditRecord = z.output<typeof record>;
export type AuditEntry = z.output<typeof entry>;

/** Where a chain stands. */
export interface AuditHead {
  readonly seq: number;
  /** SHA-256 of the last line, hex; zeros before the first. */
  readonly hash: string;
}

export const EMPTY_HEAD: AuditHead = { seq: 0, hash: '0'.repeat(64) };

/** Claims of strangers are among it. */
const MAX_TEXT = 600;

export function nextLine(head: AuditHead, what: AuditRecord, atMs: number): { line: string; head: AuditHead } {
  const seq = head.seq + 1;
  const clipped = Object.entries(what).map(([field, value]) => [
    field,
    typeof value === 'string' && value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}...` : value,
  ]);
  const fields = { seq, at: new Date(atMs).toISOString(), ...Object.fromEntries(clipped), prev: head.hash };
  const text = JSON.stringify(fields);
  const hash = hashOf(text);
  return { line: `${text.slice(0, -1)},"hash":"${hash}"}\n`, head: { seq, hash } };
}

export type ReadLine =
  | { readonly ok: true; readonly entry: AuditEntry; readonly prev: string; readonly head: AuditHead }
  | { readonly ok: false; readonly problem: string };

const HASH_SUFFIX = /,"hash":"([0-9a-f]{64})"\}$/;

/** @param line without its line end */
export function readLine(line: string): ReadLine {
  const hash = HASH_SUFFIX.exec(line)?.[1];
  if (hash === undefined) return { ok: false, problem: 'it is no line of an audit trail' };
  if (hashOf(line.replace(HASH_SUFFIX, '}')) !== hash) {
    return { ok: false, problem: 'its hash is not that of its content: it was changed' };
  }
  try {
    const fields: unknown = JSON.parse(line);
    const { prev } = z.object({ prev: z.string() }).parse(fields);
    const found = entry.parse(fields);
    return { ok: true, entry: found, prev, head: { seq: found.seq, hash } };
  } catch {
    return { ok: false, problem: 'it is not what an agent writes' };
  }
}

/** What does not fit between a line and the one before it; undefined when all does. */
export function linkProblem(before: AuditHead, line: Extract<ReadLine, { ok: true }>): string | undefined {
  if (line.entry.seq !== before.seq + 1) return `entry ${line.entry.seq} follows entry ${before.seq}`;
  if (line.prev !== before.hash) return `entry ${line.entry.seq} does not name the hash of the entry before it`;
  return undefined;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
