/**
 * Which endpoints are behind which port of a service: those that name the service themselves, or, where the service has a
 * selector, those of its namespace with the labels it names.
 * @module
 */

import type { Endpoint, Service, ServicePort } from './snapshot.ts';

/** A port of a service, as callers dial it. */
export interface DialledPort {
  /** 'namespace/service'. */
  readonly service: string;
  readonly port: number;
}

export class Memberships {
  /** Services with a selector, by namespace and id. */
  readonly #selecting = new Map<string, Map<string, Service>>();

  know(service: Service): void {
    this.forget(service.id);
    if (service.selector === undefined) return;
    const { namespace } = service;
    const there = this.#selecting.get(namespace) ?? new Map<string, Service>();
    there.set(service.id, service);
    this.#selecting.set(namespace, there);
  }

  /** @param id 'namespace/service' */
  forget(id: string): void {
    const namespace = id.slice(0, id.indexOf('/'));
    const there = this.#selecting.get(namespace);
    there?.delete(id);
    if (there?.size === 0) this.#selecting.delete(namespace);
  }

  of(endpoint: Endpoint): readonly DialledPort[] {
    const own = { service: `${endpoint.namespace}/${endpoint.service}`, port: endpoint.servicePort };
    const there = this.#selecting.get(endpoint.namespace);
    if (there === undefined) return [own];
    const ports = there.has(own.service) ? [] : [own]; // a selector says it all
    for (const service of there.values()) {
      if (!selects(service, endpoint)) continue;
      for (const port of service.ports) {
        if (leadsTo(port, endpoint)) ports.push({ service: service.id, port: port.port });
      }
    }
    return ports;
  }

  isMember(endpoint: Endpoint, service: string, port: number): boolean {
    return this.of(endpoint).some((dialled) => dialled.service === service && dialled.port === port);
  }
}

/** A selector without labels selects nothing, as in Kubernetes. */
function selects({ selector = {} }: Service, { labels, version }: Endpoint): boolean {
  const wanted = Object.entries(selector);
  return (
    wanted.length > 0 &&
    wanted.every(([name, value]) => labels[name] === value || (name === 'version' && version === value))
  );
}

function leadsTo({ port, targetPort = port }: ServicePort, endpoint: Endpoint): boolean {
  return targetPort === endpoint.port || targetPort === endpoint.portName;
}
