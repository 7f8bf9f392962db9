/**
 * A snapshot of all documents in one file. Every revision in it is signed, so it needs no secrecy and no trust: restored on
 * any agent of the same trust domain, it brings back what is missing and never replaces what is later. @module
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { signedRevision } from '../documents/signed.ts';
import type { RestoreView, SignedRevision, SnapshotPageView } from '../documents/views.ts';
import { AgentError, messageOf } from '../errors.ts';
import { writeFileAtomic } from '../files.ts';
import type { AgentPlace } from './agent-place.ts';
import { ask, call } from './client.ts';

const snapshotSchema = z.object({
  apiVersion: z.literal('weft.dev/v1alpha1'),
  kind: z.literal('Snapshot'),
  trustDomain: z.string(),
  takenFrom: z.string(),
  takenAt: z.string(),
  sha256: z.string(),
  revisions: z.array(signedRevision),
});

type Snapshot = z.output<typeof snapshotSchema>;

/** What one request carries: the agent reads 16 MiB. */
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_REVISIONS = 1_000;

export async function takeSnapshot(place: AgentPlace, file: string, nowMs: number): Promise<number> {
  const { node, trustDomain } = await ask(place, '/v1/status');
  const revisions: SignedRevision[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const path: string = `/v1/documents/snapshot?${new URLSearchParams({ after })}`;
    const page: SnapshotPageView = await call(place, { method: 'GET', path });
    revisions.push(...page.revisions);
    after = page.next;
  }
  const takenAt = new Date(nowMs).toISOString();
  const head = { apiVersion: 'weft.dev/v1alpha1', kind: 'Snapshot', trustDomain, takenFrom: node, takenAt } as const;
  const snapshot: Snapshot = { ...head, sha256: digest(revisions), revisions };
  await writeFileAtomic(file, `${JSON.stringify(snapshot)}\n`);
  return revisions.length;
}

export async function restoreSnapshot(place: AgentPlace, file: string): Promise<RestoreView & { readonly of: number }> {
  const snapshot = readSnapshot(file);
  const { trustDomain } = await ask(place, '/v1/status');
  if (snapshot.trustDomain !== trustDomain) {
    const subject = `${file} is of trust domain ${snapshot.trustDomain}, the agent of ${trustDomain}`;
    throw new AgentError('WEFT_AGENT_SNAPSHOT_INVALID', subject);
  }
  let taken = 0;
  const refused: string[] = [];
  for (const revisions of batches(snapshot.revisions)) {
    const sent = { method: 'POST', path: '/v1/documents/restore', body: { revisions } } as const;
    const answer = await call<RestoreView>(place, sent);
    taken += answer.taken;
    refused.push(...answer.refused);
  }
  return { taken, refused, of: snapshot.revisions.length };
}

function readSnapshot(file: string): Snapshot {
  let snapshot: Snapshot;
  try {
    snapshot = snapshotSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (err) {
    const why = err instanceof z.ZodError ? 'a field is missing or not what it must be' : messageOf(err);
    throw new AgentError('WEFT_AGENT_SNAPSHOT_INVALID', `${file} (${why})`, { cause: err });
  }
  if (snapshot.sha256 === digest(snapshot.revisions)) return snapshot;
  throw new AgentError('WEFT_AGENT_SNAPSHOT_INVALID', `${file} (its checksum does not match)`);
}

function* batches(revisions: readonly SignedRevision[]): Iterable<readonly SignedRevision[]> {
  let batch: SignedRevision[] = [];
  let bytes = 0;
  for (const revision of revisions) {
    const size = 2_000 + (revision.body?.length ?? 0);
    if (batch.length === BATCH_REVISIONS || (bytes + size > BATCH_BYTES && batch.length > 0)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(revision);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function digest(revisions: readonly SignedRevision[]): string {
  return createHash('sha256').update(JSON.stringify(revisions)).digest('hex');
}
