/**
 * Access rules on a node whose clock is not to be believed.
 *
 * A rule with a time is not evaluated there; what it might do to let in, it does not, and what it might do to refuse, it
 * does: a window of an ALLOW is closed, that of a DENY open. Instants so far away that the error of the clock changes
 * nothing still count, so that a policy that ends next year is no outage today.
 * @module
 */
import type { AccessPolicy, AccessRule, AccessRules } from '../../proxy/access/policy.ts';

/** A node whose clock is off by more than this evaluates no time rules. */
export const MAX_SKEW_MS = 5_000;
/** Between two looks at the clock an instant may come near. */
const MARGIN_MS = 120_000;

export function hasTimeRules({ policies, permissive }: AccessRules): boolean {
  return permissive.length > 0 || policies.some(isTimed);
}

/**
 * The rules with every question of time answered to the side that refuses.
 *
 * @param nowMs by this node's clock
 * @param skewMs how far that is off
 */
export function withoutClock(rules: AccessRules, nowMs: number, skewMs: number): AccessRules {
  const isDoubtful = (instantMs: number | undefined): boolean =>
    instantMs !== undefined && Math.abs(instantMs - nowMs) <= Math.abs(skewMs) + MARGIN_MS;
  return {
    defaultAction: rules.defaultAction,
    policies: rules.policies.map((policy) => (isTimed(policy) ? settled(policy, isDoubtful) : policy)),
    permissive: rules.permissive.filter(({ untilMs }) => !isDoubtful(untilMs)),
  };
}

function isTimed({ validFromMs, validUntilMs, rules }: AccessPolicy): boolean {
  return validFromMs !== undefined || validUntilMs !== undefined || rules.some(({ when }) => when.length > 0);
}

function settled(policy: AccessPolicy, isDoubtful: (instantMs: number | undefined) => boolean): AccessPolicy {
  const { validFromMs, validUntilMs, ...rest } = policy;
  const isInDoubt = isDoubtful(validFromMs) || isDoubtful(validUntilMs);
  const keepFrom = validFromMs !== undefined && !isDoubtful(validFromMs);
  const keepUntil = validUntilMs !== undefined && !isDoubtful(validUntilMs);
  const lettingIn = policy.action === 'ALLOW';
  return {
    ...rest,
    ...(keepFrom ? { validFromMs } : {}),
    ...(keepUntil ? { validUntilMs } : {}),
    // Without a rule an ALLOW lets nobody in, and what it is about stays closed.
    rules: lettingIn && isInDoubt ? [] : policy.rules.flatMap((rule) => settledRule(rule, lettingIn)),
  };
}

function settledRule(rule: AccessRule, lettingIn: boolean): readonly AccessRule[] {
  if (rule.when.length === 0) return [rule];
  return lettingIn ? [] : [{ ...rule, when: [] }];
}
