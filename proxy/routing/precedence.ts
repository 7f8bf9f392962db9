/**
 * Which of several matches that hold goes first (Gateway API, HTTPRouteRule.matches and GRPCRouteRule.matches).
 *
 * Word for word, where the specification speaks. It leaves the place of expressions open: they go behind exact paths and
 * before prefixes, for beside the usual `/` they would never be met otherwise. What is Weft's own (cookies, callers,
 * shares) breaks ties before age does.
 * @module
 */

import type { HttpMatch, HttpRule } from '../traffic/rules.ts';

/** A match of a rule, with what it is compared by. */
export interface Ranked {
  readonly rule: HttpRule;
  /** One that asks for nothing, where the rule has no match. */
  readonly match: HttpMatch;
  /** Position among those of its rule. */
  readonly position: number;
  /** Compared one after the other; the greater goes first. */
  readonly marks: readonly number[];
}

/** What the marks are, for people. */
export const MARKS = [
  'kind of path',
  'characters of the path or service',
  'characters of the method called',
  'a method',
  'number of headers',
  'number of query parameters',
  'number of cookies',
  'a caller',
  'a share',
] as const;

const ANYTHING: HttpMatch = { headers: [], query: [], cookies: [], sources: [] };
const KIND = { prefix: 0, regex: 1, exact: 2 } as const;

/** All matches of all rules, the first to go first. */
export function ranked(rules: readonly HttpRule[]): readonly Ranked[] {
  return rules
    .flatMap((rule) =>
      (rule.matches.length === 0 ? [ANYTHING] : rule.matches).map(
        (match, position): Ranked => ({ rule, match, position, marks: marksOf(match) }),
      ),
    )
    .sort(comparePrecedence);
}

/** Negative where `a` goes first. */
export function comparePrecedence(a: Ranked, b: Ranked): number {
  for (let i = 0; i < a.marks.length; i++) {
    const difference = b.marks[i]! - a.marks[i]!;
    if (difference !== 0) return difference;
  }
  const [first, second] = [a.rule, b.rule];
  return (
    first.createdAtMs - second.createdAtMs ||
    byCodeUnits(routeOf(first), routeOf(second)) ||
    first.position - second.position ||
    a.position - b.position
  );
}

/** Why the first of two goes first, for people. */
export function reasonOfPrecedence(a: Ranked, b: Ranked): string {
  const mark = a.marks.findIndex((value, i) => value !== b.marks[i]);
  if (mark !== -1) return `${MARKS[mark]}`;
  if (a.rule.createdAtMs !== b.rule.createdAtMs) return 'age of the route';
  return routeOf(a.rule) === routeOf(b.rule) ? 'order in the route' : 'name of the route';
}

/** 'namespace/name'. */
export function routeOf({ origin }: HttpRule): string {
  return `${origin.namespace}/${origin.name}`;
}

function marksOf({ path, grpc, method, headers, query, cookies, sources, percent }: HttpMatch): readonly number[] {
  const http = path === undefined ? [KIND.prefix, 1, 0] : [KIND[path.type], charactersOf(path), 0];
  return [
    ...(grpc === undefined ? http : [0, grpc.serviceCharacters, grpc.methodCharacters]),
    method === undefined ? 0 : 1,
    new Set(headers.map(({ name }) => name.toLowerCase())).size,
    new Set(query.map(({ name }) => name)).size,
    cookies.length,
    sources.length === 0 ? 0 : 1,
    percent === undefined ? 0 : 1,
  ];
}

/** A slash at the end of a prefix is ignored, but for the one that is all of it. */
function charactersOf({ type, value }: NonNullable<HttpMatch['path']>): number {
  return type === 'prefix' ? Math.max(1, value.replace(/\/+$/, '').length) : value.length;
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
