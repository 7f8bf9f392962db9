/**
 * Which rule a connection that is not HTTP falls under, by the name that its client asks for (Gateway API, TLSRoute and
 * TCPRoute): a name before a wildcard, a longer wildcard before a shorter one, both before a rule that takes any connection;
 * then the oldest route, by name among those of one age, and the order within the route.
 * @module
 */

import type { StreamRule } from '../traffic/rules.ts';

/** The rules in the order in which they go first, where names do not decide. */
export function byPrecedence(rules: readonly StreamRule[]): readonly StreamRule[] {
  return rules.length < 2 ? rules : [...rules].sort(compare);
}

/**
 * @param rules in the order of `byPrecedence`
 * @param serverName in lower case, without a dot at its end; undefined where the client asks for none
 */
export function ruleFor(rules: readonly StreamRule[], serverName: string | undefined): StreamRule | undefined {
  let best: StreamRule | undefined;
  let bestRank = -1;
  for (const rule of rules) {
    const rank = rankOf(rule, serverName);
    if (rank <= bestRank) continue;
    best = rule;
    bestRank = rank;
  }
  return best;
}

/** How closely the rule names what is asked for; -1 where it does not. */
function rankOf({ serverNames }: StreamRule, serverName: string | undefined): number {
  if (serverNames.length === 0) return 0;
  if (serverName === undefined) return -1;
  let rank = -1;
  for (const pattern of serverNames) rank = Math.max(rank, closeness(pattern.toLowerCase(), serverName));
  return rank;
}

/** `*.example.org` is any name below `example.org`, however deep, and not that itself. */
function closeness(pattern: string, name: string): number {
  if (!pattern.startsWith('*.')) return pattern === name ? Number.MAX_SAFE_INTEGER : -1;
  const suffix = pattern.slice(1);
  return name.length > suffix.length && name.endsWith(suffix) ? suffix.length : -1;
}

function compare(a: StreamRule, b: StreamRule): number {
  const [nameOfA, nameOfB] = [nameOf(a), nameOf(b)];
  return (
    a.createdAtMs - b.createdAtMs || (nameOfA < nameOfB ? -1 : Number(nameOfA > nameOfB)) || a.position - b.position
  );
}

function nameOf({ origin: { namespace, name } }: StreamRule): string {
  return `${namespace}/${name}`;
}
