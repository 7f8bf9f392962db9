/** Relations between entities as Backstage derives them from their specs, in both directions, and those that traffic shows. Pure. @module */
import type { Entity, EntityKind } from '../../documents/catalog-entities.ts';
import { type EntityRef, parseRef, refOf, refsIn, refText } from '../declared/entity-ref.ts';

export interface EntityRelation {
  readonly type: string;
  readonly targetRef: string;
  readonly target: EntityRef;
}

interface Rule {
  readonly field: string;
  /** What a reference without kind means. */
  readonly kind: string;
  readonly forth: string;
  readonly back: string;
}

const rule = (field: string, kind: string, forth: string, back: string): Rule => ({ field, kind, forth, back });
const OWNER = rule('owner', 'group', 'ownedBy', 'ownerOf');
const SYSTEM = rule('system', 'system', 'partOf', 'hasPart');
const DEPENDS = [
  rule('dependsOn', 'component', 'dependsOn', 'dependencyOf'),
  rule('dependencyOf', 'component', 'dependencyOf', 'dependsOn'),
];

const RULES: Readonly<Record<EntityKind, readonly Rule[]>> = {
  Component: [
    OWNER,
    SYSTEM,
    rule('subcomponentOf', 'component', 'partOf', 'hasPart'),
    rule('providesApis', 'api', 'providesApi', 'apiProvidedBy'),
    rule('consumesApis', 'api', 'consumesApi', 'apiConsumedBy'),
    ...DEPENDS,
  ],
  API: [OWNER, SYSTEM],
  Resource: [OWNER, SYSTEM, ...DEPENDS],
  System: [OWNER, rule('domain', 'domain', 'partOf', 'hasPart')],
  Domain: [OWNER, rule('subdomainOf', 'domain', 'partOf', 'hasPart')],
  Group: [
    rule('parent', 'group', 'childOf', 'parentOf'),
    rule('children', 'group', 'parentOf', 'childOf'),
    rule('members', 'user', 'hasMember', 'memberOf'),
  ],
  User: [rule('memberOf', 'group', 'memberOf', 'hasMember')],
  Location: [],
};

/** @param calls who depends on whom by what was called, as references
 *  @returns by reference of the entity, those of entities that are not there left out on their side only */
export function relationsOf(
  entities: readonly Entity[],
  calls: readonly (readonly [from: string, to: string])[],
): ReadonlyMap<string, readonly EntityRelation[]> {
  const found = new Map<string, Map<string, EntityRelation>>();
  const add = (of: string, type: string, targetRef: string): void => {
    const own = found.get(of) ?? new Map<string, EntityRelation>();
    own.set(`${type} ${targetRef}`, { type, targetRef, target: parseRef(targetRef, { kind: '', namespace: '' }) });
    found.set(of, own);
  };
  for (const entity of entities) {
    const own = refText(refOf(entity));
    for (const { field, kind, forth, back } of RULES[entity.kind]) {
      for (const target of refsIn(entity, field, kind).map(refText)) {
        add(own, forth, target);
        add(target, back, own);
      }
    }
  }
  for (const [from, to] of calls) {
    add(from, 'dependsOn', to);
    add(to, 'dependencyOf', from);
  }
  return new Map([...found].map(([ref, relations]) => [ref, [...relations.values()]]));
}
