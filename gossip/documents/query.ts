/** What the rest of the agent asks of the documents, as plain data that crosses threads. @module */
import type { Chain, Standing } from './chain.ts';
import type { RestoreOutcome, WriteOutcome } from './outcome.ts';
import type { DocumentKey, Held, Revision } from './revision.ts';

export interface HistoryItem {
  readonly held: Held;
  readonly standing: Standing;
}

/** Questions, and what each is answered with. */
export interface DocumentQueries {
  readonly write: { readonly ask: { revision: Revision; isDryRun: boolean }; readonly answer: WriteOutcome };
  readonly restore: { readonly ask: { revisions: readonly Revision[] }; readonly answer: RestoreOutcome };
  /** Revisions in force; fields left out match any. Deleted documents are among them. */
  readonly list: { readonly ask: Partial<DocumentKey>; readonly answer: readonly Held[] };
  /** Latest first; empty for a document never heard of. */
  readonly history: { readonly ask: DocumentKey; readonly answer: readonly HistoryItem[] };
  /** Revisions whose id begins like this, a few at most, each with what is in force in its place. */
  readonly find: {
    readonly ask: { idPrefix: string };
    readonly answer: readonly (HistoryItem & { readonly head: Held })[];
  };
  /** All revisions, a page at a time in the order of keys; `next` is undefined on the last. */
  readonly snapshot: {
    readonly ask: { after: string };
    readonly answer: { readonly revisions: readonly Revision[]; readonly next: string | undefined };
  };
}

export type DocumentQuery = keyof DocumentQueries;

const MAX_FOUND = 5;
const PAGE_BYTES = 2 * 1024 * 1024;

export function listHeads(chains: Iterable<[string, Chain]>, wanted: Partial<DocumentKey>): Held[] {
  const heads = [...chains].map(([, chain]) => chain.head);
  return heads.filter(
    ({ revision }) =>
      (wanted.kind ?? revision.kind) === revision.kind &&
      (wanted.namespace ?? revision.namespace) === revision.namespace &&
      (wanted.name ?? revision.name) === revision.name,
  );
}

export function findRevisions(
  chains: Iterable<[string, Chain]>,
  idPrefix: string,
): DocumentQueries['find']['answer'][number][] {
  const found: DocumentQueries['find']['answer'][number][] = [];
  for (const [, chain] of chains) {
    if (!chain.held.some((one) => one.id.startsWith(idPrefix))) continue;
    const matching = chain.standings().filter((item) => item.held.id.startsWith(idPrefix));
    found.push(...matching.map((item) => ({ ...item, head: chain.head })));
    if (found.length >= MAX_FOUND) break;
  }
  return found.slice(0, MAX_FOUND);
}

export function snapshotPage(chains: Iterable<[string, Chain]>, after: string): DocumentQueries['snapshot']['answer'] {
  const rest = [...chains].filter(([key]) => key > after).sort(([a], [b]) => (a < b ? -1 : 1));
  const revisions: Revision[] = [];
  let bytes = 0;
  for (const [i, [key, chain]] of rest.entries()) {
    for (const { revision } of chain.held) {
      revisions.push(revision);
      bytes += 1_000 + (revision.body?.length ?? 0);
    }
    if (bytes >= PAGE_BYTES && i < rest.length - 1) return { revisions, next: key };
  }
  return { revisions, next: undefined };
}
