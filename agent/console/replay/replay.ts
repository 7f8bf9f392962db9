/**
 * Whose requests of a while would end differently under other rules: what was counted, judged under both. Access is replayed on
 * what destinations counted, routes on what callers counted. What hangs on something that was not kept is counted apart. Pure.
 * @module
 */
import type { AccessRules } from '../../../proxy/access/policy.ts';
import type { Fault, ServiceRoutes } from '../../../proxy/traffic/rules.ts';
import { AccessReplay, type AccessVerdict } from './access-replay.ts';
import { FaultReplay } from './fault-replay.ts';
import type { ObservedCall } from './observed.ts';
import type { Places } from './places.ts';
import { RouteReplay, type RouteVerdict } from './route-replay.ts';

export interface ReplayedRules {
  readonly access: AccessRules;
  readonly routes: readonly ServiceRoutes[];
  readonly faults: readonly Fault[];
}

export interface Affected {
  readonly caller: string;
  /** 'namespace/service'. */
  readonly to: string;
  readonly requests: number;
  /** Of these, how many would end differently for certain. */
  readonly changed: number;
  /** Of how many that is not known. */
  readonly unknown: number;
  /** How, a line each. */
  readonly how: readonly string[];
}

export interface ReplayedCalls {
  /** As callers counted them. */
  readonly outbound: readonly ObservedCall[];
  /** As destinations did. */
  readonly inbound: readonly ObservedCall[];
}

const MAX_LINES = 4;
const NOTHING: Change = { changedRatio: 0, unknownRatio: 0, how: '' };

/** What became of one call: shares of its requests. */
interface Change {
  readonly changedRatio: number;
  readonly unknownRatio: number;
  readonly how: string;
}

/** @param isAbout whether the change is about calls to a service: those that stay as they are are listed too */
export function replay(
  calls: ReplayedCalls,
  rules: { readonly before: ReplayedRules; readonly after: ReplayedRules },
  { places, isAbout, nowMs }: { places: Places; isAbout: (service: string) => boolean; nowMs: number },
): readonly Affected[] {
  const { before, after } = rules;
  if (before.access !== after.access) {
    const [then, now] = [before, after].map(
      ({ access }) => new AccessReplay(access, places, { nowMs, isAtAnyTime: true }),
    ) as [AccessReplay, AccessReplay];
    return summed(calls.inbound, isAbout, (call) => accessChange(then.judge(call), now.judge(call)));
  }
  if (before.faults !== after.faults) {
    const [then, now] = [new FaultReplay(before.faults, places, nowMs), new FaultReplay(after.faults, places, nowMs)];
    return summed(calls.outbound, isAbout, (call) => routeChange(then.judge(call), now.judge(call)));
  }
  const [then, now] = [new RouteReplay(before.routes, places), new RouteReplay(after.routes, places)];
  const routed = new Set([...before.routes, ...after.routes].map(({ service }) => service));
  const changed = [...routed].filter((service) => then.textOf(service) !== now.textOf(service));
  const behind = new Set(changed.flatMap((service) => then.backendsOf(service).filter((one) => one !== service)));
  return summed(
    calls.outbound,
    (service) => isAbout(service) || behind.has(service),
    (call) => {
      const change = routeChange(then.judge(call), now.judge(call));
      if (change.changedRatio > 0 || !behind.has(call.destination)) return change;
      const how = `calls that came by way of ${changed.join(', ')} are counted among these`;
      return { changedRatio: 0, unknownRatio: 1, how };
    },
  );
}

function accessChange(before: AccessVerdict, after: AccessVerdict): Change {
  if (before.outcome === after.outcome && (before.outcome !== 'unknown' || before.grounds === after.grounds))
    return NOTHING;
  if (before.outcome === 'unknown' || after.outcome === 'unknown')
    return { changedRatio: 0, unknownRatio: 1, how: `it hangs on what was not kept: ${ruleNames(before, after)}` };
  const how = after.outcome === 'denied' ? `denied, status 403: ${ruleNames(after)}` : `let in: ${ruleNames(after)}`;
  return { changedRatio: 1, unknownRatio: 0, how };
}

function ruleNames(...verdicts: readonly AccessVerdict[]): string {
  const names = verdicts.flatMap(({ rules }) =>
    rules.map(({ policy, rule }) => (policy === '' ? OTHERWISE[rule] : `${policy} rule ${rule}`)),
  );
  const some = [...new Set(names.filter((name) => name !== undefined))];
  return some.length === 0 ? 'no endpoint is known' : some.slice(0, MAX_LINES).join(', ');
}

/** What decides where no rule does. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'no-allow': 'no rule lets it in',
  default: 'the default of MeshConfig',
  strict: 'plaintext, at a port that takes none',
};

function routeChange(before: RouteVerdict, after: RouteVerdict): Change {
  if (before.grounds === after.grounds) return NOTHING;
  if (before.ends === undefined || after.ends === undefined)
    return { changedRatio: 0, unknownRatio: 1, how: 'it hangs on headers, parameters or paths that were not kept' };
  const moved = [...after.ends].map(([end, ratio]) => [end, ratio - (before.ends!.get(end) ?? 0)] as const);
  const gained = moved.filter(([, ratio]) => ratio > 1e-9);
  const changedRatio = Math.min(
    1,
    gained.reduce((sum, [, ratio]) => sum + ratio, 0),
  );
  if (changedRatio > 0) return { changedRatio, unknownRatio: 0, how: gained.map(([end]) => end).join(', ') };
  if (before.handling === after.handling) return NOTHING;
  return {
    changedRatio: 0,
    unknownRatio: 1,
    how: 'they go where they went; timeouts, retries, mirrors, edits or delays would be others',
  };
}

function summed(
  calls: readonly ObservedCall[],
  isAbout: (service: string) => boolean,
  changeOf: (call: ObservedCall) => Change,
): readonly Affected[] {
  const found = new Map<
    string,
    { caller: string; to: string; requests: number; changed: number; unknown: number; how: Set<string> }
  >();
  for (const call of calls) {
    const { caller, destination: to, count } = call;
    if (count === 0) continue;
    const { changedRatio, unknownRatio, how } = changeOf(call);
    if (changedRatio === 0 && unknownRatio === 0 && !isAbout(to)) continue;
    const key = `${caller} ${to}`;
    const one = found.get(key) ?? { caller, to, requests: 0, changed: 0, unknown: 0, how: new Set<string>() };
    found.set(key, one);
    one.requests += count;
    one.changed += count * changedRatio;
    one.unknown += count * unknownRatio;
    if (how !== '' && one.how.size < MAX_LINES) one.how.add(how);
  }
  return [...found.values()]
    .map((one) => ({ ...one, changed: Math.round(one.changed), unknown: Math.round(one.unknown), how: [...one.how] }))
    .sort((a, b) => b.changed - a.changed || b.unknown - a.unknown || b.requests - a.requests);
}
