/** Signing documents that are in force once more, with another key or certificate, so that they go on being in force. @module */
import { createHash, X509Certificate } from 'node:crypto';
import { readCertificate } from '../../certs/certificate.ts';
import type { OperatorIdentity } from '../../certs/operator-bundle.ts';
import { revocationName } from '../../certs/revocation.ts';
import { issuedOf } from '../../certs/verify.ts';
import { describeKey, type Held, keyText, revisionId, revisionStatement } from '../../gossip/documents/revision.ts';
import { isCall, isRevocation } from '../../gossip/documents/revocation.ts';
import { RevocationBook } from '../../gossip/documents/revocation-book.ts';
import { fromSigned } from '../documents/signed.ts';
import type { SnapshotPageView } from '../documents/views.ts';
import type { AgentPlace } from './agent-place.ts';
import { call } from './client.ts';
import { type WriteOptions, writeChange } from './document-writer.ts';

/** What an agent holds: for each document its revisions, latest first. Deletions are in it. */
export async function heldDocuments(place: AgentPlace, trustDomain: string): Promise<readonly (readonly Held[])[]> {
  const documents = new Map<string, Held[]>();
  for (let after: string | null = ''; after !== null; ) {
    const path: string = `/v1/documents/snapshot?${new URLSearchParams({ after })}`;
    const page: SnapshotPageView = await call(place, { method: 'GET', path });
    for (const revision of page.revisions.map(fromSigned)) {
      const held = { id: revisionId(revisionStatement(trustDomain, revision, digest), digest), revision };
      const known = documents.get(keyText(revision));
      if (known === undefined) documents.set(keyText(revision), [held]);
      else known.push(held);
    }
    after = page.next;
  }
  return [...documents.values()];
}

/** Writes a revision as it stands, in the name of the operator. */
export async function signAnew({ id, revision }: Held, options: WriteOptions): Promise<void> {
  const { body, number, hlc } = revision;
  await writeChange({ key: revision, where: describeKey(revision), base: { id, number, hlc }, body }, options);
}

/** Whether an operator would revoke itself by signing it: no agent counts that. */
export function isAgainst({ name }: OperatorIdentity, { revision }: Held): boolean {
  return isCall(revision) && revision.name === revocationName(`operator/${name}`);
}

/** Those whose author counts for nothing: who signs them would lend them force. */
export function writtenByRevoked(documents: readonly (readonly Held[])[], trustDomain: string): ReadonlySet<Held> {
  const book = new RevocationBook(trustDomain);
  for (const held of documents) {
    const [head] = held;
    if (head !== undefined && isRevocation(head.revision)) book.note(keyText(head.revision), held, issuedAtMs);
  }
  const isWorthless = (held: Held): boolean =>
    book.operators.covers({ spiffeId: held.revision.author, issuedAtMs: issuedAtMs(held) });
  return new Set(documents.flatMap((held) => held.filter(isWorthless)));
}

function issuedAtMs({ revision }: Held): number {
  const read = readCertificate(new X509Certificate(revision.certificate));
  return read.ok ? issuedOf(read).issuedAtMs : 0;
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
