/** How writing a document ended, for whoever wrote it. @module */
import type { DocumentRefusal } from './revision.ts';

export type WriteOutcome =
  | {
      readonly kind: 'written' | 'known';
      readonly id: string;
      /** It is on its way to the others, but the disk of this node did not take it: why. */
      readonly notOnDisk?: string;
    }
  /** Its base is not the revision in force: `current` is, or '' when there is none. */
  | { readonly kind: 'conflict'; readonly current: string; readonly detail: string }
  | { readonly kind: 'refused'; readonly reason: DocumentRefusal; readonly detail: string };

export interface RestoreOutcome {
  /** Revisions that were news to this node. */
  readonly taken: number;
  /** Why others were refused, one line each. */
  readonly refused: readonly string[];
}
