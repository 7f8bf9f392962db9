/**
 * The rules that are left once destination and caller are known, and ask for something of the request: an index by path or
 * host, so that a thousand of them cost a request little more than one.
 * @module
 */

import { hostPattern, type OperationMatcher, pathPattern } from './match.ts';
import { type Pattern, PatternIndex } from './patterns.ts';
import type { AccessRequest } from './request.ts';

/** A rule as one destination sees it. */
export interface ResidualRule {
  /** Those that are for the destination's port. */
  readonly operations: readonly OperationMatcher[];
}

/** Below this, trying each is quicker than looking up. */
const MIN_INDEXED = 8;

export class ResidualRules<T extends ResidualRule> {
  readonly #rules: readonly T[];
  readonly #certainty: 'may' | 'surely';
  /** Numbers of rules by what a path or host must be; undefined while there are few. */
  readonly #paths: PatternIndex | undefined;
  readonly #hosts: PatternIndex | undefined;
  /** Numbers of rules that ask for neither. */
  readonly #others: readonly number[];
  /** Numbers found for the request at hand; a request is judged to the end before the next begins. */
  readonly #found: number[] = [];

  /** @param rules in the order in which they are named */
  constructor(rules: readonly T[], certainty: 'may' | 'surely') {
    this.#rules = rules;
    this.#certainty = certainty;
    const paths: (readonly [Pattern, number])[] = [];
    const hosts: (readonly [Pattern, number])[] = [];
    const others = new Set<number>();
    for (const [i, { operations }] of rules.entries()) {
      for (const { patterns } of operations) {
        if (patterns.paths.length > 0)
          paths.push(...patterns.paths.map((path) => [pathPattern(path, certainty), i] as const));
        else if (patterns.hosts.length > 0)
          hosts.push(...patterns.hosts.map((host) => [hostPattern(host), i] as const));
        else others.add(i);
      }
    }
    const isIndexed = rules.length >= MIN_INDEXED;
    this.#paths = isIndexed && paths.length > 0 ? new PatternIndex(paths) : undefined;
    this.#hosts = isIndexed && hosts.length > 0 ? new PatternIndex(hosts) : undefined;
    this.#others = isIndexed ? [...others] : [...rules.keys()];
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** The first rule that holds. */
  first(request: AccessRequest): T | undefined {
    for (const i of this.#candidates(request)) {
      const rule = this.#rules[i]!;
      if (holds(rule, request)) return rule;
    }
    return undefined;
  }

  /** Appends all rules that hold. */
  all(request: AccessRequest, into: T[]): void {
    let last = -1;
    for (const i of this.#candidates(request)) {
      if (i !== last && holds(this.#rules[i]!, request)) into.push(this.#rules[i]!);
      last = i;
    }
  }

  /** In order; one may come twice. */
  #candidates(request: AccessRequest): Iterable<number> {
    if (this.#paths === undefined && this.#hosts === undefined) return this.#others;
    const found = this.#found;
    found.length = 0;
    for (let i = 0; i < this.#others.length; i++) found.push(this.#others[i]!);
    if (this.#paths !== undefined) {
      const { readings } = request;
      if (this.#certainty === 'may') {
        // A rule that refuses may hold for a path that cannot be read, whatever path it names.
        if (readings === undefined) return this.#rules.keys();
        for (const reading of request.foldedReadings) this.#paths.collect(reading, found);
      } else if (readings !== undefined) {
        this.#paths.collect(readings[0]!, found); // all readings must match, so those of one are enough to look at
      }
    }
    if (this.#hosts !== undefined) {
      const { name, full } = request.host;
      this.#hosts.collect(name, found);
      if (full !== name) this.#hosts.collect(full, found);
    }
    return found.length > 1 ? found.sort(ascending) : found;
  }
}

function holds({ operations }: ResidualRule, request: AccessRequest): boolean {
  for (let i = 0; i < operations.length; i++) if (operations[i]!.obstacle(request) === undefined) return true;
  return false;
}

function ascending(a: number, b: number): number {
  return a - b;
}
