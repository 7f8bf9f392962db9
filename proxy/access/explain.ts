/**
 * Why a call is let in or not, policy by policy: what `weft explain` prints.
 *
 * Built from the same compiled rules as the decision itself, but looks at every one of them and says what kept it from
 * holding. A property test holds the two to the same answer.
 * @module
 */

import { type AccessInForce, type AccessLabels, AccessRuleset, type CompiledPolicy } from './compile.ts';
import {
  type AccessDestination,
  accessTo,
  type BoundRule,
  bindRule,
  type Decision,
  isObserver,
  otherwise,
  targetObstacle,
} from './destination.ts';
import { type AccessCaller, type AccessPeer, peerOf } from './peer.ts';
import type { AccessOperation, AccessRules, AccessSource, AccessTarget } from './policy.ts';
import { type AccessRequest, DescribedRequest } from './request.ts';

export interface AccessQuery {
  readonly caller: AccessCaller;
  readonly destination: AccessDestination;
  /** 'opaque' for bytes that are not HTTP; 'any' for what can be said of HTTP without a request. */
  readonly request:
    | 'opaque'
    | 'any'
    | {
        readonly method: string;
        readonly path: string;
        readonly host: string;
        readonly headers: readonly (readonly [name: string, value: string])[];
      };
  readonly nowMs: number;
}

export interface AccessExplanation {
  /** 'depends': requests of this caller are told apart by rules that `policies` shows as 'depends'. */
  readonly outcome: 'allowed' | 'denied' | 'depends';
  readonly cause: Decision['cause'] | undefined;
  /** The rule that decides; undefined where no single rule does. */
  readonly decidedBy: AccessLabels | undefined;
  /** Why no rule about paths could be held against the path. */
  readonly unreadablePath: string | undefined;
  /** Every policy there is, sorted by id. */
  readonly policies: readonly PolicyTrace[];
}

export interface PolicyTrace {
  readonly policy: string;
  readonly revision: string;
  readonly action: AccessLabels['action'];
  readonly isDryRun: boolean;
  /** What keeps the whole policy from counting here. */
  readonly obstacle: 'not-valid-now' | `target.${keyof AccessTarget}` | undefined;
  /** Empty where there is an obstacle. */
  readonly rules: readonly RuleTrace[];
}

export interface RuleTrace {
  readonly rule: string;
  readonly outcome: 'decides' | 'holds' | 'depends' | 'no-match';
  /** Fields that keep it from holding, one for each alternative of the rule: 'when', 'from[0].identities', 'to[1].paths'. */
  readonly obstacles: readonly string[];
}

/** @throws AccessError for rules that cannot be compiled */
export function explainAccess(rules: AccessRules, query: AccessQuery): AccessExplanation {
  return explain(new AccessRuleset(rules).at(query.nowMs), query);
}

export function explain(inForce: AccessInForce, query: AccessQuery): AccessExplanation {
  const { destination } = query;
  const peer = peerOf(query.caller);
  const request = typeof query.request === 'object' ? new DescribedRequest(query.request) : query.request;
  const decision = decide(inForce, destination, peer, request);
  const { policies } = inForce.ruleset;
  return {
    outcome: decision === undefined ? 'depends' : decision.isAllowed ? 'allowed' : 'denied',
    cause: decision?.cause,
    decidedBy: decision === undefined || decision.labels.policy === '' ? undefined : decision.labels,
    unreadablePath: typeof request === 'object' ? request.unreadable : undefined,
    policies: policies.map((policy) => tracePolicy(policy, inForce, { destination, peer, request, decision })),
  };
}

type Asked = AccessRequest | 'opaque' | 'any';

/** @returns undefined where it depends on the request */
function decide(
  inForce: AccessInForce,
  destination: AccessDestination,
  peer: AccessPeer,
  request: Asked,
): Decision | undefined {
  const caller = accessTo(destination, inForce)?.caller(peer);
  if (caller === undefined) return otherwise(false, 'ALLOW');
  if (request === 'opaque') return caller.opaque;
  return request === 'any' ? caller.settled : caller.judge(request);
}

interface Traced {
  readonly destination: AccessDestination;
  readonly peer: AccessPeer;
  readonly request: Asked;
  readonly decision: Decision | undefined;
}

function tracePolicy(compiled: CompiledPolicy, inForce: AccessInForce, traced: Traced): PolicyTrace {
  const { id, revision, action, isDryRun, target } = compiled.policy;
  const unmet = targetObstacle(target, traced.destination);
  let obstacle: PolicyTrace['obstacle'];
  if (!inForce.hasPolicy(compiled)) obstacle = 'not-valid-now';
  else if (unmet !== undefined) obstacle = `target.${unmet}`;
  const rules = compiled.rules.map((rule): RuleTrace => {
    const bound = bindRule(rule, traced.destination.port);
    const name = rule.labels.rule;
    if (!inForce.hasRule(rule)) return { rule: name, outcome: 'no-match', obstacles: ['when'] };
    if (bound === undefined) return { rule: name, outcome: 'no-match', obstacles: ['to.ports'] };
    return { rule: name, ...traceRule(bound, traced) };
  });
  return { policy: id, revision, action, isDryRun, obstacle, rules: obstacle === undefined ? rules : [] };
}

function traceRule(bound: BoundRule, { peer, request, decision }: Traced): Omit<RuleTrace, 'rule'> {
  const { sources, labels } = bound.compiled;
  const unmetSources = sources.map((source) => source.obstacle(peer));
  if (sources.length > 0 && !unmetSources.includes(undefined))
    return {
      outcome: 'no-match',
      obstacles: unmetSources.map((field, i) => `from[${i}].${field as keyof AccessSource}`),
    };
  if (!bound.isUnconditional) {
    if (request === 'any') return { outcome: 'depends', obstacles: [] };
    const unmet = bound.operations.map((operation) => operation.obstacle(request === 'opaque' ? undefined : request));
    if (!unmet.includes(undefined)) {
      const all = bound.compiled.operations;
      const obstacles = unmet.map(
        (field, i) => `to[${all.indexOf(bound.operations[i]!)}].${field as keyof AccessOperation}`,
      );
      return { outcome: 'no-match', obstacles };
    }
  }
  const isDecisive = !isObserver(labels) && decision?.labels === labels;
  return { outcome: isDecisive ? 'decides' : 'holds', obstacles: [] };
}
