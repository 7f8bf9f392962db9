/** What became of a revision that came to this node, for whoever keeps an audit trail. @module */
import type { DocumentKey, DocumentRefusal, Revision } from './revision.ts';

/** How a revision came here. */
export type Arrival =
  | { readonly via: 'operator' | 'snapshot' | 'disk' }
  /** The neighbour that sent it; '' when it came by broadcast. */
  | { readonly via: 'peer'; readonly from: string };

export interface DocumentNote extends DocumentKey {
  readonly arrival: Arrival;
  /** '' when it is too malformed to have one. */
  readonly id: string;
  readonly number: number;
  readonly base: string;
  /** SPIFFE id; only a claim when the revision was refused. */
  readonly author: string;
  /** By the author's clock, Unix milliseconds. */
  readonly writtenAtMs: number;
  readonly isDeletion: boolean;
  /** Why it was not taken in; undefined when it was. */
  readonly refusal?: { readonly reason: DocumentRefusal | 'conflict'; readonly detail: string };
}

export function noteOf(
  { id, revision }: { readonly id: string; readonly revision: Revision },
  arrival: Arrival,
  refusal?: DocumentNote['refusal'],
): DocumentNote {
  const { kind, namespace, name, number, base, author, hlc, body } = revision;
  return {
    kind,
    namespace,
    name,
    arrival,
    id,
    number,
    base,
    author,
    writtenAtMs: hlc.ms,
    isDeletion: body === null,
    ...(refusal === undefined ? {} : { refusal }),
  };
}
