/**
 * Access rules, compiled once for all destinations of a worker: patterns and ranges parsed, windows understood.
 * @module
 */

import { rangeBits } from './addresses.ts';
import { type Certainty, OperationMatcher, SourceMatcher } from './match.ts';
import { type Pattern, parsePattern } from './patterns.ts';
import type { AccessAction, AccessOperation, AccessPolicy, AccessRule, AccessRules, AccessSource } from './policy.ts';
import { Clocks, clockFormat, isOpen, standsUntilMs } from './windows.ts';

/** What a rule, or a default, is counted and logged under. */
export interface AccessLabels {
  /** 'namespace/name' of the policy; '' for what no single rule decides. */
  readonly policy: string;
  /** Name of the rule; for '' above: 'no-allow' or 'default'. */
  readonly rule: string;
  readonly action: AccessAction;
  readonly isDryRun: boolean;
}

export interface CompiledRule {
  readonly labels: AccessLabels;
  /** Position among all rules; lower ones are named first. */
  readonly position: number;
  /** Any of them; empty: anybody. */
  readonly sources: readonly SourceMatcher[];
  /** Any of them; empty: everything. */
  readonly operations: readonly OperationMatcher[];
  readonly rule: AccessRule;
}

export interface CompiledPolicy {
  readonly policy: AccessPolicy;
  readonly rules: readonly CompiledRule[];
}

/** A document that cannot be compiled; the message names policy, field and value. */
export class AccessError extends Error {
  override readonly name = 'AccessError';
}

export class AccessRuleset {
  readonly source: AccessRules;
  /** Sorted by id. */
  readonly policies: readonly CompiledPolicy[];
  /** Whether any rule asks for the labels of callers, so that the register matters. */
  readonly readsLabels: boolean;
  readonly #formats = new Map<string, Intl.DateTimeFormat>();

  /** @throws AccessError for a pattern, range or time zone that cannot be read */
  constructor(source: AccessRules) {
    this.source = source;
    const sorted = source.policies.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    let position = 0;
    this.policies = sorted.map((policy) => ({
      policy,
      rules: policy.rules.map((rule) => {
        this.#learnTimeZones(policy, rule);
        return compileRule(policy, rule, position++);
      }),
    }));
    this.readsLabels = sorted.some(({ rules }) =>
      rules.some(({ from }) => from.some(({ labels }) => Object.keys(labels).length > 0)),
    );
  }

  /** What is in force at an instant. */
  at(nowMs: number): AccessInForce {
    return new AccessInForce(this, new Clocks(nowMs, this.#formats));
  }

  /** Making a format is dear, so zones are looked up once. */
  #learnTimeZones(policy: AccessPolicy, { name, when }: AccessRule): void {
    for (const { timeZone } of when) {
      if (this.#formats.has(timeZone)) continue;
      try {
        this.#formats.set(timeZone, clockFormat(timeZone));
      } catch (cause) {
        const subject = `${whereOf(policy, name)}: timeZone ${JSON.stringify(timeZone)}`;
        throw new AccessError(`${subject}: not a zone of the IANA data base`, { cause });
      }
    }
  }
}

/** The policies and rules that count at an instant, and until when nothing changes about that. */
export class AccessInForce {
  readonly ruleset: AccessRuleset;
  readonly nowMs: number;
  /** Infinity where time changes nothing. */
  readonly untilMs: number;
  /** What counts, as text: two of one ruleset with the same are the same. */
  readonly fingerprint: string;
  readonly #policies = new Set<CompiledPolicy>();
  readonly #rules = new Set<CompiledRule>();

  constructor(ruleset: AccessRuleset, clocks: Clocks) {
    const { nowMs } = clocks;
    this.ruleset = ruleset;
    this.nowMs = nowMs;
    let untilMs = Number.POSITIVE_INFINITY;
    for (const policy of ruleset.policies) {
      const { validFromMs = Number.NEGATIVE_INFINITY, validUntilMs = Number.POSITIVE_INFINITY } = policy.policy;
      if (validUntilMs <= nowMs) continue;
      if (validFromMs > nowMs) {
        untilMs = Math.min(untilMs, validFromMs);
        continue;
      }
      untilMs = Math.min(untilMs, validUntilMs);
      this.#policies.add(policy);
      for (const rule of policy.rules) {
        const { when } = rule.rule;
        if (when.length === 0 || when.some((window) => isOpen(window, clocks))) this.#rules.add(rule);
        for (const window of when) untilMs = Math.min(untilMs, standsUntilMs(window, clocks));
      }
    }
    for (const port of ruleset.source.permissive) if (port.untilMs > nowMs) untilMs = Math.min(untilMs, port.untilMs);
    this.untilMs = untilMs;
    this.fingerprint = [
      ruleset.policies.map((policy) => (this.#policies.has(policy) ? '1' : '0')).join(''),
      ruleset.policies.flatMap(({ rules }) => rules.map((rule) => (this.#rules.has(rule) ? '1' : '0'))).join(''),
      ruleset.source.permissive.map((port) => (port.untilMs > nowMs ? '1' : '0')).join(''),
    ].join(' ');
  }

  hasPolicy(policy: CompiledPolicy): boolean {
    return this.#policies.has(policy);
  }

  /** Whether one of its windows is open. */
  hasRule(rule: CompiledRule): boolean {
    return this.#rules.has(rule);
  }
}

function compileRule(policy: AccessPolicy, rule: AccessRule, position: number): CompiledRule {
  const at = whereOf(policy, rule.name);
  const certainty: Certainty = policy.action === 'ALLOW' ? 'surely' : 'may';
  return {
    labels: { policy: policy.id, rule: rule.name, action: policy.action, isDryRun: policy.isDryRun },
    position,
    sources: rule.from.map((source) => compileSource(source, certainty, at)),
    operations: rule.to.map((operation) => compileOperation(operation, certainty, at)),
    rule,
  };
}

/** @throws AccessError for a pattern or range that cannot be read, naming `at` */
export function compileSource(source: AccessSource, certainty: Certainty, at: string): SourceMatcher {
  const patterns = {
    identities: patternsOf('identities', source.identities, at),
    notIdentities: patternsOf('notIdentities', source.notIdentities, at),
    cidrs: rangesOf('cidrs', source.cidrs, at),
    notCidrs: rangesOf('notCidrs', source.notCidrs, at),
  };
  return new SourceMatcher(source, patterns, certainty);
}

function compileOperation(operation: AccessOperation, certainty: Certainty, at: string): OperationMatcher {
  const patterns = {
    methods: patternsOf('methods', operation.methods, at),
    notMethods: patternsOf('notMethods', operation.notMethods, at),
    paths: patternsOf('paths', operation.paths, at),
    notPaths: patternsOf('notPaths', operation.notPaths, at),
    hosts: patternsOf('hosts', operation.hosts, at),
    notHosts: patternsOf('notHosts', operation.notHosts, at),
    headers: operation.headers.map((header) => ({
      header,
      values: patternsOf(`header ${header.name}`, header.values, at),
    })),
  };
  return new OperationMatcher(operation, patterns, certainty);
}

function patternsOf(field: string, texts: readonly string[], at: string): readonly Pattern[] {
  return texts.map((text) => {
    const pattern = parsePattern(text);
    if (pattern === undefined)
      throw new AccessError(`${at}: ${field} ${JSON.stringify(text)}: a star may stand at one end only`);
    return pattern;
  });
}

function rangesOf(field: string, ranges: readonly string[], at: string): readonly Pattern[] {
  return ranges.map((range) => {
    const bits = rangeBits(range);
    if (bits === undefined)
      throw new AccessError(`${at}: ${field} ${JSON.stringify(range)}: neither an address nor a range of addresses`);
    return { kind: 'prefix', text: bits };
  });
}

function whereOf(policy: AccessPolicy, rule: string): string {
  return `policy ${policy.id}, rule ${rule}`;
}
