/**
 * The rules about one destination, and what is left of them for one caller.
 *
 * Most of a rule is settled when a connection is made: destination, port, identity, namespace, address, labels. What is
 * left is asked for each request, and where nothing is left the answer is ready.
 * @module
 */

import { CallerIndex } from './caller-index.ts';
import type { AccessInForce, AccessLabels, CompiledPolicy, CompiledRule } from './compile.ts';
import type { AccessPeer } from './peer.ts';
import type { AccessTarget } from './policy.ts';
import type { AccessRequest } from './request.ts';
import { type ResidualRule, ResidualRules } from './residual.ts';

/** A port of a local workload. */
export interface AccessDestination {
  readonly namespace: string;
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where the application listens. */
  readonly port: number;
}

export interface Decision {
  readonly isAllowed: boolean;
  /** 'no-allow': ALLOW policies are about this destination, and none of them holds. */
  readonly cause: 'deny' | 'allow' | 'no-allow' | 'default';
  /** The rule that decides. */
  readonly labels: AccessLabels;
  /** What holds as well and decides nothing: AUDIT, and what is in dry run. */
  readonly observed: readonly AccessLabels[];
}

const NOTHING: readonly AccessLabels[] = [];
const NO_ALLOW: AccessLabels = { policy: '', rule: 'no-allow', action: 'DENY', isDryRun: false };
/** An ALLOW in dry run would close the destination to whom it does not name. */
export const DRY_RUN_NO_ALLOW: AccessLabels = { ...NO_ALLOW, isDryRun: true };
/** Callers that fall under the same rules share one object; there are rarely more than a handful of them. */
const MAX_CALLERS = 1_024;

/** A rule that is about this destination. */
export interface BoundRule extends ResidualRule {
  readonly compiled: CompiledRule;
  /** Whether it holds whatever the request. */
  readonly isUnconditional: boolean;
  /** What it decides; never used for one that only observes. */
  readonly decision: Decision;
}

/** @returns the field of the target that is not met; undefined for a policy that is about this destination */
export function targetObstacle(target: AccessTarget, destination: AccessDestination): keyof AccessTarget | undefined {
  if (target.namespace !== undefined && target.namespace !== destination.namespace) return 'namespace';
  if (target.services.length > 0 && !target.services.includes(destination.service)) return 'services';
  const { labels } = destination;
  const isLabelled = Object.entries(target.labels).every(
    ([name, value]) => Object.hasOwn(labels, name) && labels[name] === value,
  );
  return isLabelled ? undefined : 'labels';
}

/** @returns undefined for a rule that is about other ports */
export function bindRule(compiled: CompiledRule, port: number): BoundRule | undefined {
  const { operations: all, labels } = compiled;
  const operations = all.filter((operation) => operation.isForPort(port));
  if (all.length > 0 && operations.length === 0) return undefined;
  const isAllowed = labels.action === 'ALLOW';
  return {
    compiled,
    operations,
    isUnconditional: operations.length === 0 || operations.some(({ needsRequest }) => !needsRequest),
    decision: { isAllowed, cause: isAllowed ? 'allow' : 'deny', labels, observed: NOTHING },
  };
}

/**
 * @param known what was made before for the same `inForce`: destinations under the same rules share it
 * @returns undefined where nobody has anything to say about this destination and the default lets in
 */
export function accessTo(
  destination: AccessDestination,
  inForce: AccessInForce,
  known = new Map<string, DestinationAccess>(),
): DestinationAccess | undefined {
  const { policies, source } = inForce.ruleset;
  const about = policies.filter(
    (policy) => inForce.hasPolicy(policy) && targetObstacle(policy.policy.target, destination) === undefined,
  );
  if (about.length === 0 && source.defaultAction === 'ALLOW') return undefined;
  const key = `${destination.port} ${about.map(({ policy }) => policy.id).join(' ')}`;
  const access = known.get(key) ?? new DestinationAccess(about, destination.port, inForce);
  known.set(key, access);
  return access;
}

/** What decides when no rule does. */
interface Otherwise {
  readonly decision: Decision;
  /** Whether an ALLOW in dry run is about this destination. */
  readonly hasDryAllow: boolean;
}

export class DestinationAccess {
  /** Rules about anybody, which are left for every caller. */
  readonly #anybody: readonly BoundRule[];
  readonly #callers: CallerIndex<BoundRule>;
  readonly #otherwise: Otherwise;
  /** By the rules that are left, as text. */
  readonly #known = new Map<string, CallerAccess>();

  constructor(policies: readonly CompiledPolicy[], port: number, inForce: AccessInForce) {
    const bound = policies.flatMap(({ rules }) =>
      rules.flatMap((rule) => (inForce.hasRule(rule) ? (bindRule(rule, port) ?? []) : [])),
    );
    this.#anybody = bound.filter(({ compiled }) => compiled.sources.length === 0);
    this.#callers = new CallerIndex(bound.filter(({ compiled }) => compiled.sources.length > 0));
    const allows = policies.filter(({ policy }) => policy.action === 'ALLOW');
    const { defaultAction } = inForce.ruleset.source;
    this.#otherwise = {
      decision: otherwise(
        allows.some(({ policy }) => !policy.isDryRun),
        defaultAction,
      ),
      hasDryAllow: allows.some(({ policy }) => policy.isDryRun),
    };
  }

  /** What is left for a caller. Once a connection, not once a request. */
  caller(peer: AccessPeer): CallerAccess {
    const left = this.#callers.find(peer);
    const key = left.map(({ compiled }) => compiled.position).join();
    let caller = this.#known.get(key);
    if (caller === undefined) {
      if (this.#known.size >= MAX_CALLERS) this.#known.delete(this.#known.keys().next().value!);
      const rules = [...this.#anybody, ...left].sort((a, b) => a.compiled.position - b.compiled.position);
      caller = new CallerAccess(rules, this.#otherwise);
      this.#known.set(key, caller);
    }
    return caller;
  }
}

/** The decision where no rule holds that decides. */
export function otherwise(hasAllow: boolean, defaultAction: 'ALLOW' | 'DENY'): Decision {
  if (hasAllow) return { isAllowed: false, cause: 'no-allow', labels: NO_ALLOW, observed: NOTHING };
  const labels: AccessLabels = { policy: '', rule: 'default', action: defaultAction, isDryRun: false };
  return { isAllowed: defaultAction === 'ALLOW', cause: 'default', labels, observed: NOTHING };
}

export class CallerAccess {
  /** For bytes that are not HTTP. */
  readonly opaque: Decision;
  /** For every request, where none can change it; else `judge` says. */
  readonly constant: Decision | undefined;
  readonly #denies: ResidualRules<BoundRule>;
  readonly #allows: ResidualRules<BoundRule>;
  readonly #audits: ResidualRules<BoundRule>;
  readonly #dryAllows: ResidualRules<BoundRule>;
  /** What is decided before the request is looked at, if it is; observers aside. */
  readonly settled: Decision | undefined;
  /** What is decided if no DENY holds; undefined where an ALLOW must be looked for first. */
  readonly #afterDenies: Decision | undefined;
  readonly #otherwise: Otherwise;
  /** Observers that hold whatever the request. */
  readonly #always: readonly AccessLabels[];
  readonly #seen: BoundRule[] = [];

  constructor(rules: readonly BoundRule[], otherwiseDecision: Otherwise) {
    this.#otherwise = otherwiseDecision;
    const deciding = rules.filter(({ compiled: { labels } }) => !isObserver(labels));
    const observing = rules.filter(({ compiled: { labels } }) => isObserver(labels));
    const denies = deciding.filter(({ compiled }) => compiled.labels.action === 'DENY');
    const allows = deciding.filter(({ compiled }) => compiled.labels.action === 'ALLOW');
    const isConditional = (rule: BoundRule): boolean => !rule.isUnconditional;
    const anyDeny = denies.find(({ isUnconditional }) => isUnconditional);
    const anyAllow = allows.find(({ isUnconditional }) => isUnconditional);
    this.#denies = new ResidualRules(anyDeny === undefined ? denies.filter(isConditional) : [], 'may');
    this.#allows = new ResidualRules(anyAllow === undefined ? allows.filter(isConditional) : [], 'surely');
    const residual = observing.filter(isConditional);
    this.#audits = new ResidualRules(
      residual.filter(({ compiled }) => compiled.labels.action !== 'ALLOW'),
      'may',
    );
    this.#dryAllows = new ResidualRules(
      residual.filter(({ compiled }) => compiled.labels.action === 'ALLOW'),
      'surely',
    );
    this.#always = observing.filter(({ isUnconditional }) => isUnconditional).map(({ compiled }) => compiled.labels);
    if (anyAllow !== undefined) this.#afterDenies = anyAllow.decision;
    else this.#afterDenies = this.#allows.isEmpty ? this.#otherwise.decision : undefined;
    this.settled = anyDeny?.decision ?? (this.#denies.isEmpty ? this.#afterDenies : undefined);
    const isSettled = this.settled !== undefined && this.#audits.isEmpty && this.#dryAllows.isEmpty;
    this.constant = isSettled ? this.#observing(this.settled!, this.#always) : undefined;
    const observed = observing
      .filter(({ isUnconditional, compiled }) => isUnconditional || compiled.labels.action !== 'ALLOW')
      .map(({ compiled }) => compiled.labels);
    const opaque = denies[0]?.decision ?? (anyAllow ?? this.#otherwise).decision;
    this.opaque = this.#observing(opaque, observed);
  }

  judge(request: AccessRequest): Decision {
    if (this.constant !== undefined) return this.constant;
    const decision = this.settled ?? this.#decide(request);
    if (this.#audits.isEmpty && this.#dryAllows.isEmpty) return this.#observing(decision, this.#always);
    const seen = this.#seen;
    seen.length = 0;
    this.#audits.all(request, seen);
    this.#dryAllows.all(request, seen);
    return this.#observing(decision, [...this.#always, ...seen.map(({ compiled }) => compiled.labels)]);
  }

  #decide(request: AccessRequest): Decision {
    const deny = this.#denies.first(request);
    if (deny !== undefined) return deny.decision;
    return this.#afterDenies ?? (this.#allows.first(request) ?? this.#otherwise).decision;
  }

  #observing(decision: Decision, observed: readonly AccessLabels[]): Decision {
    const isShut =
      this.#otherwise.hasDryAllow &&
      decision.isAllowed &&
      decision.cause !== 'allow' &&
      !observed.some(({ action }) => action === 'ALLOW');
    if (observed.length === 0 && !isShut) return decision;
    return { ...decision, observed: isShut ? [...observed, DRY_RUN_NO_ALLOW] : observed };
  }
}

export function isObserver({ action, isDryRun }: AccessLabels): boolean {
  return isDryRun || action === 'AUDIT';
}
