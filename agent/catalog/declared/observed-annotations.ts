/** Annotations that an export adds to an entity: ours alone, and no part of what somebody declares. Pure. @module */
import type { Entity } from '../../documents/catalog-entities.ts';

export const OBSERVED = 'weft.dev/observed-';
/** Marks an entity that nobody wrote. */
export const OBSERVED_ONLY = `${OBSERVED}only`;

/** The entity as it was written: without what an export added. */
export function withoutObserved(entity: Entity): Entity {
  const { annotations, ...metadata } = entity.metadata;
  if (annotations === undefined) return entity;
  const kept = Object.entries(annotations).filter(([name]) => !name.startsWith(OBSERVED));
  const isEmptied = kept.length === 0 && Object.keys(annotations).length > 0;
  return { ...entity, metadata: isEmptied ? metadata : { ...metadata, annotations: Object.fromEntries(kept) } };
}
