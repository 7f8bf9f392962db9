/** Advice on documents about traffic, and whom they concern, from what this node has in use and knows of the mesh. @module */
import type { DocumentKey } from '../../gossip/documents/revision.ts';
import type { CallTarget, Fault, RateLimit, TrafficPolicy } from '../../proxy/traffic/rules.ts';
import type { KnownService } from '../access/advice.ts';
import {
  adviceOnFault,
  adviceOnLimit,
  adviceOnRoute,
  adviceOnTrafficPolicy,
  type KnownEndpoint,
  type TrafficKnown,
} from './advice.ts';
import { routeId } from './attach.ts';
import type { CompiledFault, CompiledLimit, CompiledPolicy, CompiledRoute, CompiledService } from './compiled.ts';
import { ROUTE_KINDS } from './compiled.ts';
import type { TrafficKeeper } from './traffic-keeper.ts';

export interface TrafficSight {
  readonly services: () => readonly KnownService[];
  readonly endpoints: () => readonly KnownEndpoint[];
  /** Who called a service, 'namespace/service', as far as this node has seen: SPIFFE ids, each once. */
  readonly callers: (service: string) => readonly string[];
}

const MAX_CALLERS = 20;
const MAX_SERVICES = 20;

export class TrafficAdvisor {
  readonly #keeper: TrafficKeeper;
  readonly #sight: TrafficSight;

  constructor(keeper: TrafficKeeper, sight: TrafficSight) {
    this.#keeper = keeper;
    this.#sight = sight;
  }

  /** On a document that is about to be written. @param value what it compiles to */
  onWrite(key: DocumentKey, value: unknown): readonly string[] {
    const origin = { ...key, revision: '', rule: '' };
    switch (key.kind) {
      case 'TrafficPolicy':
        return adviceOnTrafficPolicy({ ...(value as CompiledPolicy), origin }, this.#known());
      case 'RateLimit':
        return adviceOnLimit({ ...(value as CompiledLimit), origin }, this.#known());
      case 'FaultInjection':
        return adviceOnFault({ ...(value as CompiledFault), origin, untilMs: Number.POSITIVE_INFINITY }, this.#known());
    }
    if (!isRoute(key.kind)) return [];
    const route = { ...(value as CompiledRoute), revision: '' };
    return adviceOnRoute(route, { ...this.#known(), attached: this.#keeper.attachedWith(route) });
  }

  /** On a document in use here. */
  onUse(key: DocumentKey): readonly string[] {
    const id = routeId(key);
    const find = <T extends TrafficPolicy | RateLimit | Fault>(all: readonly T[]) =>
      all.find(({ origin }) => routeId(origin) === id);
    const [policy, limit, fault] = [
      find(this.#keeper.policies()),
      find(this.#keeper.limits()),
      find(this.#keeper.faults()),
    ];
    const route = this.#keeper.routes().find((one) => routeId(one) === id);
    if (route !== undefined) return adviceOnRoute(route, this.#known());
    if (policy !== undefined) return adviceOnTrafficPolicy(policy, this.#known());
    if (limit !== undefined) return adviceOnLimit(limit, this.#known());
    return fault === undefined ? [] : adviceOnFault(fault, this.#known());
  }

  /** On all that is in use here: `HTTPRoute shop/cart: ...`. */
  onAll(): readonly string[] {
    const { policies, limits, faults } = {
      policies: this.#keeper.policies(),
      limits: this.#keeper.limits(),
      faults: this.#keeper.faults(),
    };
    const keys: DocumentKey[] = [
      ...this.#keeper.routes(),
      ...[...policies, ...limits, ...faults].map(({ origin }) => origin),
    ];
    return keys.flatMap((key) => this.onUse(key).map((text) => `${key.kind} ${key.namespace}/${key.name}: ${text}`));
  }

  /** Whose calls a document is about, one line a service: what this node has seen, and that others may have seen more. */
  affected(key: DocumentKey, value: unknown): readonly string[] {
    const services = this.targets(key, value);
    const lines = services.slice(0, MAX_SERVICES).map((service) => this.#callersText(service, key.namespace));
    const rest = services.length - MAX_SERVICES;
    return rest > 0 ? [...lines, `and calls to ${rest} more services`] : lines;
  }

  #callersText(service: string, namespace: string): string {
    const owner = service.slice(0, service.indexOf('/'));
    const isConsumer = namespace !== owner && namespace !== 'weft-system';
    const all = this.#sight.callers(service).map(shortIdentity);
    const callers = isConsumer ? all.filter((caller) => caller.startsWith(`ns/${namespace}/`)) : all;
    if (callers.length > 0) {
      const more = callers.length > MAX_CALLERS ? ` and ${callers.length - MAX_CALLERS} more` : '';
      return `calls to ${service}, seen here from ${callers.slice(0, MAX_CALLERS).join(', ')}${more}; other nodes may know more callers`;
    }
    if (!isConsumer) return `calls to ${service}: this node has seen none; other nodes may know callers`;
    const likely = this.#sight.services().filter((one) => one.namespace === namespace);
    const names = likely.slice(0, MAX_CALLERS).map((one) => `${one.namespace}/${one.service}`);
    const perhaps = names.length === 0 ? `no service of ${namespace} is known` : `perhaps from ${names.join(', ')}`;
    return `calls to ${service} from ${namespace}: this node has seen none; ${perhaps}`;
  }

  /** Services that calls go to which a document is about. @param value what it compiles to */
  targets({ kind, namespace, name }: DocumentKey, value: unknown): readonly string[] {
    if (isRoute(kind)) {
      const { parents } = value as CompiledRoute;
      return [...new Set(parents.filter((one) => one.kind === 'Service').map((one) => `${one.namespace}/${one.name}`))];
    }
    if (kind === 'Service') return [`${namespace}/${(value as CompiledService).name ?? name}`];
    if (!['TrafficPolicy', 'RateLimit', 'FaultInjection'].includes(kind)) return [];
    const { target } = value as { readonly target: CallTarget };
    const known = this.#sight
      .services()
      .filter((one) => target.namespace === undefined || one.namespace === target.namespace);
    const chosen = known.filter(({ service }) => target.services.length === 0 || target.services.includes(service));
    return chosen.map((one) => `${one.namespace}/${one.service}`).sort();
  }

  #known(): TrafficKnown {
    const keeper = this.#keeper;
    return {
      attached: keeper.attached,
      policies: keeper.policies(),
      limits: keeper.limits(),
      hasFaults: keeper.hasFaults,
      service: (id) => keeper.serviceOf(id),
      services: this.#sight.services(),
      endpoints: this.#sight.endpoints(),
      nowMs: Date.now(),
    };
  }
}

function isRoute(kind: string): boolean {
  return (ROUTE_KINDS as readonly string[]).includes(kind);
}

function shortIdentity(identity: string): string {
  return identity.replace(/^spiffe:\/\/[^/]+\//, '');
}
