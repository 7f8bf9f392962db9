/** What the admin API says of documents: the shapes that the CLI, the console and scripts read. @module */
import type { Coverage } from '../mesh-query/shapes.ts';
import type { ParentStatus } from '../traffic/conditions.ts';

export interface DocumentView {
  readonly kind: string;
  /** '' = of the mesh as a whole. */
  readonly namespace: string;
  readonly name: string;
  readonly revision: string;
  /** 1 for the first revision of the document, and so on. */
  readonly number: number;
  readonly base: string;
  readonly author: string;
  readonly writtenAt: string;
  /** The hybrid logical clock of the revision: what the next one must be later than. */
  readonly hlc: { readonly ms: number; readonly count: number };
  readonly isDeleted: boolean;
  /** How this node fares with it: applied, pending, rejected. */
  readonly state: string;
  /** Why it is not applied; empty when it is. */
  readonly why: string;
  /** Of a route in use here: what became of it at each parent, in the form of the Gateway API. Else null. */
  readonly status: { readonly parents: readonly ParentStatus[] } | null;
  /** What is probably a mistake in it, as things are now. */
  readonly advice: readonly string[];
  /** The resource; null when deleted, or when its bytes are no resource. */
  readonly resource: unknown;
}

export interface RevisionView extends Omit<DocumentView, 'state' | 'why' | 'status' | 'advice'> {
  /** `current`, `replaced`, or `superseded`: written at the same time on another side, and lost. */
  readonly standing: string;
}

export interface NodeStateView {
  readonly node: string;
  readonly state: string;
  readonly why: string;
  /** The node was chosen to take it before the others. */
  readonly isFirst: boolean;
}

export interface RevisionStatusView extends Omit<RevisionView, 'resource'> {
  /** The revision in force; the same as `revision` when this is it. */
  readonly current: string;
  readonly nodes: readonly NodeStateView[];
  readonly applied: number;
  readonly pending: number;
  readonly rejected: number;
  /** Nodes that are there, and so could apply it. */
  readonly of: number;
  /** Set when it is held back everywhere because of what one node found. */
  readonly heldBack: { readonly by: string; readonly why: string } | null;
}

/** A signed revision in JSON; bytes are base64, but for the body, which is JSON text itself. */
export interface SignedRevision {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly number: number;
  readonly base: string;
  readonly hlc: { readonly ms: number; readonly count: number };
  readonly author: string;
  readonly body: string | null;
  readonly certificate: string;
  readonly signature: string;
}

export interface WriteView {
  readonly outcome: 'written' | 'known' | 'conflict' | 'refused';
  /** Of a refusal: a word for programs. */
  readonly reason: string;
  readonly detail: string;
  readonly revision: string;
  /** Worth saying although it was written, such as that no agent knows the kind. */
  readonly warning: string;
  /** Whose calls it is about, as far as the node that was asked can know; of kinds that are about calls. */
  readonly affected: readonly string[];
}

/** What a node would say of a document, whoever signs it. */
export interface CheckView {
  /** Why it would be refused, as far as that hangs on what it says; '' for nothing. */
  readonly problem: string;
  readonly warning: string;
  readonly affected: readonly string[];
  /** Null: the document is about no calls. Left out by agents that count none. */
  readonly impact?: ImpactView | null;
}

/** What a change would mean for the requests of the last hour, as the nodes that answered counted them. */
export interface ImpactView {
  /** All that it was held against; connections where it is not HTTP. */
  readonly counted: number;
  /** Those that would end differently first; at most 200. */
  readonly affected: readonly AffectedView[];
  readonly coverage: Coverage;
}

export interface AffectedView {
  /** Who calls: 'namespace/service', or `outside`. */
  readonly service: string;
  readonly to: string;
  readonly requests: number;
  /** How many would end differently for certain; null: that is not replayed for such a document. */
  readonly changed: number | null;
  /** Of how many that is not known. */
  readonly unknown: number;
  /** How, a line each. */
  readonly how: readonly string[];
}

export interface SnapshotPageView {
  readonly revisions: readonly SignedRevision[];
  readonly next: string | null;
}

export interface RestoreView {
  readonly taken: number;
  readonly refused: readonly string[];
}
