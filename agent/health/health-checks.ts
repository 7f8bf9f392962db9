/** Which check the policies in force ask for, endpoint by endpoint. @module */
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import { PolicyBook } from '../../proxy/resilience/effective.ts';
import type { HealthCheck, TrafficPolicy } from '../../proxy/traffic/rules.ts';

/** Nobody in particular: policies with a check name no callers. */
const CALLER = { identity: undefined, namespace: undefined, addressBits: undefined, labels: [] };

type Asked = Pick<Endpoint, 'namespace' | 'service' | 'servicePort'>;

/** @returns undefined where no policy asks for any, which costs nothing then */
export function healthCheckOf(
  policies: readonly TrafficPolicy[],
): ((endpoint: Asked) => HealthCheck | undefined) | undefined {
  const asking = policies.filter(({ settings }) => settings.healthCheck !== undefined);
  if (asking.length === 0) return undefined;
  const book = new PolicyBook(asking);
  const known = new Map<string, HealthCheck | undefined>();
  return ({ namespace, service, servicePort: port }) => {
    const key = `${namespace}/${service}:${port}`;
    if (known.has(key)) return known.get(key);
    const check = book.effective({ namespace, service, port, caller: CALLER }).settings.healthCheck;
    known.set(key, check === 'off' ? undefined : check);
    return known.get(key);
  };
}
