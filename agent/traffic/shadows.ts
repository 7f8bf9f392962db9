/** Rules and routes that can never win, since something that goes before them says the same. Pure. @module */
import type { HttpMatch, HttpRule } from '../../proxy/traffic/rules.ts';

export interface Shadow {
  readonly rule: HttpRule;
  /** Which of its matches, from 1; 0: it has none, and so is about all. */
  readonly match: number;
  readonly by: HttpRule;
}

/** @param rules of one port, those that go first in front */
export function shadowsIn(rules: readonly HttpRule[]): readonly Shadow[] {
  const first = new Map<string, HttpRule>();
  const shadows: Shadow[] = [];
  for (const rule of rules) {
    const matches: readonly (HttpMatch | undefined)[] = rule.matches.length === 0 ? [undefined] : rule.matches;
    for (const [i, match] of matches.entries()) {
      const text = matchText(match);
      const by = first.get(text);
      // What takes a share leaves the rest to what comes after it.
      if (by !== undefined) shadows.push({ rule, match: match === undefined ? 0 : i + 1, by });
      else if (match?.percent === undefined || match.percent >= 100) first.set(text, rule);
    }
  }
  return shadows;
}

/** Routes all of whose matches are shadowed by others, with the route that goes before each. By 'Kind/namespace/name'. */
export function routesWithoutEffect(rules: readonly HttpRule[]): ReadonlyMap<string, string> {
  const id = ({ origin: { kind, namespace, name } }: HttpRule) => `${kind}/${namespace}/${name}`;
  const open = new Map<string, number>();
  for (const rule of rules) open.set(id(rule), (open.get(id(rule)) ?? 0) + Math.max(1, rule.matches.length));
  const by = new Map<string, string>();
  for (const shadow of shadowsIn(rules)) {
    const route = id(shadow.rule);
    open.set(route, open.get(route)! - 1);
    const { kind, namespace, name } = shadow.by.origin;
    if (id(shadow.by) !== route) by.set(route, `${kind} ${namespace}/${name}`);
  }
  return new Map([...by].filter(([route]) => open.get(route) === 0));
}

/** The same text for matches that hold for the same requests, whatever the order of what they ask for. */
function matchText(match: HttpMatch | undefined): string {
  const {
    path = { type: 'prefix', value: '/' },
    method = '',
    headers = [],
    query = [],
    cookies = [],
    sources = [],
  } = match ?? {};
  const sorted = (list: readonly unknown[]) => list.map((one) => JSON.stringify(one)).sort();
  const value = path.type === 'prefix' && path.value.length > 1 ? path.value.replace(/\/$/, '') : path.value;
  return JSON.stringify([path.type, value, method, sorted(headers), sorted(query), sorted(cookies), sorted(sources)]);
}
