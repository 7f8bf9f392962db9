/** What this node knows of the mesh at a moment, as views read it. Pure. @module */
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import type { Member } from '../../../gossip/view.ts';
import type { Service } from '../../../proxy/snapshot.ts';

export interface RegisterParts {
  readonly nowMs: number;
  readonly services: readonly Pick<Service, 'id' | 'namespace' | 'service' | 'ports'>[];
  readonly endpoints: readonly Endpoint[];
  readonly members: readonly Member[];
  /** Ids of endpoints that this node leaves out. */
  readonly ejected: ReadonlySet<string>;
  /** Workloads of this node, those without a port among them. */
  readonly workloads: readonly { readonly service: string; readonly identity: string }[];
  /** Of an earlier moment: who was there, but not how endpoints fared, which nobody keeps. */
  readonly isPast?: boolean;
}

export class Register {
  readonly nowMs: number;
  readonly services: ReadonlyMap<string, RegisterParts['services'][number]>;
  readonly endpoints: readonly Endpoint[];
  readonly members: readonly Member[];
  readonly ejected: ReadonlySet<string>;
  readonly isPast: boolean;
  readonly #byService: ReadonlyMap<string, readonly Endpoint[]>;
  readonly #serviceOf: ReadonlyMap<string, string>;

  constructor({ services, endpoints, workloads, ...known }: RegisterParts) {
    this.nowMs = known.nowMs;
    this.members = known.members;
    this.ejected = known.ejected;
    this.isPast = known.isPast ?? false;
    this.services = new Map(services.map((service) => [service.id, service]));
    this.endpoints = endpoints;
    this.#byService = Map.groupBy(endpoints, serviceOf);
    this.#serviceOf = new Map([
      ...workloads.map(({ identity, service }) => [identity, service] as const),
      ...endpoints.map((endpoint) => [endpoint.identity, serviceOf(endpoint)] as const),
    ]);
  }

  endpointsOf(service: string): readonly Endpoint[] {
    return this.#byService.get(service) ?? [];
  }

  /** How many of these take requests; null where there are none, or nobody knows. */
  readyOf(endpoints: readonly Endpoint[]): number | null {
    if (this.isPast || endpoints.length === 0) return null;
    return endpoints.filter(({ state }) => state === 'ready').length;
  }

  /**
   * Who called, by service: what the row says, else whose identity it is, else the name in the identity.
   *
   * @returns `outside` for who has no identity
   */
  callerOf(source = '', sourceService = ''): string {
    if (sourceService !== '' && sourceService !== 'other') return sourceService;
    if (!hasIdentity(source)) return OUTSIDE;
    return this.#serviceOf.get(source) ?? nameIn(source) ?? source;
  }
}

export const OUTSIDE = 'outside';

/** Callers in plaintext are told as such where they arrive. */
export function hasIdentity(source: string): boolean {
  return source !== '' && source !== 'plaintext';
}

export function serviceOf({ namespace, service }: Pick<Endpoint, 'namespace' | 'service'>): string {
  return `${namespace}/${service}`;
}

/** 'namespace/name' of `spiffe://td/ns/NAMESPACE/sa/NAME`. */
export function nameIn(identity: string): string | undefined {
  const [, namespace, name] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(identity) ?? [];
  return namespace === undefined ? undefined : `${namespace}/${name}`;
}

/** @returns ['', id] where there is no namespace in it */
export function splitId(id: string): readonly [namespace: string, name: string] {
  const slash = id.indexOf('/');
  return slash < 0 || id.includes('://') ? ['', id] : [id.slice(0, slash), id.slice(slash + 1)];
}
