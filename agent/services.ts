/**
 * Services as this node sees them, each with its virtual addresses: those that somebody declared in a document, and those that
 * endpoints of the mesh name.
 *
 * A service of the second sort exists while any endpoint names it, ready or not, so that its name keeps resolving while all
 * are down and the caller gets an answer that says so instead of NXDOMAIN.
 */
import type { EndpointDelta } from '../gossip/effects.ts';
import type { Endpoint } from '../gossip/records/endpoint.ts';
import type { Delta, Service } from '../proxy/snapshot.ts';
import type { VipAllocator } from './vips.ts';

/** A service as a document describes it. */
export interface DeclaredService {
  readonly namespace: string;
  readonly service: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports: Service['ports'];
}

export class ServiceDirectory {
  readonly #vips: VipAllocator;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #byService = new Map<string, Set<string>>();
  readonly #services = new Map<string, Service>();
  readonly #declared = new Map<string, DeclaredService>();
  /** Of those known at the moment. */
  readonly endpointIds = {
    ids: (): Iterable<string> => this.#endpoints.keys(),
    has: (id: string): boolean => this.#endpoints.has(id),
  };

  constructor(vips: VipAllocator) {
    this.#vips = vips;
  }

  /** Takes what gossip said and answers with the services that came, changed or went by it. */
  apply(delta: EndpointDelta): Delta<Service> {
    const touched = new Set<string>();
    for (const id of delta.remove) this.#remove(id, touched);
    for (const endpoint of delta.upsert) {
      this.#remove(endpoint.id, touched);
      this.#add(endpoint, touched);
    }
    return this.#derive(touched);
  }

  /** Takes all services that documents declare, and answers as `apply` does. */
  declare(declared: readonly DeclaredService[]): Delta<Service> {
    const touched = new Set(this.#declared.keys());
    this.#declared.clear();
    for (const service of declared) {
      const id = serviceId(service);
      this.#declared.set(id, service);
      touched.add(id);
    }
    return this.#derive(touched);
  }

  service(id: string): Service | undefined {
    return this.#services.get(id);
  }

  services(): readonly Service[] {
    return [...this.#services.values()];
  }

  endpoints(): readonly Endpoint[] {
    return [...this.#endpoints.values()];
  }

  #add(endpoint: Endpoint, touched: Set<string>): void {
    const service = serviceId(endpoint);
    this.#endpoints.set(endpoint.id, endpoint);
    const ids = this.#byService.get(service);
    if (ids === undefined) this.#byService.set(service, new Set([endpoint.id]));
    else ids.add(endpoint.id);
    touched.add(service);
  }

  #remove(id: string, touched: Set<string>): void {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    const service = serviceId(endpoint);
    this.#endpoints.delete(id);
    this.#byService.get(service)?.delete(id);
    touched.add(service);
  }

  #derive(touched: ReadonlySet<string>): Delta<Service> {
    const upsert: Service[] = [];
    const remove: string[] = [];
    for (const id of touched) {
      const endpoints = [...(this.#byService.get(id) ?? [])].map((endpoint) => this.#endpoints.get(endpoint)!);
      const before = this.#services.get(id);
      const declared = this.#declared.get(id);
      if (endpoints.length === 0) this.#byService.delete(id);
      if (endpoints.length === 0 && declared === undefined) {
        if (this.#services.delete(id)) remove.push(id);
        continue;
      }
      const vips = this.#vips.vips(id);
      const service: Service =
        declared === undefined
          ? { ...named(endpoints[0]!), id, vips, ports: portsOf(endpoints) }
          : { ...declared, id, vips };
      if (before !== undefined && JSON.stringify(before) === JSON.stringify(service)) continue;
      this.#services.set(id, service);
      upsert.push(service);
    }
    return { upsert, remove };
  }
}

export function serviceId({ namespace, service }: { readonly namespace: string; readonly service: string }): string {
  return `${namespace}/${service}`;
}

function named({ namespace, service }: Endpoint): { readonly namespace: string; readonly service: string } {
  return { namespace, service };
}

/** Endpoints that disagree about a port's protocol leave it to detection: the one answer that is right for both. */
function portsOf(endpoints: readonly Endpoint[]): Service['ports'] {
  const protocols = new Map<number, Endpoint['protocol']>();
  for (const { servicePort, protocol } of endpoints) {
    const known = protocols.get(servicePort) ?? protocol;
    protocols.set(servicePort, known === protocol ? protocol : 'auto');
  }
  return [...protocols].map(([port, protocol]) => ({ port, protocol })).sort((a, b) => a.port - b.port);
}
