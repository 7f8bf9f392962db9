/** What this node knows that decides where requests go, gathered at the moment it is asked. @module */
import { healthKey, standingOf } from '../../../proxy/resilience/endpoint-health.ts';
import type { AccessKeeper } from '../../access/access-keeper.ts';
import { explainWorld } from '../../access/explain-world.ts';
import type { Running } from '../../running.ts';
import type { TrafficKeeper } from '../traffic-keeper.ts';
import type { TrafficWorld } from './dialled.ts';

export function trafficWorld(
  running: Pick<Running, 'node' | 'config' | 'services' | 'enrolment' | 'plane'>,
  access: AccessKeeper,
  traffic: TrafficKeeper,
): TrafficWorld {
  const { register, node, nowMs } = explainWorld(running, access);
  const { shared } = running.plane;
  return {
    node,
    zone: running.config.zone,
    register,
    rules: traffic.rules,
    services: running.services.services(),
    endpoints: running.services.endpoints(),
    standing: (endpointId) => {
      const slot = shared.peek(healthKey(endpointId));
      return slot === undefined ? undefined : standingOf(slot, shared.nowMs());
    },
    nowMs,
  };
}
