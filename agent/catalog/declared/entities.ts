/** Entities of the catalog that are in use on this node, as their documents have them. @module */
import type { DocumentKey } from '../../../gossip/documents/revision.ts';
import { ENTITY_KINDS, type Entity } from '../../documents/catalog-entities.ts';
import type { DocumentConsumer } from '../../documents/kind.ts';
import { refOf, refText } from './entity-ref.ts';
import { withoutObserved } from './observed-annotations.ts';

export interface DeclaredEntity {
  readonly entity: Entity;
  /** The document it is of. */
  readonly revision: string;
  /** When it was written, ms since 1970; 0 where that is not known. */
  readonly writtenAtMs: number;
}

/** As many as there are documents: their number is bounded where they are kept. */
export class DeclaredEntities {
  readonly #entities = new Map<string, DeclaredEntity>();
  /** One for each kind. */
  readonly consumers: readonly DocumentConsumer[] = ENTITY_KINDS.map((kind) => ({
    kind,
    activate: (_key, value, revision, writtenAtMs = 0) => {
      const entity = withoutObserved(value as Entity); // what our own compile yielded; an export may have been applied
      this.#entities.set(refText(refOf(entity)), { entity, revision, writtenAtMs });
    },
    deactivate: ({ namespace, name }: DocumentKey) => {
      this.#entities.delete(refText({ kind: kind.toLowerCase(), namespace, name }));
    },
  }));

  all(): readonly DeclaredEntity[] {
    return [...this.#entities.values()];
  }

  /** @param ref `kind:namespace/name` in lower case */
  get(ref: string): DeclaredEntity | undefined {
    return this.#entities.get(ref);
  }
}
