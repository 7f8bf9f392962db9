/**
 * The conditions of one rule, compiled: who calls, and what is called.
 *
 * Not everything is known when it is asked for: bytes that are not HTTP have no path, a path may have several readings, the
 * register may not say which pod an address is. What is unknown counts against the caller: where a rule refuses, a
 * condition holds as soon as it may; where a rule lets in, only when it surely does. A negative condition asks the other
 * way round.
 * @module
 */

import { type CanonicalHost, decodePath } from './canonical.ts';
import { type Pattern, PatternIndex } from './patterns.ts';
import type { AccessPeer } from './peer.ts';
import type { AccessHeader, AccessOperation, AccessSource } from './policy.ts';
import type { AccessRequest } from './request.ts';

export type Certainty = 'may' | 'surely';
type Labels = Readonly<Record<string, string>>;

/** A list of patterns; undefined where the list is empty and asks for nothing. */
function indexOf(patterns: readonly Pattern[]): PatternIndex | undefined {
  return patterns.length === 0 ? undefined : new PatternIndex(patterns.map((pattern) => [pattern, 0]));
}

/** Patterns as the compiler parsed them. */
export interface SourcePatterns {
  readonly identities: readonly Pattern[];
  readonly notIdentities: readonly Pattern[];
  /** Address ranges as prefixes of bits. */
  readonly cidrs: readonly Pattern[];
  readonly notCidrs: readonly Pattern[];
}

export class SourceMatcher {
  readonly source: AccessSource;
  readonly patterns: SourcePatterns;
  readonly #certainty: Certainty;
  readonly #identities: PatternIndex | undefined;
  readonly #notIdentities: PatternIndex | undefined;
  readonly #cidrs: PatternIndex | undefined;
  readonly #notCidrs: PatternIndex | undefined;
  readonly #labels: readonly (readonly [string, string])[];

  constructor(source: AccessSource, patterns: SourcePatterns, certainty: Certainty) {
    this.source = source;
    this.patterns = patterns;
    this.#certainty = certainty;
    this.#identities = indexOf(patterns.identities);
    this.#notIdentities = indexOf(patterns.notIdentities);
    this.#cidrs = indexOf(patterns.cidrs);
    this.#notCidrs = indexOf(patterns.notCidrs);
    this.#labels = Object.entries(source.labels);
  }

  /** What keeps it from holding: the name of a field; undefined when it holds. */
  obstacle(peer: AccessPeer): keyof AccessSource | undefined {
    const { namespaces, notNamespaces } = this.source;
    const { identity, namespace } = peer;
    if (this.#identities !== undefined && !isNamed(identity, this.#identities)) return 'identities';
    if (this.#notIdentities !== undefined && isNamed(identity, this.#notIdentities)) return 'notIdentities';
    if (namespaces.length > 0 && (namespace === undefined || !namespaces.includes(namespace))) return 'namespaces';
    if (namespace !== undefined && notNamespaces.includes(namespace)) return 'notNamespaces';
    if (this.#cidrs !== undefined && !this.#isWithin(peer, this.#cidrs, this.#certainty === 'may')) return 'cidrs';
    if (this.#notCidrs !== undefined && this.#isWithin(peer, this.#notCidrs, this.#certainty !== 'may'))
      return 'notCidrs';
    return this.#labels.length > 0 && !this.#areLabelled(peer) ? 'labels' : undefined;
  }

  #isWithin({ addressBits }: AccessPeer, ranges: PatternIndex, ifUnknown: boolean): boolean {
    return addressBits === undefined ? ifUnknown : ranges.has(addressBits);
  }

  #areLabelled({ identity, labels }: AccessPeer): boolean {
    if (identity === undefined) return false; // nobody vouches for labels of a caller in plaintext
    const isLabelled = (candidate: Labels): boolean =>
      this.#labels.every(([name, value]) => Object.hasOwn(candidate, name) && candidate[name] === value);
    if (this.#certainty === 'may') return labels.length === 0 || labels.some(isLabelled);
    return labels.length > 0 && labels.every(isLabelled);
  }
}

function isNamed(identity: AccessPeer['identity'], index: PatternIndex): boolean {
  if (identity === undefined) return false;
  const [whole, bare, path] = identity;
  return index.has(whole) || index.hasFromStart(bare) || index.hasFromStart(path);
}

/** Patterns as the compiler parsed them. */
export interface OperationPatterns {
  readonly methods: readonly Pattern[];
  readonly notMethods: readonly Pattern[];
  readonly paths: readonly Pattern[];
  readonly notPaths: readonly Pattern[];
  readonly hosts: readonly Pattern[];
  readonly notHosts: readonly Pattern[];
  readonly headers: readonly { readonly header: AccessHeader; readonly values: readonly Pattern[] }[];
}

export class OperationMatcher {
  readonly operation: AccessOperation;
  readonly patterns: OperationPatterns;
  /** Whether anything but the port matters. */
  readonly needsRequest: boolean;
  readonly #certainty: Certainty;
  readonly #methods: TextCondition | undefined;
  readonly #notMethods: TextCondition | undefined;
  readonly #paths: PathCondition | undefined;
  readonly #notPaths: PathCondition | undefined;
  readonly #hosts: PatternIndex | undefined;
  readonly #notHosts: PatternIndex | undefined;
  readonly #headers: readonly HeaderCondition[];

  constructor(operation: AccessOperation, patterns: OperationPatterns, certainty: Certainty) {
    const otherwise = opposite(certainty);
    this.operation = operation;
    this.patterns = patterns;
    this.needsRequest = Object.values(patterns).some((list) => list.length > 0);
    this.#certainty = certainty;
    this.#methods = condition(TextCondition, patterns.methods, certainty);
    this.#notMethods = condition(TextCondition, patterns.notMethods, otherwise);
    this.#paths = condition(PathCondition, patterns.paths, certainty);
    this.#notPaths = condition(PathCondition, patterns.notPaths, otherwise);
    this.#hosts = indexOf(patterns.hosts.map(hostPattern));
    this.#notHosts = indexOf(patterns.notHosts.map(hostPattern));
    this.#headers = patterns.headers.map(({ header, values }) => new HeaderCondition(header, values, certainty));
  }

  isForPort(port: number): boolean {
    const { ports, notPorts } = this.operation;
    return (ports.length === 0 || ports.includes(port)) && !notPorts.includes(port);
  }

  /**
   * What keeps it from holding, ports aside: the name of a field; undefined when it holds.
   *
   * @param request undefined for bytes that are not HTTP
   */
  obstacle(request: AccessRequest | undefined): keyof AccessOperation | undefined {
    if (request === undefined)
      return this.needsRequest && this.#certainty === 'surely' ? this.#firstField() : undefined;
    if (this.#methods !== undefined && !this.#methods.holds(request.method)) return 'methods';
    if (this.#notMethods?.holds(request.method)) return 'notMethods';
    if (this.#hosts !== undefined && !isHost(request.host, this.#hosts)) return 'hosts';
    if (this.#notHosts !== undefined && isHost(request.host, this.#notHosts)) return 'notHosts';
    if (this.#paths !== undefined && !this.#paths.holds(request)) return 'paths';
    if (this.#notPaths?.holds(request)) return 'notPaths';
    return this.#headers.every((header) => header.holds(request)) ? undefined : 'headers';
  }

  #firstField(): keyof AccessOperation {
    return (Object.keys(this.patterns) as (keyof OperationPatterns)[]).find((name) => this.patterns[name].length > 0)!;
  }
}

function condition<T>(
  kind: new (patterns: readonly Pattern[], certainty: Certainty) => T,
  patterns: readonly Pattern[],
  certainty: Certainty,
): T | undefined {
  return patterns.length === 0 ? undefined : new kind(patterns, certainty);
}

/** Some frameworks ignore the case of what they look for: a refusal is found in any case, a permission in its own. */
class TextCondition {
  readonly #isFolded: boolean;
  readonly #index: PatternIndex;

  constructor(patterns: readonly Pattern[], certainty: Certainty) {
    this.#isFolded = certainty === 'may';
    this.#index = indexOf(this.#isFolded ? patterns.map(folded) : patterns)!;
  }

  holds(text: string): boolean {
    return this.#index.has(this.#isFolded ? text.toLowerCase() : text);
  }
}

class PathCondition {
  readonly #certainty: Certainty;
  readonly #index: PatternIndex;

  constructor(patterns: readonly Pattern[], certainty: Certainty) {
    this.#certainty = certainty;
    this.#index = indexOf(patterns.map((pattern) => pathPattern(pattern, certainty)))!;
  }

  holds(request: AccessRequest): boolean {
    const { readings } = request;
    if (readings === undefined) return this.#certainty === 'may';
    if (this.#certainty === 'surely') return readings.every((reading) => this.#index.has(reading));
    return request.foldedReadings.some((reading) => this.#index.has(reading));
  }
}

/** Lines that are not passed on are seen by rules that refuse, and not by those that let in. */
class HeaderCondition {
  readonly #name: string;
  readonly #isNot: boolean;
  readonly #certainty: Certainty;
  readonly #values: TextCondition | undefined;

  constructor({ name, isNot }: AccessHeader, values: readonly Pattern[], certainty: Certainty) {
    this.#name = name.toLowerCase();
    this.#isNot = isNot;
    this.#certainty = isNot ? opposite(certainty) : certainty;
    this.#values = condition(TextCondition, values, this.#certainty);
  }

  holds(request: AccessRequest): boolean {
    return this.#isThere(request) !== this.#isNot;
  }

  #isThere(request: AccessRequest): boolean {
    const lines = request.header(this.#name);
    if (this.#certainty === 'may') return lines.some(({ value }) => this.#values?.holds(value) ?? true);
    const passed = lines.filter(({ isPassedOn }) => isPassedOn);
    return passed.length > 0 && passed.every(({ value }) => this.#values?.holds(value) ?? true);
  }
}

function isHost({ name, full }: CanonicalHost, index: PatternIndex): boolean {
  return index.has(name) || index.has(full);
}

export function opposite(certainty: Certainty): Certainty {
  return certainty === 'may' ? 'surely' : 'may';
}

/** A path pattern in the spelling that readings are compared in. */
export function pathPattern({ kind, text }: Pattern, certainty: Certainty): Pattern {
  const decoded = decodePath(text);
  const plain = typeof decoded === 'string' ? decoded : text;
  return { kind, text: certainty === 'may' ? plain.toLowerCase() : plain };
}

/** Names of hosts know no case, and a dot at their end says nothing. */
export function hostPattern({ kind, text }: Pattern): Pattern {
  const lower = text.toLowerCase();
  return { kind, text: kind === 'prefix' ? lower : lower.replace(/\.(?=(:\d+)?$)/, '') };
}

function folded({ kind, text }: Pattern): Pattern {
  return { kind, text: text.toLowerCase() };
}
