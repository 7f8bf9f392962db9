/**
 * What documents of kind Revocation say. It is the one kind that gossip reads itself: whose documents are in force hangs
 * on it, and a node that starts alone must know it before it opens a port.
 *
 * Read leniently, so that a revocation is not lost to a field of a later version; agent/documents/revocation.ts has the
 * schema that writers are held to.
 * @module
 */
import type { RevocationEntry } from '../../certs/revocation.ts';
import { revocationName, revocationSubject } from '../../certs/revocation.ts';
import type { Revision } from './revision.ts';

export const REVOCATION_KIND = 'Revocation';
/** A scope of one namespace more or less must not make an operator master of everybody's identity: it takes this one. */
export const REVOCATION_NAMESPACE = 'weft-system';
/** Revocations in force. Writers are told when there are so many; an entry takes about 200 bytes in each worker. */
export const MAX_REVOCATIONS = 10_000;
/** Documents about operators. They have room beside all others: whoever fills the mesh with documents can be called back. */
export const MAX_CALLS = 1_000;
/** Of the body of one; a reason takes some hundred. */
export const MAX_CALL_BYTES = 4 * 1024;

export interface Revoking extends RevocationEntry {
  /** From then on everything it covers has expired by itself, and it is of no effect. */
  readonly untilMs: number;
}

type RevocationBody = Pick<Revision, 'kind' | 'namespace' | 'name' | 'body'>;

export function isRevocation({ kind, namespace }: Pick<Revision, 'kind' | 'namespace'>): boolean {
  return kind === REVOCATION_KIND && namespace === REVOCATION_NAMESPACE;
}

/** Whether it is about an operator: then it is held and passed on whoever wrote it, as all nodes must weigh the same. */
export function isCall(revision: Pick<Revision, 'kind' | 'namespace' | 'name'>): boolean {
  return isRevocation(revision) && revision.name.startsWith('operator.');
}

/** @returns undefined for a deletion, for what revokes nothing, and under any other name than that of its subject */
export function revocationOf(trustDomain: string, revision: RevocationBody): Revoking | undefined {
  if (!isRevocation(revision) || revision.body === null) return undefined;
  const { spec } = asObject(parse(revision.body));
  const { subject, before, expires } = asObject(spec);
  if (typeof subject !== 'string' || revocationName(subject) !== revision.name) return undefined;
  const spiffeId = revocationSubject(trustDomain, subject);
  const beforeMs = instant(before);
  if (spiffeId === undefined || beforeMs === undefined) return undefined;
  // What an operator signed is believed long after its certificate expired, so its revocation lasts for ever.
  const untilMs = (isCall(revision) ? undefined : instant(expires)) ?? Number.POSITIVE_INFINITY;
  return { subject: spiffeId, beforeMs, untilMs };
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function instant(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
