/**
 * Which routes an OpenAPI document says there are: versions 2.0 (Swagger) and 3.x, JSON or YAML. Pure.
 *
 * Bounded: 2,000 operations, the rest is left out and said. Nothing is fetched: a `$ref` of a path item leads nowhere.
 * @module
 */
import { parse } from 'yaml';
import { messageOf } from '../../errors.ts';
import type { DeclaredEntity } from '../declared/entities.ts';

export interface Operation {
  /** Upper case. */
  readonly method: string;
  /** As it is written, with the base path before it: `/v1/accounts/{accountId}`. */
  readonly template: string;
}

export interface Operations {
  readonly operations: readonly Operation[];
  /** Why it could not be read, or not all of it; '' for nothing. */
  readonly problem: string;
}

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace'];
const MAX_OPERATIONS = 2_000;
const MAX_ALIASES = 100;

/** Reads each document once, as long as it is in use. */
export class OpenApis {
  readonly #read = new WeakMap<DeclaredEntity, Operations>();

  /** @returns undefined for an API that is none of OpenAPI's */
  of(api: DeclaredEntity): Operations | undefined {
    const { kind, spec = {} } = api.entity;
    if (kind !== 'API' || String(spec.type).toLowerCase() !== 'openapi') return undefined;
    const known = this.#read.get(api) ?? operationsOf(spec.definition);
    this.#read.set(api, known);
    return known;
  }
}

/** @param definition of an entity of kind API */
export function operationsOf(definition: unknown): Operations {
  if (typeof definition !== 'string')
    return unread('its definition is elsewhere ($text), and is not fetched; write it in');
  let document: unknown;
  try {
    document = parse(definition, { maxAliasCount: MAX_ALIASES });
  } catch (err) {
    return unread(`its definition is neither YAML nor JSON: ${messageOf(err).split('\n', 1)[0]}`);
  }
  if (!isObject(document)) return unread('its definition is no OpenAPI document: it has no fields');
  const version = document.openapi ?? document.swagger;
  if (typeof version !== 'string' || !/^(2\.0|3\.\d)/.test(version))
    return unread(`its definition is no OpenAPI document: openapi is ${shown(version)}; write 3.x, or swagger: "2.0"`);
  if (!isObject(document.paths)) return unread('its definition has no paths');
  const bases = basesOf(document);
  const all = Object.entries(document.paths).flatMap(([path, item]) =>
    path.startsWith('/') && isObject(item)
      ? METHODS.filter((method) => isObject(item[method])).flatMap((method) =>
          bases.map((base) => ({ method: method.toUpperCase(), template: withoutSlash(base + path) })),
        )
      : [],
  );
  const problem =
    all.length > MAX_OPERATIONS ? `only the first ${MAX_OPERATIONS} of its ${all.length} routes are read` : '';
  return { operations: all.slice(0, MAX_OPERATIONS), problem };
}

/** Paths of servers; one with variables in its path may be anything, and counts as none. */
function basesOf({ servers, basePath }: Readonly<Record<string, unknown>>): readonly string[] {
  const urls = Array.isArray(servers)
    ? servers.map((server) => (isObject(server) ? server.url : undefined))
    : [basePath];
  const paths = urls.flatMap((url) => {
    if (typeof url !== 'string') return [];
    const path = /^[a-z]+:\/\//i.test(url) ? url.replace(/^[a-z]+:\/\/[^/]*/i, '') : url;
    return path.includes('{') ? [] : [withoutSlash(path.startsWith('/') ? path : '')];
  });
  return paths.length === 0 ? [''] : [...new Set(paths)];
}

function withoutSlash(path: string): string {
  return path.length > 1 || path === '/' ? path.replace(/\/+$/, '') : path;
}

function unread(problem: string): Operations {
  return { operations: [], problem };
}

function shown(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 40);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
