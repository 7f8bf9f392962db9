/** Reading the audit trail: the latest entries that fit, and whether the chain is whole. @module */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type AuditEntry, type AuditHead, linkProblem, readLine } from './entry.ts';
import { type AuditTrail, segmentFiles } from './trail.ts';

/** Fields left out fit any. */
export interface AuditQuery {
  readonly sinceMs?: number;
  /** A name, or a whole SPIFFE id. */
  readonly operator?: string;
  /** In any case of letters. */
  readonly kind?: string;
  readonly event?: string;
  readonly limit: number;
}

export interface AuditPage {
  /** Oldest first. */
  readonly entries: readonly AuditEntry[];
  /** There are more that fit, older than these. */
  readonly isCut: boolean;
}

export interface AuditVerdict {
  readonly isWhole: boolean;
  /** Entries read, and the first of them: older ones were deleted to bound the trail. */
  readonly entries: number;
  readonly firstSeq: number;
  /** Where the chain ends on disk; worth keeping elsewhere. */
  readonly head: AuditHead | null;
  /** At most a few. */
  readonly problems: readonly { readonly file: string; readonly line: number; readonly problem: string }[];
}

const MAX_PROBLEMS = 20;

/** The latest entries that fit, up to the limit. Lines that cannot be read are left out: `verifyTrail` names them. */
export async function searchTrail(trail: AuditTrail, query: AuditQuery): Promise<AuditPage> {
  await trail.written();
  const found: AuditEntry[] = [];
  for (const file of (await segmentFiles(trail.directory)).reverse()) {
    const lines = (await readFile(file, 'utf8')).split('\n');
    for (const text of lines.reverse()) {
      const line = text === '' ? undefined : readLine(text);
      if (line?.ok !== true) continue;
      if (query.sinceMs !== undefined && Date.parse(line.entry.at) < query.sinceMs) continue;
      if (!fits(line.entry, query)) continue;
      if (found.length === query.limit) return { entries: found.reverse(), isCut: true };
      found.push(line.entry);
    }
  }
  return { entries: found.reverse(), isCut: false };
}

/** Reads all of it. The running agent knows where the chain must end, so lines cut off at the end are seen as well. */
export async function verifyTrail(trail: AuditTrail): Promise<AuditVerdict> {
  await trail.written();
  const wanted = trail.head;
  const problems: { file: string; line: number; problem: string }[] = [];
  let head: AuditHead | null = null;
  let entries = 0;
  let firstSeq = 0;
  let last = { file: trail.directory, line: 0 };
  for (const file of await segmentFiles(trail.directory)) {
    for (const [i, text] of (await readFile(file, 'utf8')).split('\n').entries()) {
      if (text === '') continue;
      last = { file: basename(file), line: i + 1 };
      const line = readLine(text);
      if (!line.ok) {
        problems.push({ ...last, problem: line.problem });
        continue;
      }
      const problem = head === null ? undefined : linkProblem(head, line);
      if (problem !== undefined) problems.push({ ...last, problem });
      if (entries === 0) firstSeq = line.entry.seq;
      entries++;
      head = line.head;
    }
  }
  // Entries may have been written while this read; fewer than were known before is what must not be.
  const endSeq = head?.seq ?? 0;
  if (endSeq < wanted.seq || (endSeq === wanted.seq && wanted.seq > 0 && head?.hash !== wanted.hash)) {
    problems.push({ ...last, problem: `the trail ends with entry ${endSeq}, the agent wrote entry ${wanted.seq}` });
  }
  return { isWhole: problems.length === 0, entries, firstSeq, head, problems: problems.slice(0, MAX_PROBLEMS) };
}

function fits(entry: AuditEntry, { operator, kind, event }: AuditQuery): boolean {
  const who = entry.operator ?? '';
  if (operator !== undefined && who !== operator && who.slice(who.lastIndexOf('/') + 1) !== operator) return false;
  if (kind !== undefined && entry.kind?.toLowerCase() !== kind.toLowerCase()) return false;
  return event === undefined || entry.event === event;
}
