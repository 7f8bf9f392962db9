/**
 * Routes and methods of requests as labels. A path that was seen lately is found by one lookup; how many routes a destination may
 * have is bounded, as whoever calls it chooses the paths.
 * @module
 */

import type { Head } from '../http1/grammar/head.ts';
import { grpcRoute, pathTemplate } from './path-template.ts';
import { isOfConnections, METHODS, OTHER_METHOD, UNREAD_ROUTE } from './series.ts';
import type { SeriesLabels } from './stats-table.ts';

/** One object for each pair, so that it can be looked up by identity. */
export interface RouteTemplate {
  readonly route: string;
  readonly method: string;
}

/** Of one destination, on one worker; what goes beyond is counted as `{other}`. */
export const MAX_ROUTES = 100;
/** Paths remembered of each method; then all are forgotten. */
const MAX_PATHS = 2_048;
/** Longer ones are not remembered. */
const MAX_PATH_LENGTH = 256;
const MAX_TEMPLATES = 8_192;

export const UNREAD: RouteTemplate = { route: UNREAD_ROUTE, method: '' };

const NAMES: readonly string[] = [...METHODS, OTHER_METHOD];
const OTHER = NAMES.length - 1;

export class RouteTemplates {
  /** By method. */
  readonly #paths = NAMES.map(() => new Map<string, RouteTemplate>());
  readonly #calls = new Map<string, RouteTemplate>();
  /** By route, then method. */
  readonly #routes = new Map<string, RouteTemplate[]>();
  /** By destination. */
  readonly #admitted = new Map<string, Set<string>>();

  /** By path templating. */
  ofPath(head: Head): RouteTemplate {
    const method = methodOf(head);
    return this.#find(this.#paths[method]!, head.path(), method, pathTemplate);
  }

  /** Of a call of gRPC. */
  ofCall(head: Head): RouteTemplate {
    return this.#find(this.#calls, head.path(), methodOf(head), grpcRoute);
  }

  /** Of a rule that says what its route is. */
  ofRule(route: string, head: Head): RouteTemplate {
    return this.#intern(route, methodOf(head));
  }

  /** Whether a destination may have this route; the first hundred may. */
  admits(destination: string, route: string): boolean {
    let routes = this.#admitted.get(destination);
    if (routes === undefined) {
      routes = new Set();
      this.#admitted.set(destination, routes);
    }
    if (routes.has(route)) return true;
    if (routes.size >= MAX_ROUTES) return false;
    routes.add(route);
    return true;
  }

  /** The others make room. */
  keepOnly(series: Iterable<SeriesLabels>): void {
    this.#admitted.clear();
    for (const labels of series) if (!isOfConnections(labels)) this.admits(labels.destination, labels.route);
  }

  #find(
    known: Map<string, RouteTemplate>,
    path: string,
    method: number,
    routeOf: (path: string) => string,
  ): RouteTemplate {
    const found = known.get(path);
    if (found !== undefined) return found;
    const template = this.#intern(routeOf(path), method);
    if (path.length > MAX_PATH_LENGTH) return template;
    if (known.size >= MAX_PATHS) known.clear();
    known.set(path, template);
    return template;
  }

  #intern(route: string, method: number): RouteTemplate {
    let templates = this.#routes.get(route);
    if (templates === undefined) {
      if (this.#routes.size >= MAX_TEMPLATES) this.#routes.clear(); // two of the same cost a lookup, and no more
      templates = NAMES.map((name) => ({ route, method: name }));
      this.#routes.set(route, templates);
    }
    return templates[method]!;
  }
}

/** Its place in NAMES, without making a string of it. */
function methodOf({ bytes, start, methodEnd }: Head): number {
  switch (methodEnd - start) {
    case 3:
      return bytes[start] === 0x47 ? known(bytes, start, 0) : known(bytes, start, 3);
    case 4:
      return bytes[start] === 0x48 ? known(bytes, start, 1) : known(bytes, start, 2);
    case 5:
      return bytes[start] === 0x50 ? known(bytes, start, 4) : known(bytes, start, 7);
    case 6:
      return known(bytes, start, 5);
    case 7:
      return bytes[start] === 0x4f ? known(bytes, start, 6) : known(bytes, start, 8);
    default:
      return OTHER;
  }
}

/** Methods are told apart by case (RFC 9110 §9.1). */
function known(bytes: Buffer, start: number, method: number): number {
  const name = NAMES[method]!;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name.charCodeAt(i)) return OTHER;
  return method;
}
