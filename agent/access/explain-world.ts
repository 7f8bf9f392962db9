/** What this node knows that decides about calls, gathered at the moment it is asked. @module */
import type { Running } from '../running.ts';
import type { AccessKeeper } from './access-keeper.ts';
import type { ExplainWorld } from './explain.ts';
import type { Place } from './resolve.ts';

export function explainWorld(
  { node, services, enrolment }: Pick<Running, 'node' | 'services' | 'enrolment'>,
  access: AccessKeeper,
): ExplainWorld {
  const local = enrolment.view().map(({ workload, identity, address }): Place => {
    const { namespace, service, name, labels } = workload;
    return { namespace, service, workload: name, identity, address, labels };
  });
  return {
    node: node.name,
    register: { trustDomain: node.trustDomain, ports: services.endpoints(), local, services: services.services() },
    rules: access.rules,
    clockSkewMs: access.skewMs,
    nowMs: Date.now(),
  };
}
