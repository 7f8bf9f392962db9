/**
 * Reading the catalog in the shape of Backstage's catalog API, so that what was written for that can read this one: lists of entities
 * with filters, one by name, and pages. Pure.
 * @module
 */
import { createHash } from 'node:crypto';
import type { Entity } from '../../documents/catalog-entities.ts';
import { parseRef, refOf, refText } from '../declared/entity-ref.ts';
import { type EntityRelation, relationsOf } from './relations.ts';

export interface ServedEntity extends Entity {
  readonly relations: readonly EntityRelation[];
}

export type Served =
  | { readonly status: 200; readonly body: unknown }
  | { readonly status: 400 | 404; readonly message: string };

const MAX_PAGE = 1_000;
const DEFAULT_PAGE = 20;

/** With what Backstage adds to an entity that it serves. */
export function servedEntities(
  entities: readonly Entity[],
  calls: readonly (readonly [from: string, to: string])[],
): readonly ServedEntity[] {
  const relations = relationsOf(entities, calls);
  return entities.map((entity) => {
    const ref = refText(refOf(entity));
    const { namespace = 'default' } = entity.metadata;
    const id = digest(ref);
    const uid = `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20, 32)}`;
    const metadata = { ...entity.metadata, namespace, uid, etag: digest(JSON.stringify(entity)) };
    return { ...entity, metadata, relations: relations.get(ref) ?? [] };
  });
}

/** @param path what follows `/entities` */
export function serveEntities(entities: readonly ServedEntity[], path: string, asked: URLSearchParams): Served {
  const byName = /^\/by-name\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path);
  if (byName !== null) {
    const [kind, namespace, name] = byName.slice(1).map((part) => decoded(part).toLowerCase());
    const wanted = `${kind}:${namespace}/${name}`;
    const found = entities.find((entity) => refText(refOf(entity)) === wanted);
    return found === undefined ? { status: 404, message: `no entity named ${wanted}` } : { status: 200, body: found };
  }
  const chosen = entities.filter((entity) => isChosen(entity, asked.getAll('filter')));
  const [offset, limit] = [numberOf(asked.get('offset'), 0), numberOf(asked.get('limit'), undefined)];
  if (offset === null || limit === null) return { status: 400, message: 'offset and limit: write whole numbers' };
  if (path === '')
    return { status: 200, body: chosen.slice(offset, limit === undefined ? undefined : offset! + limit) };
  if (path !== '/by-query')
    return {
      status: 404,
      message: `/entities${path}: not offered; use /entities, /entities/by-query or /entities/by-name/KIND/NAMESPACE/NAME`,
    };
  const page = Math.min(limit ?? DEFAULT_PAGE, MAX_PAGE);
  const start = asked.has('cursor') ? numberOf(asked.get('cursor'), 0) : offset;
  if (start === null) return { status: 400, message: 'cursor: not one of this agent' };
  const end = start! + page;
  const pageInfo = {
    ...(end < chosen.length ? { nextCursor: String(end) } : {}),
    ...(start! > 0 ? { prevCursor: String(Math.max(0, start! - page)) } : {}),
  };
  return { status: 200, body: { items: chosen.slice(start!, end), totalItems: chosen.length, pageInfo } };
}

/** Any of the filters; of each all parts: `kind=component,metadata.annotations.weft.dev/service`. Case ignored. */
function isChosen(entity: ServedEntity, filters: readonly string[]): boolean {
  if (filters.length === 0) return true;
  return filters.some((filter) =>
    filter.split(',').every((part) => {
      const equals = part.indexOf('=');
      const key = (equals === -1 ? part : part.slice(0, equals)).trim();
      const values = valuesAt(entity, key);
      if (equals === -1) return values.length > 0;
      const wanted = part
        .slice(equals + 1)
        .trim()
        .toLowerCase();
      return values.some((value) => value.toLowerCase() === wanted);
    }),
  );
}

function valuesAt(entity: ServedEntity, key: string): readonly string[] {
  const [, relation] = /^relations\.(\w+)$/i.exec(key) ?? [];
  if (relation !== undefined) {
    return entity.relations.flatMap(({ type, targetRef }) =>
      type.toLowerCase() === relation.toLowerCase() ? [targetRef, withoutDefaults(targetRef)] : [],
    );
  }
  return flat(found(entity, key));
}

/** Keys of annotations have dots of their own: of `a.b.c` each way to split it is tried. */
function found(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = Object.entries(value);
  const whole = fields.find(([name]) => name.toLowerCase() === key.toLowerCase());
  if (whole !== undefined) return whole[1];
  for (const [name, inner] of fields) {
    if (!key.toLowerCase().startsWith(`${name.toLowerCase()}.`)) continue;
    const below = found(inner, key.slice(name.length + 1));
    if (below !== undefined) return below;
  }
  return undefined;
}

function flat(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(flat);
  return typeof value === 'object' ? ['[object]'] : [String(value)];
}

function withoutDefaults(ref: string): string {
  const { kind, name } = parseRef(ref, { kind: '', namespace: '' });
  return `${kind}:${name}`;
}

function numberOf<T>(text: string | null, otherwise: T): number | T | null {
  if (text === null) return otherwise;
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 40);
}
