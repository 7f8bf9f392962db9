/** Which settings hold for calls from one place to another: `weft get trafficpolicy --effective`. Pure. @module */
import type { Resolved } from '../../access/resolve.ts';
import { routeId } from '../attach.ts';
import { resolveDialled, settingsFor, type TrafficWorld } from './dialled.ts';
import { OF_ENDPOINTS, OF_REQUEST, ruleSettingViews, settingViews } from './settings.ts';
import type { EffectiveView } from './views.ts';

export interface EffectiveQuestion {
  readonly from: string;
  readonly to: string;
  /** 'Kind/namespace/name'. */
  readonly route: string | undefined;
}

export function effectiveSettings(
  { from, to, route }: EffectiveQuestion,
  world: TrafficWorld,
): Resolved<EffectiveView> {
  const found = resolveDialled(from, to, world);
  if (!found.ok) return found;
  const rules = world.rules.routes.flatMap((routes) =>
    routes.http.filter(({ origin }) => routeId(origin) === route).map((rule) => ({ rule, routes })),
  );
  if (route !== undefined && !rules.some(({ routes }) => found.value.some((call) => isAt(routes, call)))) {
    const problem = `route: ${route} is no HTTPRoute or GRPCRoute in use here that is about ${to}; weft get httproute shows what there is`;
    return { ok: false, problem };
  }
  const calls = new Map(found.value.map((call) => [`${call.service}:${call.port}`, call]));
  return {
    ok: true,
    value: {
      node: world.node,
      from: found.value[0]!.caller.identity ?? from,
      calls: [...calls].map(([name, call]) => {
        const effective = settingsFor(world, call, route);
        const own = rules.filter(({ routes }) => isAt(routes, call));
        return {
          to: name,
          settings: [...settingViews(effective, OF_REQUEST), ...settingViews(settingsFor(world, call), OF_ENDPOINTS)],
          rules: own.map(({ rule }) => ({ rule: rule.origin.rule, settings: ruleSettingViews(rule, effective) })),
        };
      }),
    },
  };
}

interface At {
  readonly service: string;
  readonly port: number;
}

function isAt(a: At, b: At): boolean {
  return a.service === b.service && a.port === b.port;
}
