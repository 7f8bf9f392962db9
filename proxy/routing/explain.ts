/** The decision of a table, told in words: which rule takes a request, and why not each of the others. @module */

import type { AccessPeer } from '../access/peer.ts';
import type { HttpRule } from '../traffic/rules.ts';
import { type Ranked, reasonOfPrecedence } from './precedence.ts';
import type { RouteRequest } from './request.ts';
import type { CompiledRule } from './rule.ts';
import type { Entry, RouteTable } from './table.ts';

export interface ExplainedMatch {
  readonly rule: HttpRule;
  /** Of the match among those of its rule, from 0. */
  readonly position: number;
  /** 'won', 'lost' to one that goes first, or 'failed' a condition. */
  readonly outcome: 'won' | 'lost' | 'failed';
  /** What part of requests like this it gets, 0 to 1; less than 1 where shares come in. */
  readonly share: number;
  /** For people: what failed, or whom it lost to and why, or why it won. */
  readonly why: string;
}

export interface ExplainedRoute {
  /** Every rule that some of such requests fall under, with its part of them; none: 404. */
  readonly winners: readonly { readonly compiled: CompiledRule; readonly share: number }[];
  /** In the order of precedence, up to the limit. */
  readonly considered: readonly ExplainedMatch[];
  /** How many matches more there are. */
  readonly leftOut: number;
}

/** @param limit of `considered`; what wins is among them in any case */
export function explainRoute(
  table: RouteTable,
  request: RouteRequest,
  caller: AccessPeer,
  limit = 100,
): ExplainedRoute {
  const winners = new Map<CompiledRule, number>();
  const considered: ExplainedMatch[] = [];
  let leftOut = 0;
  let left = 1; // part of the requests that no match has taken yet
  let settled: Entry | undefined;
  for (const entry of table.entries) {
    const explained = explainEntry(table, entry, { request, caller, left, settled });
    if (explained.outcome === 'won') {
      winners.set(entry.compiled, (winners.get(entry.compiled) ?? 0) + explained.share);
      left -= explained.share;
      if (entry.share >= 1) settled = entry;
    }
    if (considered.length < limit || explained.outcome === 'won') considered.push(explained);
    else leftOut++;
  }
  return { winners: [...winners].map(([compiled, share]) => ({ compiled, share })), considered, leftOut };
}

interface Context {
  readonly request: RouteRequest;
  readonly caller: AccessPeer;
  readonly left: number;
  readonly settled: Entry | undefined;
}

function explainEntry(table: RouteTable, entry: Entry, { request, caller, left, settled }: Context): ExplainedMatch {
  const { ranked, share } = entry;
  const base = { rule: ranked.rule, position: ranked.position };
  const obstacle = obstacleOf(table, entry, request, caller);
  if (obstacle !== undefined) return { ...base, outcome: 'failed', share: 0, why: obstacle };
  if (settled !== undefined) return { ...base, outcome: 'lost', share: 0, why: lostTo(settled.ranked, ranked) };
  if (share <= 0) return { ...base, outcome: 'failed', share: 0, why: 'its share is 0 %' };
  const part = left * Math.min(1, share);
  const why = share >= 1 ? 'all it asks for holds' : `all it asks for holds, and ${share * 100} % fall under it`;
  return { ...base, outcome: 'won', share: part, why };
}

function obstacleOf(table: RouteTable, entry: Entry, request: RouteRequest, caller: AccessPeer): string | undefined {
  if (!table.paths.holds(entry, request.path))
    return `path is ${JSON.stringify(request.path)}, and is to be ${entry.path?.type} ${JSON.stringify(entry.path?.value)}`;
  return entry.conditions.find((condition) => !condition.holds(request, caller))?.describe(request, caller);
}

function lostTo(winner: Ranked, loser: Ranked): string {
  const { kind, namespace, name, rule } = winner.rule.origin;
  return `${kind} ${namespace}/${name} ${rule} goes first: ${reasonOfPrecedence(winner, loser)}`;
}
