/**
 * Where routes send observed calls, by the data plane's own tables (proxy/routing/). What a match asks of headers, parameters,
 * cookies, or of a part of the paths of a route, may hold or not. Pure.
 * @module
 */
import { compileSource } from '../../../proxy/access/compile.ts';
import { wireText } from '../../../proxy/routing/edits.ts';
import { compileExpression } from '../../../proxy/routing/expressions.ts';
import { backendId, type CompiledRule } from '../../../proxy/routing/rule.ts';
import { Split } from '../../../proxy/routing/split.ts';
import { compileRoutes, type Entry, type RouteTable } from '../../../proxy/routing/table.ts';
import type { Backend, HttpMatch, ServiceRoutes } from '../../../proxy/traffic/rules.ts';
import { splitId } from '../views/register.ts';
import { any, type Holds, type ObservedCall, ObservedPath } from './observed.ts';
import { type Peer, type Places, sourceHolds } from './places.ts';

export interface RouteVerdict {
  /** Shares by where calls end, in words; undefined where that hangs on what was not kept. */
  readonly ends: ReadonlyMap<string, number> | undefined;
  /** What is done to them beside. */
  readonly handling: string;
  /** Two that hang on the same unknowns have the same. */
  readonly grounds: string;
}

export class RouteReplay {
  readonly #routes: ReadonlyMap<string, readonly ServiceRoutes[]>;
  readonly #places: Places;
  readonly #tables = new Map<ServiceRoutes, RouteTable>();

  constructor(routes: readonly ServiceRoutes[], places: Places) {
    this.#routes = Map.groupBy(routes, ({ service }) => service);
    this.#places = places;
  }

  /** What routes say of a service, but for the revision they are of. */
  textOf(service: string): string {
    return JSON.stringify(this.#routes.get(service) ?? [], (key, value) => (key === 'revision' ? undefined : value));
  }

  /** Services that its routes lead to. */
  backendsOf(service: string): readonly string[] {
    const rules = (this.#routes.get(service) ?? []).flatMap(({ http, streams }) => [...http, ...streams]);
    return [...new Set(rules.flatMap(({ backends }) => backends.map((one) => one.service)))];
  }

  judge(call: ObservedCall): RouteVerdict {
    const all = this.#routes.get(call.destination) ?? [];
    const ports = new Set([...this.#places.servicePorts(call.destination), ...all.map(({ port }) => port)]);
    const verdicts = [...ports].map((port) => this.#judgeAt(port, call));
    const [first] = verdicts;
    if (first === undefined) return plain(call);
    if (verdicts.every(({ grounds }) => grounds === first.grounds)) return first;
    const texts = (of: (one: RouteVerdict) => string): string => JSON.stringify(verdicts.map(of));
    return { ends: undefined, handling: texts((one) => one.handling), grounds: texts((one) => one.grounds) };
  }

  /** Those of the caller's own namespace take the place of those for everybody. */
  #judgeAt(port: number, call: ObservedCall): RouteVerdict {
    const here = (this.#routes.get(call.destination) ?? []).filter((routes) => routes.port === port);
    const [namespace] = splitId(call.caller);
    const own = here.find(({ consumer }) => consumer !== undefined && consumer === namespace);
    const routes = own ?? here.find(({ consumer }) => consumer === undefined);
    if (routes === undefined) return plain(call);
    if (call.protocol === 'tcp' || routes.http.length === 0) return streamVerdict(routes, call);
    let table = this.#tables.get(routes);
    if (table === undefined) {
      table = compileRoutes(routes);
      this.#tables.set(routes, table);
    }
    return httpVerdict(table.entries, call, this.#places.peer(call.source));
  }
}

function plain({ destination }: ObservedCall): RouteVerdict {
  return { ends: new Map([[`to ${destination}`, 1]]), handling: '', grounds: 'plain' };
}

/** Of connections only the first rule counts; which server name was asked for is not kept. */
function streamVerdict({ streams }: ServiceRoutes, call: ObservedCall): RouteVerdict {
  const [rule] = streams;
  if (rule === undefined) return plain(call);
  const isOpen = streams.length > 1 || rule.serverNames.length > 0;
  const ends = endsOfBackends(rule.backends, call.destination);
  const grounds = JSON.stringify(streams.map(({ serverNames, backends }) => [serverNames, backends]));
  return { ends: isOpen ? undefined : ends, handling: '', grounds };
}

interface Possible {
  readonly ends: ReadonlyMap<string, number>;
  readonly handling: string;
  readonly share: number;
  readonly holds: Exclude<Holds, 'no'>;
  readonly match: HttpMatch | undefined;
}

const NO_ROUTE = 'status 404: no rule of the routes takes it';

function httpVerdict(entries: readonly Entry[], call: ObservedCall, peer: Peer): RouteVerdict {
  const path = new ObservedPath(call.route);
  const possible: Possible[] = [];
  for (const { ranked, share, compiled } of entries) {
    const { match } = ranked;
    const holds = matchHolds(match, path, call.method, peer);
    if (holds === 'no' || share <= 0) continue;
    const { ends, handling } = outcomeOf(compiled, call.destination);
    possible.push({ ends, handling, share, holds, match: holds === 'yes' ? undefined : match });
    if (holds === 'yes' && share >= 1) break;
  }
  const last = possible.at(-1);
  if (last === undefined || last.holds !== 'yes' || last.share < 1) {
    possible.push({ ends: new Map([[NO_ROUTE, 1]]), handling: '', share: 1, holds: 'yes', match: undefined });
  }
  const texts = possible.map(({ ends }) => JSON.stringify([...ends]));
  const isOne = texts.every((text) => text === texts[0]);
  const isSure = isOne || possible.every(({ holds }) => holds === 'yes');
  return {
    ends: isSure ? shared(isOne ? possible.slice(-1) : possible) : undefined,
    handling: [...new Set(possible.map(({ handling }) => handling))].join('\n'),
    grounds: JSON.stringify(possible.map(({ match, share, handling }, i) => [match, share, handling, texts[i]])),
  };
}

/** A match takes its share of what those before it left. */
function shared(possible: readonly Possible[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  let left = 1;
  for (const { ends, share } of possible) {
    const part = left * Math.min(1, share);
    for (const [end, ratio] of ends) sums.set(end, (sums.get(end) ?? 0) + ratio * part);
    left -= part;
  }
  return sums;
}

function matchHolds(match: HttpMatch, path: ObservedPath, method: string, peer: Peer): Holds {
  if (match.method !== undefined && method !== '' && method !== 'OTHER' && match.method !== method) return 'no';
  const from = match.sources.map((one) => sourceHolds(compileSource(one, 'surely', 'route'), peer));
  const caller = from.length === 0 ? 'yes' : any(from);
  const holds = pathHolds(match.path, path);
  if (caller === 'no' || holds === 'no') return 'no';
  const isOpen =
    caller === 'maybe' ||
    match.headers.length + match.query.length + match.cookies.length > 0 ||
    (match.method !== undefined && match.method !== method);
  return isOpen ? 'maybe' : holds;
}

function pathHolds(wanted: HttpMatch['path'], path: ObservedPath): Holds {
  if (wanted === undefined) return 'yes';
  if (wanted.type === 'exact') return path.is(wireText(wanted.value));
  if (wanted.type === 'prefix') return path.isUnder(wireText(wanted.value));
  if (!path.isWhole) return 'maybe';
  return (compileExpression(wanted.value)?.(path.before) ?? false) ? 'yes' : 'no';
}

/** Where requests under a rule end, and all else that it does to them: '' for nothing. */
function outcomeOf({ rule, split, backends }: CompiledRule, service: string) {
  const { actions, timeouts, retry, affinity } = rule;
  const { mirrors, ...edits } = actions;
  const ofBackends = rule.backends.flatMap(({ service: to, subset, requestHeaders, responseHeaders }) =>
    requestHeaders === undefined && responseHeaders === undefined
      ? []
      : [[to, subset, requestHeaders, responseHeaders]],
  );
  const others = Object.entries({ ...edits, ...timeouts, retry, affinity }).filter(([, value]) => value !== undefined);
  const more = [...mirrors, ...ofBackends, ...others];
  const handling = more.length === 0 ? '' : JSON.stringify(more);
  const { redirect, respond } = actions;
  if (redirect !== undefined) return { ends: new Map([[`redirected, status ${redirect.status}`, 1]]), handling };
  if (respond !== undefined) return { ends: new Map([[`status ${respond.status} by the route itself`, 1]]), handling };
  if (backends.some((one) => split.has(one))) return { ends: endsOfBackends(rule.backends, service), handling };
  return { ends: new Map([['status 500: no backend has any weight', 1]]), handling };
}

function endsOfBackends(backends: readonly Backend[], service: string): ReadonlyMap<string, number> {
  const split = new Split(backends);
  const sums = new Map<string, number>();
  for (const backend of backends.filter((one) => split.has(one))) {
    const { problem, subset } = backend;
    const isPlain = backend.service === service && subset === undefined;
    const end =
      problem !== undefined ? `status 500: ${problem}` : isPlain ? `to ${service}` : `to ${backendId(backend)}`;
    sums.set(end, (sums.get(end) ?? 0) + split.shareOf(backend));
  }
  return sums;
}
