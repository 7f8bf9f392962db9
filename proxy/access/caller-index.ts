/**
 * Finds the rules that are about a caller, by identity, namespace or address. Which field of a rule is looked up is no
 * matter: all of them are checked.
 * @module
 */

import type { CompiledRule } from './compile.ts';
import { type Pattern, PatternIndex } from './patterns.ts';
import type { AccessPeer } from './peer.ts';

export class CallerIndex<T extends { readonly compiled: CompiledRule }> {
  readonly #rules: readonly T[];
  readonly #identities: PatternIndex;
  readonly #ranges: PatternIndex;
  readonly #namespaces = new Map<string, number[]>();
  /** Rules whose conditions are of another kind. */
  readonly #others: readonly number[];

  constructor(rules: readonly T[]) {
    const identities: (readonly [Pattern, number])[] = [];
    const ranges: (readonly [Pattern, number])[] = [];
    const others = new Set<number>();
    for (const [i, { compiled }] of rules.entries()) {
      for (const { source, patterns } of compiled.sources) {
        if (patterns.identities.length > 0) for (const one of patterns.identities) identities.push([one, i]);
        else if (source.namespaces.length > 0) for (const namespace of source.namespaces) this.#add(namespace, i);
        else if (patterns.cidrs.length > 0) for (const one of patterns.cidrs) ranges.push([one, i]);
        else others.add(i);
      }
    }
    this.#rules = rules;
    this.#identities = new PatternIndex(identities);
    this.#ranges = new PatternIndex(ranges);
    this.#others = [...others];
  }

  /** In order, each once. */
  find(peer: AccessPeer): readonly T[] {
    const left: T[] = [];
    let last = -1;
    for (const i of this.#candidates(peer)) {
      const rule = this.#rules[i]!;
      if (i !== last && rule.compiled.sources.some((source) => source.obstacle(peer) === undefined)) left.push(rule);
      last = i;
    }
    return left;
  }

  /** In order; one may come twice. */
  #candidates({ identity, namespace, addressBits }: AccessPeer): Iterable<number> {
    if (addressBits === undefined) return this.#rules.keys(); // it may lie in any range
    const found = [...this.#others];
    if (identity !== undefined) {
      const [whole, bare, path] = identity;
      this.#identities.collect(whole, found);
      this.#identities.collectFromStart(bare, found);
      this.#identities.collectFromStart(path, found);
    }
    if (namespace !== undefined) for (const i of this.#namespaces.get(namespace) ?? []) found.push(i);
    this.#ranges.collect(addressBits, found);
    return found.length > 1 ? found.sort((a, b) => a - b) : found;
  }

  #add(namespace: string, rule: number): void {
    const known = this.#namespaces.get(namespace);
    if (known === undefined) this.#namespaces.set(namespace, [rule]);
    else known.push(rule);
  }
}
