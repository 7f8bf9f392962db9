/**
 * The routes of one port of a service as a table: which rule a request falls under.
 *
 * Matches lie in the order of precedence. The path, where any asks for it, narrows them down; of the candidates the first
 * whose conditions all hold is taken, and those that would go behind it are not looked at. A table that has one answer for
 * every request reads nothing of it. Routes of other ports are in other tables.
 * @module
 */

import type { AccessPeer } from '../access/peer.ts';
import type { HttpMatch, HttpRule, ServiceRoutes } from '../traffic/rules.ts';
import { type Condition, compileConditions } from './conditions.ts';
import { PathIndex, type PathVisitor, type Placed } from './paths.ts';
import { type Ranked, ranked } from './precedence.ts';
import type { RouteRequest } from './request.ts';
import { CompiledRule } from './rule.ts';

/** A match in its place. */
export interface Entry extends Placed {
  readonly ranked: Ranked;
  readonly conditions: readonly Condition[];
  /** Share of the requests, 0 to 1. */
  readonly share: number;
  readonly compiled: CompiledRule;
  /** As a label of statistics: `/v1/*`; '' where it asks for no path. */
  readonly route: string;
}

export class RouteTable {
  readonly routes: ServiceRoutes;
  /** The first to go first. */
  readonly entries: readonly Entry[];
  /** Each rule once, but once for each prefix where it replaces what matched. */
  readonly rules: readonly CompiledRule[];
  readonly paths: PathIndex<Entry>;
  /** The answer to everything. */
  readonly #settled: CompiledRule | undefined;
  readonly #search = new Search();
  #matched: Entry | undefined = undefined;

  constructor(routes: ServiceRoutes) {
    const rules = new Map<HttpRule, Map<string, CompiledRule>>();
    this.routes = routes;
    this.entries = ranked(routes.http).map(
      (one, order): Entry => ({
        order,
        path: one.match.path,
        ranked: one,
        conditions: compileConditions(one.match),
        share: one.match.percent === undefined ? 1 : one.match.percent / 100,
        compiled: compiledOnce(one, rules),
        route: routeOf(one.match),
      }),
    );
    this.rules = [...rules.values()].flatMap((variants) => [...variants.values()]);
    this.paths = new PathIndex(this.entries);
    const first = this.entries[0];
    const isSettled = first !== undefined && this.paths.everywhere[0] === first && isUnconditional(first);
    this.#settled = isSettled ? first.compiled : undefined;
  }

  /**
   * @param random from 0 up to but not including 1; asked once at most
   * @returns undefined where no rule is about the request: answered with 404
   */
  match(request: RouteRequest, caller: AccessPeer, random: () => number): CompiledRule | undefined {
    this.#matched = this.entries[0];
    if (this.#settled !== undefined) return this.#settled;
    const search = this.#search.begin(request, caller, random);
    if (this.paths.isPathless) search.visit(this.paths.everywhere);
    else this.paths.visit(request.path, search);
    this.#matched = search.end();
    return this.#matched?.compiled;
  }

  /** What the match that was found last says its requests have in common: `/v1/*`, or '' where it asks for no path. */
  get matchedRoute(): string {
    return this.#matched?.route ?? '';
  }
}

export function compileRoutes(routes: ServiceRoutes): RouteTable {
  return new RouteTable(routes);
}

/** One object for all requests: matching is over before anything else happens. */
class Search implements PathVisitor<Entry> {
  #request: RouteRequest | undefined = undefined;
  #caller: AccessPeer | undefined = undefined;
  #random: (() => number) | undefined = undefined;
  #draw = -1;
  #best: Entry | undefined = undefined;

  begin(request: RouteRequest, caller: AccessPeer, random: () => number): this {
    this.#request = request;
    this.#caller = caller;
    this.#random = random;
    this.#draw = -1;
    this.#best = undefined;
    return this;
  }

  wants(order: number): boolean {
    return this.#best === undefined || order < this.#best.order;
  }

  visit(entries: readonly Entry[]): void {
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      if (this.#best !== undefined && entry.order >= this.#best.order) return;
      if (!this.#holds(entry)) continue;
      this.#best = entry;
      return;
    }
  }

  end(): Entry | undefined {
    const best = this.#best;
    this.#request = undefined;
    this.#caller = undefined;
    this.#random = undefined;
    this.#best = undefined;
    return best;
  }

  #holds({ conditions, share, order }: Entry): boolean {
    for (let i = 0; i < conditions.length; i++) {
      if (!conditions[i]!.holds(this.#request!, this.#caller!)) return false;
    }
    if (share >= 1) return true;
    if (this.#draw < 0) this.#draw = this.#random!();
    return spread(this.#draw, order) < share;
  }
}

/**
 * A number from 0 to 1 for each entry, from the one that was drawn for the request: shares are then independent of each
 * other and of the order in which entries are tried (finalizer of MurmurHash3).
 */
export function spread(draw: number, order: number): number {
  let hash = Math.floor(draw * 0x1_0000_0000) ^ Math.imul(order + 1, 0x9e3779b9);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000;
}

function routeOf({ path }: HttpMatch): string {
  if (path === undefined) return '';
  if (path.type !== 'prefix') return path.value;
  const prefix = path.value.replace(/\/$/, '');
  return prefix === '' ? '' : `${prefix}/*`;
}

function isUnconditional({ conditions, share }: Entry): boolean {
  return conditions.length === 0 && share >= 1;
}

function compiledOnce({ rule, match }: Ranked, rules: Map<HttpRule, Map<string, CompiledRule>>): CompiledRule {
  const { rewrite, redirect } = rule.actions;
  const isAboutPrefix = rewrite?.path?.type === 'prefix' || redirect?.path?.type === 'prefix';
  const variant = isAboutPrefix && match.path?.type === 'prefix' ? match.path.value : '';
  const variants = rules.get(rule) ?? new Map<string, CompiledRule>();
  rules.set(rule, variants);
  const compiled = variants.get(variant) ?? new CompiledRule(rule, match);
  variants.set(variant, compiled);
  return compiled;
}
