/**
 * What a match asks beside path and share, compiled: conditions that all must hold, those that cost least first.
 * @module
 */

import { compileSource } from '../access/compile.ts';
import type { SourceMatcher } from '../access/match.ts';
import type { AccessPeer } from '../access/peer.ts';
import type { AccessSource } from '../access/policy.ts';
import type { HttpMatch, ValueMatch } from '../traffic/rules.ts';
import { wireText } from './edits.ts';
import { compileExpression } from './expressions.ts';
import type { RouteRequest } from './request.ts';

export interface Condition {
  holds(request: RouteRequest, caller: AccessPeer): boolean;
  /** What is asked and what there is, for people. */
  describe(request: RouteRequest, caller: AccessPeer): string;
}

/** Where headers, query parameters or cookies are. */
type Place = 'header' | 'query' | 'cookie';

export function compileConditions(match: HttpMatch): readonly Condition[] {
  return [
    ...(match.method === undefined ? [] : [new MethodCondition(match.method)]),
    ...(match.sources.length === 0 ? [] : [new SourceCondition(match)]),
    ...firstOfEach(match.headers, (name) => name.toLowerCase()).map((one) => new ValueCondition('header', one)),
    ...match.cookies.map((one) => new ValueCondition('cookie', one)),
    ...firstOfEach(match.query, (name) => name).map((one) => new ValueCondition('query', one)),
  ];
}

class MethodCondition implements Condition {
  readonly #method: string;

  constructor(method: string) {
    this.#method = method;
  }

  holds(request: RouteRequest): boolean {
    return request.method === this.#method;
  }

  describe(request: RouteRequest): string {
    return `method is ${request.method}, not ${this.#method}`;
  }
}

class ValueCondition implements Condition {
  readonly #place: Place;
  readonly #match: ValueMatch;
  /** As it is looked for. */
  readonly #name: string;
  readonly #test: (value: string) => boolean;
  /** An expression that cannot be read: never holds, turned round or not. */
  readonly #isBroken: boolean;

  constructor(place: Place, match: ValueMatch) {
    const test = testOf(match);
    this.#place = place;
    this.#match = match;
    this.#name = place === 'header' ? match.name.toLowerCase() : wireText(match.name);
    this.#test = test ?? (() => false);
    this.#isBroken = test === undefined;
  }

  holds(request: RouteRequest): boolean {
    if (this.#isBroken) return false;
    const value = request[this.#place](this.#name);
    return (value !== undefined && this.#test(value)) !== this.#match.isNot;
  }

  describe(request: RouteRequest): string {
    const { name, type, value, isNot } = this.#match;
    const found = request[this.#place](this.#name);
    const is = found === undefined ? 'is missing' : `is ${JSON.stringify(found)}`;
    const wanted = type === 'present' ? 'present' : `${type} ${JSON.stringify(value)}`;
    const about = `${this.#place === 'query' ? 'query parameter' : this.#place} ${name}`;
    if (this.#isBroken) return `${about}: the expression ${JSON.stringify(value)} cannot be read`;
    return `${about} ${is}, and is to be ${isNot ? 'anything but ' : ''}${wanted}`;
  }
}

class SourceCondition implements Condition {
  readonly #sources: readonly SourceMatcher[];

  constructor({ sources }: HttpMatch) {
    this.#sources = sources.map(matcherOf).filter((matcher) => matcher !== undefined);
  }

  holds(_request: RouteRequest, caller: AccessPeer): boolean {
    for (const source of this.#sources) if (source.obstacle(caller) === undefined) return true;
    return false;
  }

  describe(_request: RouteRequest, caller: AccessPeer): string {
    const fields = this.#sources.map((source) => source.obstacle(caller) ?? '');
    return `the caller is another one (${[...new Set(fields)].join(', ')})`;
  }
}

/** One that cannot be read, which the control thread refuses beforehand, holds for nobody. */
function matcherOf(source: AccessSource): SourceMatcher | undefined {
  try {
    return compileSource(source, 'surely', 'route');
  } catch {
    return undefined;
  }
}

function testOf({ type, value }: ValueMatch): ((value: string) => boolean) | undefined {
  const wire = wireText(value);
  if (type === 'exact') return (text) => text === wire;
  if (type === 'prefix') return (text) => text.startsWith(wire);
  return type === 'present' ? () => true : compileExpression(value);
}

/** Of several that ask about one name, the first counts (Gateway API, HTTPHeaderMatch.name). */
function firstOfEach(matches: readonly ValueMatch[], key: (name: string) => string): readonly ValueMatch[] {
  const seen = new Set<string>();
  return matches.filter(({ name }) => !seen.has(key(name)) && seen.add(key(name)));
}
