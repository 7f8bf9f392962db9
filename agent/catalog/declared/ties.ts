/**
 * Which component a service is. Pure.
 *
 * A component says so with `weft.dev/service: namespace/name[,...]`, with Backstage's `backstage.io/kubernetes-id` (and
 * `-namespace`), or by being named alike. In Backstage most components are in no namespace: such a one also is the only service of
 * its name, wherever that is. Of several, the one in the service's own namespace counts, whose operators answer for it; then one in
 * `default`; then the first by name.
 * @module
 */

import type { DeclaredEntity } from './entities.ts';
import { DEFAULT_NAMESPACE } from './entity-ref.ts';

export const SERVICE_ANNOTATION = 'weft.dev/service';
const KUBERNETES_ID = 'backstage.io/kubernetes-id';
const KUBERNETES_NAMESPACE = 'backstage.io/kubernetes-namespace';
/** Services of one component. */
const MAX_NAMED = 64;

/**
 * @param services those that are known, 'namespace/service'
 * @returns by service; a component that names one which nobody has seen is under that name all the same
 */
export function tieComponents(
  declared: readonly DeclaredEntity[],
  services: Iterable<string>,
): ReadonlyMap<string, DeclaredEntity> {
  const known = new Set(services);
  const byName = new Map<string, string[]>();
  for (const id of known) {
    const name = id.slice(id.indexOf('/') + 1);
    byName.set(name, [...(byName.get(name) ?? []), id]);
  }
  const ties = new Map<string, DeclaredEntity>();
  const components = declared.filter(({ entity }) => entity.kind === 'Component').sort(byPlace);
  for (const component of components) {
    for (const id of servicesOf(component, known, byName)) {
      const rival = ties.get(id);
      if (rival === undefined || rank(component, id) < rank(rival, id)) ties.set(id, component);
    }
  }
  return ties;
}

function servicesOf(
  { entity: { metadata, spec } }: DeclaredEntity,
  known: ReadonlySet<string>,
  byName: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const { annotations = {}, namespace = DEFAULT_NAMESPACE } = metadata;
  const named = annotations[SERVICE_ANNOTATION]?.split(',').slice(0, MAX_NAMED);
  if (named !== undefined) {
    return named
      .map((text) => text.trim().toLowerCase())
      .filter((text) => text !== '')
      .map((text) => (text.includes('/') ? text : `${namespace}/${text}`));
  }
  const name = (annotations[KUBERNETES_ID] ?? metadata.name).toLowerCase();
  const id = `${annotations[KUBERNETES_NAMESPACE] ?? namespace}/${name}`;
  if (known.has(id)) return [id];
  const alike = byName.get(name) ?? [];
  const isAnywhere = metadata.namespace === undefined || metadata.namespace === DEFAULT_NAMESPACE;
  if (isAnywhere && annotations[KUBERNETES_NAMESPACE] === undefined && alike.length === 1) return alike;
  // A library, or a page of somebody else, is not a service that is silent.
  return spec?.type === 'service' ? [id] : [];
}

function rank({ entity: { metadata } }: DeclaredEntity, service: string): number {
  const { namespace = DEFAULT_NAMESPACE } = metadata;
  if (service.startsWith(`${namespace}/`)) return 0;
  return namespace === DEFAULT_NAMESPACE ? 1 : 2;
}

function byPlace(a: DeclaredEntity, b: DeclaredEntity): number {
  const key = ({ entity: { metadata } }: DeclaredEntity) => `${metadata.namespace ?? ''}/${metadata.name}`;
  return key(a) < key(b) ? -1 : 1;
}
