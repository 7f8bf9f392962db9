/**
 * Routes and methods of requests as labels. The template of a path is found by one lookup; how many routes a destination may
 * have is bounded, as whoever calls it chooses the paths.
 * @module
 */

import { AS_IT_IS, type Head } from '../http1/grammar/head.ts';
import { PathSegments, pathTemplate } from './path-template.ts';
import { isOfConnections, METHODS, OTHER_METHOD, UNREAD_ROUTE } from './series.ts';
import type { SeriesLabels } from './stats-table.ts';

/** One object for each pair, so that it can be looked up by identity. */
export interface RouteTemplate {
  readonly route: string;
  readonly method: string;
}

/** Of one destination, on one worker; what goes beyond is counted as `{other}`. */
export const MAX_ROUTES = 100;
/** Templates that are remembered of all destinations; then all are forgotten. */
const MAX_TEMPLATES = 4_096;

export const UNREAD: RouteTemplate = { route: UNREAD_ROUTE, method: '' };

const NAMES: readonly string[] = [...METHODS, OTHER_METHOD];
const OTHER = NAMES.length - 1;
const POST = METHODS.indexOf('POST');

/** A template that was seen. */
interface Seen {
  readonly words: readonly (Buffer | undefined)[];
  readonly hasRest: boolean;
  readonly isCall: boolean;
  readonly templates: readonly RouteTemplate[];
}

export class RouteTemplates {
  readonly #segments = new PathSegments();
  /** By hash: it costs more to make a string of a path than to read it. */
  readonly #seen = new Map<number, Seen>();
  /** By route, then method. */
  readonly #routes = new Map<string, readonly RouteTemplate[]>();
  /** By destination. */
  readonly #admitted = new Map<string, Set<string>>();

  /** By path templating; of a call of gRPC, what it calls. To be asked before anything is rewritten. */
  of(head: Head, isCall: boolean): RouteTemplate {
    const { bytes, targetStart, targetEnd, target } = head;
    const method = methodOf(head);
    if (target !== AS_IT_IS) return this.#intern(pathTemplate(head.path(), isCall))[method]!;
    const segments = this.#segments;
    segments.read(bytes, targetStart, targetEnd, isCall);
    const { hash, hasRest } = segments;
    const seen = this.#seen.get(hash);
    const isKnown = seen !== undefined && seen.isCall === isCall && seen.hasRest === hasRest;
    if (isKnown && segments.are(seen.words, bytes)) return seen.templates[method]!;
    const templates = this.#intern(isCall ? segments.call(bytes) : segments.template(bytes));
    if (this.#seen.size >= MAX_TEMPLATES) this.#seen.clear();
    this.#seen.set(hash, { words: segments.words(bytes), hasRest, isCall, templates });
    return templates[method]!;
  }

  /** Of a rule that says what its route is. */
  ofRule(route: string, head: Head): RouteTemplate {
    return this.#intern(route)[methodOf(head)]!;
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

  #intern(route: string): readonly RouteTemplate[] {
    const known = this.#routes.get(route);
    if (known !== undefined) return known;
    if (this.#routes.size >= MAX_TEMPLATES) this.#routes.clear(); // two of the same cost a lookup, and no more
    const templates = NAMES.map((method) => ({ route, method }));
    this.#routes.set(route, templates);
    return templates;
  }
}

/** Whether the method is the one of calls of gRPC. */
export function isPost(head: Head): boolean {
  return methodOf(head) === POST;
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
