/** What the control thread and the mesh thread say to each other. Plain data: it crosses by structured clone. @module */
import type { RevocationEntry } from '../../certs/revocation.ts';
import type { GossipConfig } from '../../gossip/config.ts';
import type { DocumentNote } from '../../gossip/documents/note.ts';
import type { DocumentQueries, DocumentQuery } from '../../gossip/documents/query.ts';
import type { DocumentKey, Held } from '../../gossip/documents/revision.ts';
import type { EndpointDelta } from '../../gossip/effects.ts';
import type { Caller } from '../../gossip/libp2p/calls.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { GossipStats, Member } from '../../gossip/view.ts';
import type { LogLevel } from '../log.ts';

/** What a predecessor offered, and this node goes on offering; see GossipDeps. */
export interface Succession {
  readonly endpoints: readonly Endpoint[];
}

/** What the thread is born with. It loads its own keys: they cross no thread boundary. */
export interface MeshWorkerData {
  readonly config: GossipConfig;
  readonly nodeBundleDirectory: string;
  readonly logLevel: LogLevel;
  /** Whether to wait for `succeed` before gossip is started. */
  readonly isHeld: boolean;
}

/** A question about documents, with its number. */
export type DocumentRequest = {
  readonly [Q in DocumentQuery]: { readonly query: Q; readonly ask: DocumentQueries[Q]['ask'] };
}[DocumentQuery];

export type ToMesh =
  /** The predecessor has let go. */
  | { readonly kind: 'succeed'; readonly succession: Succession }
  | ({ readonly kind: 'documents'; readonly request: number } & DocumentRequest)
  /** What this node says of its documents, encoded. */
  | { readonly kind: 'report'; readonly report: Uint8Array }
  /** Endpoints that this node has ejected, encoded; undefined for none. */
  | { readonly kind: 'evidence'; readonly evidence: Uint8Array | undefined }
  | { readonly kind: 'publish'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'stats'; readonly request: number }
  /** The bundle directory holds a renewed bundle. */
  | { readonly kind: 'identity' }
  | { readonly kind: 'issuer'; readonly note: Uint8Array }
  | { readonly kind: 'call'; readonly request: number; readonly to: string; readonly question: Uint8Array }
  /** To an `asked`; without an answer the caller is hung up on. */
  | { readonly kind: 'answered'; readonly request: number; readonly answer: Uint8Array | undefined }
  | { readonly kind: 'close'; readonly isSucceeded: boolean };

export type FromMesh =
  | { readonly kind: 'started'; readonly name: string; readonly address: string }
  /** It could not start; the thread ends after this. */
  | { readonly kind: 'refused'; readonly error: Error }
  | { readonly kind: 'members'; readonly members: readonly Member[] }
  | { readonly kind: 'endpoints'; readonly delta: EndpointDelta }
  | { readonly kind: 'heads'; readonly heads: readonly Held[] }
  | { readonly kind: 'documents-gone'; readonly keys: readonly DocumentKey[] }
  /** All that is revoked; before the documents that say so. */
  | { readonly kind: 'revocations'; readonly entries: readonly RevocationEntry[] }
  | { readonly kind: 'noted'; readonly notes: readonly DocumentNote[] }
  | { readonly kind: 'report'; readonly node: string; readonly report: Uint8Array | undefined }
  | { readonly kind: 'evidence'; readonly node: string; readonly evidence: Uint8Array | undefined }
  | { readonly kind: 'documents'; readonly request: number; readonly answer: DocumentQueries[DocumentQuery]['answer'] }
  | { readonly kind: 'documents-failed'; readonly request: number; readonly error: Error }
  | { readonly kind: 'stats'; readonly request: number; readonly stats: GossipStats }
  | { readonly kind: 'called'; readonly request: number; readonly answer: Uint8Array }
  | { readonly kind: 'call-failed'; readonly request: number; readonly error: Error }
  /** Another member asks this node. */
  | { readonly kind: 'asked'; readonly request: number; readonly caller: Caller; readonly question: Uint8Array };
