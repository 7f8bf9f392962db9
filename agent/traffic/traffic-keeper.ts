/**
 * Documents about traffic on this node: what is in use, put together for the data plane.
 *
 * Changes go to the workers in bursts (agent/burst.ts). Services that come and go matter only where a route names them: then
 * workers hear of the routes before they hear of the service.
 * @module
 */
import { createHash } from 'node:crypto';
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import type { Fault, Origin, RateLimit, TrafficPolicy, TrafficRules } from '../../proxy/traffic/rules.ts';
import { Burst } from '../burst.ts';
import type { DocumentConsumer } from '../documents/kind.ts';
import { type MeshTraffic, PLAIN_TRAFFIC } from '../documents/mesh-config.ts';
import { type Attached, attachRoutes, routeId } from './attach.ts';
import {
  type CompiledFault,
  type CompiledGrant,
  type CompiledLimit,
  type CompiledPolicy,
  type CompiledRoute,
  type CompiledService,
  ROUTE_KINDS,
} from './compiled.ts';
import type { ParentStatus } from './conditions.ts';
import type { ActiveRoute } from './resolve.ts';
import { type RunningService, type ServiceFact, serviceFact } from './service-facts.ts';

export interface TrafficKeeperOptions {
  readonly trustDomain: string;
  /** Takes all rules, each time something changed. */
  readonly changed: (rules: TrafficRules) => void;
  /** Takes all documents of services, each time one changed. */
  readonly servicesWritten?: (services: readonly CompiledService[]) => void;
  /** A service that runs, by 'namespace/service'. */
  readonly service: (id: string) => RunningService | undefined;
}

export class TrafficKeeper implements Disposable {
  /** One for each kind. */
  readonly consumers: readonly DocumentConsumer[];
  readonly #options: TrafficKeeperOptions;
  readonly #routes = new Map<string, ActiveRoute>();
  readonly #grants = new Map<string, CompiledGrant>();
  readonly #services = new Map<string, CompiledService>();
  readonly #policies = new Map<string, TrafficPolicy>();
  readonly #limits = new Map<string, RateLimit>();
  readonly #faults = new Map<string, Fault>();
  #mesh: MeshTraffic = PLAIN_TRAFFIC;
  #attached: Attached | undefined;
  readonly #burst = new Burst(() => this.#options.changed(this.rules));

  constructor(options: TrafficKeeperOptions) {
    this.#options = options;
    const into =
      <T>(map: Map<string, T>, from: (value: never, origin: Origin, writtenAtMs: number) => T) =>
      (kind: string): DocumentConsumer => ({
        kind,
        activate: (key, value, revision, writtenAtMs = 0) => {
          map.set(routeId(key), from(value as never, originOf(key, revision), writtenAtMs)); // what our own compile yielded
          this.#written(kind);
        },
        deactivate: (key) => {
          if (map.delete(routeId(key))) this.#written(kind);
        },
      });
    this.consumers = [
      ...ROUTE_KINDS.map(into(this.#routes, (route: CompiledRoute, { revision }) => ({ ...route, revision }))),
      into(this.#grants, (grant: CompiledGrant) => grant)('ReferenceGrant'),
      into(this.#services, (service: CompiledService) => service)('Service'),
      into(this.#policies, (policy: CompiledPolicy, origin) => ({ ...policy, origin }))('TrafficPolicy'),
      into(this.#limits, (limit: CompiledLimit, origin) => ({ ...limit, origin }))('RateLimit'),
      into(this.#faults, ({ ttlMs, ...fault }: CompiledFault, origin, writtenAtMs) => ({
        ...fault,
        origin,
        untilMs: writtenAtMs + ttlMs,
      }))('FaultInjection'),
    ];
  }

  /** What the data plane goes by, or will in a moment. */
  get rules(): TrafficRules {
    return {
      routes: this.attached.routes,
      policies: [...this.#policies.values()],
      limits: [...this.#limits.values()],
      faults: this.#mesh.hasFaults ? [...this.#faults.values()] : [],
      cookieSecret: this.#mesh.cookieSecret ?? secretOf(this.#options.trustDomain),
    };
  }

  get attached(): Attached {
    const context = { services: (id: string) => this.serviceOf(id), grants: [...this.#grants.values()] };
    this.#attached ??= attachRoutes([...this.#routes.values()], context);
    return this.#attached;
  }

  /** Whether `spec.faults` of the MeshConfig lets any happen. */
  get hasFaults(): boolean {
    return this.#mesh.hasFaults;
  }

  /** What routes would come to with one more, or another in the place of one. @param route what a document compiles to */
  attachedWith(route: CompiledRoute): Attached {
    return this.#attach([...this.#routesBut(route), { ...route, revision: '' }]);
  }

  /** What routes would come to with one less. */
  attachedWithout(key: DocumentKey): Attached {
    return this.#attach(this.#routesBut(key));
  }

  #routesBut(key: DocumentKey): readonly ActiveRoute[] {
    return this.routes().filter((one) => routeId(one) !== routeId(key));
  }

  #attach(routes: readonly ActiveRoute[]): Attached {
    return attachRoutes(routes, { services: (id) => this.serviceOf(id), grants: this.grants() });
  }

  /** What a document comes to that is in use; undefined for nothing, and for kinds that are not about calls. */
  inUse(key: DocumentKey): ActiveRoute | TrafficPolicy | RateLimit | Fault | CompiledService | undefined {
    const maps = [this.#routes, this.#policies, this.#limits, this.#faults, this.#services];
    return maps.map((map) => map.get(routeId(key))).find((one) => one !== undefined);
  }

  routes(): readonly ActiveRoute[] {
    return [...this.#routes.values()];
  }

  grants(): readonly CompiledGrant[] {
    return [...this.#grants.values()];
  }

  policies(): readonly TrafficPolicy[] {
    return [...this.#policies.values()];
  }

  limits(): readonly RateLimit[] {
    return [...this.#limits.values()];
  }

  faults(): readonly Fault[] {
    return [...this.#faults.values()];
  }

  serviceDocuments(): readonly CompiledService[] {
    return [...this.#services.values()];
  }

  /** What is known of a service, from what runs and from its document. */
  serviceOf(id: string): ServiceFact | undefined {
    return serviceFact(this.#options.service(id), this.#services.get(`Service/${id}`));
  }

  /** What became of a route in use here; undefined for what is no route, or not in use. */
  statusOf(key: DocumentKey): readonly ParentStatus[] | undefined {
    return this.attached.statuses.get(routeId(key));
  }

  meshChanged(mesh: MeshTraffic): void {
    this.#mesh = mesh;
    this.#burst.changed();
  }

  /** Services came, changed or went. To be called before workers hear of it. @param ids theirs */
  servicesChanged(ids: readonly string[]): void {
    if (this.#attached !== undefined && !ids.some((id) => this.#attached?.services.has(id))) return;
    this.#attached = undefined;
    if (this.#routes.size > 0 && this.#burst.isOpen) this.#burst.now();
  }

  /** All that was in use before this start is in: from now on the data plane is told. */
  open(): void {
    this.#burst.open();
  }

  [Symbol.dispose](): void {
    this.#burst[Symbol.dispose]();
  }

  #written(kind: string): void {
    this.#attached = undefined;
    if (kind === 'Service') this.#options.servicesWritten?.(this.serviceDocuments());
    this.#burst.changed();
  }
}

function originOf({ kind, namespace, name }: DocumentKey, revision: string): Origin {
  return { kind, namespace, name, revision, rule: '' };
}

/** The same on all nodes without a word between them; known to whoever knows the trust domain (see MeshConfig). */
function secretOf(trustDomain: string): string {
  return createHash('sha256').update(`weft affinity ${trustDomain}`).digest('hex');
}
