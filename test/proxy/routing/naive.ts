/**
 * Routes matched the slow way, written from the Gateway API and from nothing of `proxy/routing/` but the shape of a request:
 * every match of every rule sorted by precedence, and each tried in turn.
 * @module
 */

import type { HttpMatch, HttpRule, ValueMatch } from '../../../proxy/traffic/rules.ts';

export interface NaiveRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
}

export function matchNaively(rules: readonly HttpRule[], request: NaiveRequest): HttpRule | undefined {
  const all = rules.flatMap((rule) =>
    (rule.matches.length === 0 ? [undefined] : rule.matches).map((match, position) => ({ rule, match, position })),
  );
  const isHttp = (match: HttpMatch | undefined) => match?.grpc === undefined;
  const path = (match: HttpMatch | undefined) => match?.path ?? { type: 'prefix', value: '/' };
  const prefixLength = (value: string) => (value.length > 1 && value.endsWith('/') ? value.length - 1 : value.length);
  const criteria: ((match: HttpMatch | undefined) => number)[] = [
    (match) => (isHttp(match) && path(match).type === 'exact' ? 1 : 0),
    (match) => (isHttp(match) && path(match).type === 'regex' ? path(match).value.length : 0),
    (match) => (isHttp(match) && path(match).type === 'prefix' ? prefixLength(path(match).value) : 0),
    (match) => match?.grpc?.serviceCharacters ?? 0,
    (match) => match?.grpc?.methodCharacters ?? 0,
    (match) => (match?.method === undefined ? 0 : 1),
    (match) => match?.headers.length ?? 0,
    (match) => match?.query.length ?? 0,
    (match) => match?.cookies.length ?? 0,
  ];
  all.sort((a, b) => {
    for (const criterion of criteria) {
      if (criterion(a.match) !== criterion(b.match)) return criterion(b.match) - criterion(a.match);
    }
    if (a.rule.createdAtMs !== b.rule.createdAtMs) return a.rule.createdAtMs - b.rule.createdAtMs;
    const [x, y] = [a, b].map(({ rule: { origin } }) => `${origin.namespace}/${origin.name}`) as [string, string];
    if (x !== y) return x < y ? -1 : 1;
    return a.rule.position - b.rule.position || a.position - b.position;
  });
  return all.find(({ match }) => match === undefined || holds(match, request))?.rule;
}

function holds(match: HttpMatch, { method, path, headers }: NaiveRequest): boolean {
  const [raw, query = ''] = path.split('?') as [string, string?];
  const lines = (name: string) => headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, v]) => v);
  const joined = (name: string) => (lines(name).length === 0 ? undefined : lines(name).join(','));
  const parameter = (name: string) =>
    query === ''
      ? undefined
      : query
          .split('&')
          .map((pair) => pair.split('='))
          .filter(([key]) => decodeURIComponent(key!) === name)
          .map(([, value = '']) => decodeURIComponent(value))[0];
  const cookie = (name: string) =>
    lines('cookie')
      .flatMap((line) => line.split(';'))
      .map((pair) => pair.trim().split('='))
      .find(([key]) => key === name)?.[1];
  return (
    (match.path === undefined || pathHolds(match.path, raw)) &&
    (match.method === undefined || match.method === method) &&
    match.headers.every((one) => valueHolds(one, joined(one.name))) &&
    match.query.every((one) => valueHolds(one, parameter(one.name))) &&
    match.cookies.every((one) => valueHolds(one, cookie(one.name)))
  );
}

function pathHolds({ type, value }: NonNullable<HttpMatch['path']>, path: string): boolean {
  if (type === 'exact') return path === value;
  if (type === 'regex') return new RegExp(`^(?:${value})$`).test(path);
  const wanted = value.split('/').filter((segment, i, all) => i > 0 && !(i === all.length - 1 && segment === ''));
  const given = path.split('/').slice(1);
  return wanted.every((segment, i) => given[i] === segment);
}

function valueHolds({ type, value, isNot }: ValueMatch, given: string | undefined): boolean {
  const does =
    given !== undefined &&
    (type === 'present' ||
      (type === 'exact' && given === value) ||
      (type === 'prefix' && given.startsWith(value)) ||
      (type === 'regex' && new RegExp(`^(?:${value})$`).test(given)));
  return does !== isNot;
}
