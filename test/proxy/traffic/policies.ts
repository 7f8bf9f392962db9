/** Documents of traffic as workers get them, and clients that press. @module */

import { once } from 'node:events';
import http from 'node:http';
import type { PolicySettings, TrafficPolicy } from '../../../proxy/traffic/rules.ts';
import {
  type CallTarget,
  NO_TRAFFIC,
  type Origin,
  type RateLimit,
  type TrafficRules,
} from '../../../proxy/traffic/rules.ts';
import { CART, type Mesh, type ProxyUnderTest, SERVICE_PORT, WEB } from '../mesh.ts';

const ALL: CallTarget = { services: [], ports: [], routes: [], from: [] };

export function origin(kind: string, name: string): Origin {
  return { kind, namespace: 'shop', name, revision: '1', rule: '' };
}

export function policy(settings: PolicySettings, target: Partial<CallTarget> = {}): TrafficPolicy {
  return { origin: origin('TrafficPolicy', 'policy'), target: { ...ALL, ...target }, settings };
}

/** Slower than any test: what is used up stays so. */
export function limit(per: RateLimit['per'], burst: number, part: Partial<RateLimit> = {}): RateLimit {
  const target = { ...ALL, ...part.target };
  const base = { origin: origin('RateLimit', per), per, requestsPerSecond: 0.01, burst, isShadow: false };
  return { ...base, ...part, target };
}

export function target(part: Partial<CallTarget>): CallTarget {
  return { ...ALL, ...part };
}

export function tell(sides: readonly ProxyUnderTest[], mesh: Mesh, traffic: Partial<TrafficRules>): void {
  for (const { proxy } of sides) proxy.apply({ ...mesh.update({}), traffic: { ...NO_TRAFFIC, ...traffic } });
}

export interface Told {
  readonly status: number;
  readonly reason: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
}

/** One request, on a connection of its own where there is no agent. */
export async function ask(
  port: number,
  {
    path = '/',
    headers = {},
    agent = false,
  }: { path?: string; headers?: http.OutgoingHttpHeaders; agent?: http.Agent | false } = {},
): Promise<Told> {
  const request = http.get({ port, host: '127.0.0.1', path, agent, headers: { host: 'cart.shop.weft', ...headers } });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
  const reason = response.headers['weft-reason'] as string | undefined;
  return { status: response.statusCode!, reason, headers: response.headers };
}

/** A listener of node b, of a workload with this identity. */
export async function besides(mesh: Mesh, identity: string): Promise<number> {
  const id = identity === CART ? 'cart' : 'web';
  const workloads = identity === CART ? [] : [mesh.web(mesh.mint(WEB, mesh.nodeB))];
  mesh.b.proxy.apply(mesh.update({ workloads, endpoints: [mesh.endpoint()] }));
  const spec = { id: `of-${id}`, role: 'explicit', unit: 'host', workload: id, transport: 'tcp' } as const;
  return (await mesh.b.proxy.listen({ ...spec, target: { service: 'shop/cart', port: SERVICE_PORT } })).port;
}
