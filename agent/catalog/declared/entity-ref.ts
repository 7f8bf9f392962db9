/** References between entities, `[kind:][namespace/]name`, as Backstage reads them: whatever the case. Pure. @module */
import type { Entity } from '../../documents/catalog-entities.ts';

export interface EntityRef {
  /** Lower case. */
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export const DEFAULT_NAMESPACE = 'default';

/** @param otherwise what a reference that leaves it out means */
export function parseRef(text: string, otherwise: { readonly kind: string; readonly namespace: string }): EntityRef {
  const [, kind = `${otherwise.kind}:`, namespace = `${otherwise.namespace}/`, name = text] =
    /^([^:/\s]+:)?([^:/\s]+\/)?([^:/\s]+)$/.exec(text.toLowerCase()) ?? [];
  return { kind: kind.slice(0, -1).toLowerCase(), namespace: namespace.slice(0, -1), name };
}

export function refOf({ kind, metadata }: Pick<Entity, 'kind' | 'metadata'>): EntityRef {
  return {
    kind: kind.toLowerCase(),
    namespace: metadata.namespace ?? DEFAULT_NAMESPACE,
    name: metadata.name.toLowerCase(),
  };
}

/** `component:default/ledger`, the one spelling of a reference. */
export function refText({ kind, namespace, name }: EntityRef): string {
  return `${kind}:${namespace}/${name}`;
}

/** A field of the spec that holds references, or one; what is none is left out. */
export function refsIn(entity: Pick<Entity, 'metadata' | 'spec'>, field: string, kind: string): readonly EntityRef[] {
  const value = entity.spec?.[field];
  const namespace = entity.metadata.namespace ?? DEFAULT_NAMESPACE;
  const texts = (Array.isArray(value) ? value : [value]).filter((text) => typeof text === 'string');
  return texts.map((text) => parseRef(text, { kind, namespace }));
}
