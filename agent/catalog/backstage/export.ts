/**
 * The catalog as entities that Backstage reads: those that are declared, as they were written, each with what was observed of it
 * in annotations `weft.dev/observed-*`; and a Component for each service that nobody declared. Pure.
 *
 * What was declared is in the export unchanged: reading it again without those annotations gives what was written. @module
 */
import { ENTITY_KINDS, type Entity } from '../../documents/catalog-entities.ts';
import { UNKNOWN } from '../declared/declared-facts.ts';
import type { DeclaredEntity } from '../declared/entities.ts';
import { refOf, refText } from '../declared/entity-ref.ts';
import { OBSERVED, OBSERVED_ONLY } from '../declared/observed-annotations.ts';
import { SERVICE_ANNOTATION } from '../declared/ties.ts';
import type { CatalogDetail, CatalogView } from '../rows.ts';
import { splitId } from '../scorecard.ts';
import { OUTSIDE } from '../traffic-gains.ts';

const MAX_NAMES = 64;
/** A name of an entity has at most as many characters. */
const MAX_NAME = 63;

/** @param view of the same moment as `declared` */
export function exportEntities(declared: readonly DeclaredEntity[], view: CatalogView): readonly Entity[] {
  const order = (entity: Entity): string =>
    `${String(ENTITY_KINDS.indexOf(entity.kind)).padStart(2, '0')} ${refText(refOf(entity))}`;
  const details = view.ids().flatMap((id) => view.detail(id) ?? []);
  const ofService = new Map(details.map((detail) => [detail.id, detail]));
  const written = declared.map((one) => annotated(one, view.servicesOf(one), ofService));
  const taken = new Set(written.map((entity) => refText(refOf(entity))));
  const observed = details
    .filter(({ component, tab }) => component === null && tab !== 'gone')
    .map((detail) => observedComponent(detail, view))
    .filter((entity) => !taken.has(refText(refOf(entity))));
  return [...written, ...observed].sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

function annotated(
  { entity }: DeclaredEntity,
  services: readonly string[],
  details: ReadonlyMap<string, CatalogDetail>,
): Entity {
  const found = services.flatMap((id) => details.get(id) ?? []);
  if (entity.kind !== 'Component' || found.length === 0) return entity;
  const annotations = { ...entity.metadata.annotations, ...observedAnnotations(found) };
  return { ...entity, metadata: { ...entity.metadata, annotations } };
}

function observedComponent(detail: CatalogDetail, view: CatalogView): Entity {
  const { id, calls } = detail;
  const [namespace, name] = splitId(id);
  const depends = calls.filter(({ hops, service }) => hops === 1 && service !== OUTSIDE);
  const dependsOn = depends.map(({ service }) => view.componentOf(service) ?? `component:${service}`);
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: {
      name: name.slice(0, MAX_NAME),
      namespace,
      annotations: { [SERVICE_ANNOTATION]: id, [OBSERVED_ONLY]: 'true', ...observedAnnotations([detail]) },
    },
    // Backstage asks for these; nobody has said them.
    spec: {
      type: 'service',
      lifecycle: UNKNOWN,
      owner: UNKNOWN,
      ...(dependsOn.length > 0 ? { dependsOn: [...new Set(dependsOn)].sort() } : {}),
    },
  };
}

function observedAnnotations(details: readonly CatalogDetail[]): Record<string, string> {
  const listed = (all: readonly string[]): string => [...new Set(all)].sort().slice(0, MAX_NAMES).join(',');
  const firstMs = Math.min(...details.map(({ firstSeenMs }) => firstSeenMs ?? Number.POSITIVE_INFINITY));
  const lastMs = Math.max(...details.map(({ lastSeenMs }) => lastSeenMs ?? 0));
  const neighbours = (way: 'callers' | 'calls'): string =>
    listed(details.flatMap((detail) => detail[way].filter(({ hops }) => hops === 1).map(({ service }) => service)));
  const facts = (key: string): string =>
    listed(
      details.flatMap((detail) =>
        detail.facts.filter((fact) => fact.key === key && fact.source !== 'declared').map(({ value }) => value),
      ),
    );
  const all: Record<string, string> = {
    services: listed(details.map(({ id }) => id)),
    versions: listed(details.flatMap(({ versions }) => versions)),
    language: facts('language'),
    framework: facts('framework'),
    callers: neighbours('callers'),
    calls: neighbours('calls'),
    routes: listed(details.flatMap(({ routes }) => routes.map(({ method, template }) => `${method} ${template}`))),
    'first-seen': Number.isFinite(firstMs) ? new Date(firstMs).toISOString() : '',
    'last-seen': lastMs > 0 ? new Date(lastMs).toISOString() : '',
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === '' ? [] : [[`${OBSERVED}${name}`, value]])),
  );
}
