/**
 * What an OpenAPI document says of the routes of a service, held against those that were called. Pure.
 *
 * A parameter stands for any segment, so a name that looked like a word to path templating is one as well. HEAD goes with GET,
 * and OPTIONS with everything (CORS asks by it). What was answered by nothing but 404 and 405 is no route: somebody tried.
 * @module
 */
import type { Route } from '../mesh-catalog.ts';
import type { Operation } from './operations.ts';

export interface Drift {
  /** Called, and not in the document. */
  readonly undeclared: readonly Pick<Route, 'method' | 'template' | 'count' | 'consumers' | 'lastSeenMs'>[];
  /** In the document, and not called as long as anybody remembers. */
  readonly unused: readonly Operation[];
}

export function driftOf(operations: readonly Operation[], routes: readonly Route[]): Drift {
  const seen = routes.filter(isOfPaths).filter(isThere);
  const declared = operations.map((operation) => ({ operation, segments: segmentsOf(operation.template) }));
  const used = new Set<Operation>();
  const undeclared = seen.filter((route) => {
    const found = declared.filter(({ segments }) => fits(segments, segmentsOf(route.template)));
    const meant = found.filter(({ operation }) => isMeant(operation.method, route.method));
    // Of `/users/me` and `/users/{id}` the former is meant; a route with `{id}` may be several.
    const [first] = meant.toSorted((a, b) => parametersIn(a.segments) - parametersIn(b.segments));
    const same = meant.filter(({ segments }) => parametersIn(segments) === parametersIn(first?.segments ?? []));
    for (const { operation } of same) used.add(operation);
    return meant.length === 0 && !(route.method === 'OPTIONS' && found.length > 0);
  });
  return {
    undeclared: undeclared
      .map(({ method, template, count, consumers, lastSeenMs }) => ({ method, template, count, consumers, lastSeenMs }))
      .sort((a, b) => b.count - a.count),
    unused: operations.filter((operation) => !used.has(operation)),
  };
}

/** A call of gRPC is of no OpenAPI document; the prefix of a rule, and what did not fit, are no single route. */
function isOfPaths({ method, template }: Route): boolean {
  const isCall = method === 'POST' && /^\/[\w]+(\.\w+)+\/\w+$/.test(template);
  return template.startsWith('/') && !template.endsWith('*') && !isCall;
}

function isThere({ statuses }: Route): boolean {
  const told = Object.entries(statuses).filter(([, count]) => count > 0);
  return told.length === 0 || told.some(([status]) => status !== '404' && status !== '405');
}

function isMeant(declared: string, called: string): boolean {
  return declared === called || (declared === 'GET' && called === 'HEAD');
}

type Segments = readonly string[];
const PARAMETER = /\{[^}]*\}/;
const REST = '{rest}';

function segmentsOf(template: string): Segments {
  return template.split('/').filter((segment) => segment !== '');
}

function parametersIn(segments: Segments): number {
  return segments.filter((segment) => PARAMETER.test(segment)).length;
}

/** `{rest}` stands for all that path templating looks at no more. */
function fits(declared: Segments, seen: Segments): boolean {
  const isCut = seen.at(-1) === REST;
  const shown = isCut ? seen.slice(0, -1) : seen;
  if (isCut ? declared.length <= shown.length : declared.length !== shown.length) return false;
  return shown.every((segment, i) => segmentFits(declared[i]!, segment));
}

/** A segment may be a parameter in part: `{name}.json`. */
function segmentFits(declared: string, seen: string): boolean {
  if (declared === seen) return true;
  if (!PARAMETER.test(declared)) return false;
  if (PARAMETER.test(seen)) return true;
  const [before = '', ...others] = declared.split(PARAMETER);
  const after = others.at(-1) ?? '';
  return seen.length > before.length + after.length && seen.startsWith(before) && seen.endsWith(after);
}
