/** Limits and faults that a request falls under. Pure. @module */
import { TargetMatcher } from '../../../proxy/resilience/targets.ts';
import { compileConditions } from '../../../proxy/routing/conditions.ts';
import type { RouteRequest } from '../../../proxy/routing/request.ts';
import type { Fault, RateLimit } from '../../../proxy/traffic/rules.ts';
import { type Dialled, type TrafficWorld, targeted } from './dialled.ts';
import { lengthOfTime, sourceOf } from './settings.ts';
import type { FaultView, LimitView } from './views.ts';

/** @param route 'Kind/namespace/name' that the request takes @param backends where it may go */
export function limitViews(
  call: Dialled,
  route: string | undefined,
  backends: readonly { readonly service: string; readonly port: number }[],
  { rules }: TrafficWorld,
): readonly LimitView[] {
  const holds = ({ target, origin }: RateLimit, to: Pick<Dialled, 'service' | 'port'>): boolean =>
    new TargetMatcher(target, origin).holds(targeted({ peer: call.peer, ...to }, route));
  return rules.limits.flatMap((limit): readonly LimitView[] => {
    const { origin, requestsPerSecond, burst, per, isShadow } = limit;
    const at = per === 'target' || per === 'route' ? 'caller' : 'destination';
    if (!(at === 'caller' ? [call] : backends).some((to) => holds(limit, to))) return [];
    return [{ source: sourceOf(origin), requestsPerSecond, burst, per, isShadow, at }];
  });
}

export function faultViews(
  call: Dialled,
  route: string | undefined,
  request: RouteRequest,
  { rules, nowMs }: TrafficWorld,
): readonly FaultView[] {
  const hit = rules.faults.filter(({ target, origin, headers, untilMs }) => {
    const conditions = compileConditions({ headers, query: [], cookies: [], sources: [] });
    return (
      nowMs < untilMs &&
      new TargetMatcher(target, origin).holds(targeted(call, route)) &&
      conditions.every((condition) => condition.holds(request, call.peer))
    );
  });
  return hit.map((fault, i) => ({
    source: sourceOf(fault.origin),
    effects: effectsOf(fault),
    until: new Date(fault.untilMs).toISOString(),
    isFirst: i === 0,
  }));
}

function effectsOf({ delay, abort, reset, bandwidth }: Fault): readonly string[] {
  return [
    ...(delay === undefined ? [] : [`${lengthOfTime(delay.ms)} of delay for ${delay.percent} %`]),
    ...(abort === undefined ? [] : [`status ${abort.status} for ${abort.percent} %`]),
    ...(reset === undefined ? [] : [`a reset for ${reset.percent} %`]),
    ...(bandwidth === undefined ? [] : [`${bandwidth.bytesPerSecond} bytes a second for ${bandwidth.percent} %`]),
  ];
}
