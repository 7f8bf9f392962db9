/** Which port of which service somebody means by the far end of a call, and who by the near one. Pure. @module */
import { isIP } from 'node:net';
import { type AccessPeer, peerOf } from '../../../proxy/access/peer.ts';
import { type Effective, PolicyBook } from '../../../proxy/resilience/effective.ts';
import type { Standing } from '../../../proxy/resilience/endpoint-health.ts';
import type { TargetedCall } from '../../../proxy/resilience/targets.ts';
import type { Endpoint, Service } from '../../../proxy/snapshot.ts';
import type { TrafficRules } from '../../../proxy/traffic/rules.ts';
import {
  type Caller,
  type Register,
  type Resolved,
  resolveCaller,
  resolveDestination,
  splitPort,
} from '../../access/resolve.ts';

/** What this node knows that decides where a request goes. */
export interface TrafficWorld {
  readonly node: string;
  readonly zone: string;
  readonly register: Register;
  readonly rules: TrafficRules;
  readonly services: readonly Service[];
  readonly endpoints: readonly Endpoint[];
  /** Of an endpoint; undefined where the workers have nothing to do with it. */
  readonly standing: (endpointId: string) => Standing | undefined;
  readonly nowMs: number;
}

/** Calls of one caller to one port. */
export interface Dialled {
  readonly caller: Caller;
  readonly peer: AccessPeer;
  /** 'namespace/service'. */
  readonly service: string;
  readonly port: number;
  readonly protocol: string;
  /** Set where not the service was dialled but one of its endpoints: routes are not about such calls. */
  readonly endpointId: string | undefined;
}

/** @param to as `weft explain` takes it; also a service without an endpoint of its own, which routes may lead elsewhere */
export function resolveDialled(from: string, to: string, world: TrafficWorld): Resolved<readonly Dialled[]> {
  const resolved = resolveCaller(from, world.register);
  if (!resolved.ok) return { ok: false, problem: `from: ${resolved.problem}` };
  const caller = resolved.value;
  const peer = peerOf(caller);
  const { host, port } = splitPort(to);
  const [service, ...others] = servicesNamed(host, caller.namespace, world);
  const ports = service?.ports.filter((one) => port === undefined || one.port === port) ?? [];
  if (service !== undefined && others.length === 0 && ports.length > 0) {
    const dialled = ports.map((one): Dialled => {
      return { caller, peer, service: service.id, port: one.port, protocol: one.protocol, endpointId: undefined };
    });
    return { ok: true, value: dialled };
  }
  const found = resolveDestination(to, world.register, caller.namespace);
  if (!found.ok) return { ok: false, problem: `to: ${found.problem}` };
  return {
    ok: true,
    value: found.value.map(({ id, namespace, service, servicePort, protocol }) => ({
      caller,
      peer,
      service: `${namespace}/${service}`,
      port: servicePort,
      protocol,
      endpointId: id,
    })),
  };
}

/** The policies in force, asked for a call. */
export function settingsFor(
  { rules }: TrafficWorld,
  call: Pick<Dialled, 'peer' | 'service' | 'port'>,
  route?: string,
): Effective {
  return new PolicyBook(rules.policies).effective(targeted(call, route));
}

export function targeted(
  { peer, service, port }: Pick<Dialled, 'peer' | 'service' | 'port'>,
  route?: string,
): TargetedCall {
  const slash = service.indexOf('/');
  return { namespace: service.slice(0, slash), service: service.slice(slash + 1), port, route, caller: peer };
}

/** `cart`, `shop/cart`, `cart.shop.weft`, or a virtual address. A bare name is looked for in the caller's namespace first. */
function servicesNamed(host: string, nearby: string, { services }: TrafficWorld): readonly Service[] {
  if (isIP(host) !== 0) return services.filter(({ vips }) => vips.includes(host));
  const [, name, namespace] = /^([^.]+)\.([^.]+)\.weft\.?$/.exec(host) ?? [];
  const id = name === undefined ? host : `${namespace}/${name}`;
  if (id.includes('/')) return services.filter((service) => service.id === id);
  const all = services.filter(({ service }) => service === id);
  const near = all.filter((service) => service.namespace === nearby);
  return near.length > 0 ? near : all;
}
