/** What becomes of a route at each of its parents, in the form of the Gateway API. @module */
import type { ParentRef } from './compiled.ts';

export const CONTROLLER = 'weft.dev/agent';

export interface Condition {
  readonly type: 'Accepted' | 'ResolvedRefs' | 'PartiallyInvalid' | 'Overridden';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

export interface ParentStatus {
  readonly parentRef: ParentRef;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

/** Why something is not so: a reason of the Gateway API, and words for people. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
}

export interface Findings {
  /** Why it is attached nowhere. */
  readonly refused: Problem | undefined;
  /** What it holds less than it asks for. */
  readonly remarks: readonly string[];
  readonly refs: readonly Problem[];
  /** Rules that cannot be what they say. */
  readonly invalidRules: readonly string[];
  /** Others that go before it, and for whom. */
  readonly overriddenBy: readonly string[];
}

const MAX_MESSAGE = 1_024;

export function parentStatus(parentRef: ParentRef, findings: Findings): ParentStatus {
  const { refused, remarks, refs, invalidRules, overriddenBy } = findings;
  const conditions: Condition[] = [
    refused === undefined
      ? condition('Accepted', 'True', 'Accepted', remarks)
      : condition('Accepted', 'False', refused.reason, [refused.message]),
    refs.length === 0
      ? condition('ResolvedRefs', 'True', 'ResolvedRefs', [])
      : condition('ResolvedRefs', 'False', refs[0]!.reason, [...new Set(refs.map(({ message }) => message))]),
  ];
  if (invalidRules.length > 0) conditions.push(condition('PartiallyInvalid', 'True', 'UnsupportedValue', invalidRules));
  if (overriddenBy.length > 0) conditions.push(condition('Overridden', 'True', 'Overridden', overriddenBy));
  return { parentRef, controllerName: CONTROLLER, conditions };
}

/** One line: `accepted`, or what is wrong first. */
export function conditionsText(parents: readonly ParentStatus[]): string {
  if (parents.length === 0) return 'no parent is a Service';
  const all = parents.flatMap(({ conditions }) => conditions);
  const wrong = all.filter(
    ({ type, status }) => (status === 'False') === (type === 'Accepted' || type === 'ResolvedRefs'),
  );
  if (wrong.length === 0) return 'accepted';
  return [...new Set(wrong.map(({ reason, message }) => `${reason}: ${message}`))].join('; ');
}

function condition(
  type: Condition['type'],
  status: Condition['status'],
  reason: string,
  messages: readonly string[],
): Condition {
  return { type, status, reason, message: messages.join('; ').slice(0, MAX_MESSAGE) };
}
