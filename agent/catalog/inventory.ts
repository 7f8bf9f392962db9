/**
 * What this node has seen of the mesh: services, who calls whom, and which routes are called. Pure: what is seen and when comes
 * in. `inventory-file.ts` keeps it on disk.
 *
 * Bounded to 20,000 entries in all: 4,000 services, 1,000 tombstones, 7,000 relations and 8,000 routes; in each the one seen longest ago gives way.
 * @module
 */
import { type Seen, SeenTable } from './seen-table.ts';
import { OUTSIDE, type RelationGain, type RouteGain } from './traffic-gains.ts';

export const LIMITS = { services: 4_000, tombstones: 1_000, relations: 7_000, routes: 8_000 } as const;
export const MAX_CONSUMERS = 50;
const MAX_STATUSES = 32;

export interface SeenService extends Seen {
  /** When it was last called, or called another; null: never, as far as this node knows. */
  readonly trafficMs: number | null;
  /** When it was last called. */
  readonly calledMs: number | null;
}

export interface SeenRelation extends Seen {
  readonly from: string;
  /** 'namespace/service', or 'passthrough'. */
  readonly to: string;
  readonly protocol: string;
  /** Whose count it is, the caller's or the destination's: both count the same calls. */
  readonly direction: 'outbound' | 'inbound';
  /** Requests, or connections of what is not HTTP. */
  readonly count: number;
  readonly bytes: number;
}

export interface SeenRoute extends Seen {
  readonly direction: 'outbound' | 'inbound';
  readonly service: string;
  readonly method: string;
  readonly template: string;
  /** Services, at most 50. */
  readonly consumers: readonly string[];
  /** Requests by status, or by class (`2xx`) where that is all that is known. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly count: number;
}

/** A service that was seen no more for as long as is remembered. */
export type Tombstone = Seen & { readonly goneMs: number };

/** As it is on disk. */
export interface InventoryState {
  readonly services: readonly (SeenService & { readonly id: string })[];
  readonly tombstones: readonly (Tombstone & { readonly id: string })[];
  readonly relations: readonly SeenRelation[];
  readonly routes: readonly SeenRoute[];
}

/** What one look found. */
export interface Sight {
  /** Registered: endpoints of the mesh, workloads of this node. */
  readonly services: Iterable<string>;
  readonly relations: readonly RelationGain[];
  readonly routes: readonly RouteGain[];
}

const EMPTY: InventoryState = { services: [], tombstones: [], relations: [], routes: [] };

export class Inventory {
  readonly #services: SeenTable<Omit<SeenService, keyof Seen>>;
  readonly #tombstones: SeenTable<Omit<Tombstone, keyof Seen>>;
  readonly #relations: SeenTable<Omit<SeenRelation, keyof Seen>>;
  readonly #routes: SeenTable<Omit<SeenRoute, keyof Seen>>;

  constructor(state: InventoryState = EMPTY) {
    this.#services = new SeenTable(
      LIMITS.services,
      state.services.map(({ id, ...service }) => [id, service]),
    );
    this.#tombstones = new SeenTable(
      LIMITS.tombstones,
      state.tombstones.map(({ id, ...tombstone }) => [id, tombstone]),
    );
    this.#relations = new SeenTable(
      LIMITS.relations,
      state.relations.map((relation) => [relationKey(relation), relation]),
    );
    this.#routes = new SeenTable(
      LIMITS.routes,
      state.routes.map((route) => [routeKey(route), route]),
    );
  }

  saw({ services, relations, routes }: Sight, nowMs: number): void {
    for (const id of services) this.#sawService(id, nowMs, {});
    for (const gain of relations) {
      this.#sawService(gain.from, nowMs, { trafficMs: nowMs });
      if (gain.to !== OUTSIDE) this.#sawService(gain.to, nowMs, { trafficMs: nowMs, calledMs: nowMs });
      this.#relations.saw(relationKey(gain), nowMs, (before) => ({
        from: gain.from,
        to: gain.to,
        protocol: gain.protocol,
        direction: gain.direction,
        count: (before?.count ?? 0) + gain.count,
        bytes: (before?.bytes ?? 0) + gain.bytes,
      }));
    }
    for (const gain of routes) this.#sawRoute(gain, nowMs);
  }

  /** Takes out what was not seen for `afterMs`. Of services a tombstone is left, for as long again. */
  forget(nowMs: number, afterMs: number): void {
    for (const [id, { firstSeenMs, lastSeenMs }] of this.#services.forget(nowMs - afterMs)) {
      this.#tombstones.saw(id, lastSeenMs, () => ({ goneMs: nowMs }), firstSeenMs);
    }
    this.#tombstones.forget(nowMs - 2 * afterMs);
    this.#relations.forget(nowMs - afterMs);
    this.#routes.forget(nowMs - afterMs);
  }

  get state(): InventoryState {
    const named = <T>(table: SeenTable<T>) => [...table.entries()].map(([id, entry]) => ({ id, ...entry }));
    return {
      services: named(this.#services),
      tombstones: named(this.#tombstones),
      relations: this.#relations.values(),
      routes: this.#routes.values(),
    };
  }

  /** A service that comes back after it was forgotten is as old as it ever was. */
  #sawService(id: string, nowMs: number, traffic: Partial<SeenService>): void {
    const buried = this.#services.get(id) === undefined ? this.#tombstones.get(id) : undefined;
    this.#services.saw(
      id,
      nowMs,
      (before) => ({
        trafficMs: traffic.trafficMs ?? before?.trafficMs ?? null,
        calledMs: traffic.calledMs ?? before?.calledMs ?? null,
      }),
      buried?.firstSeenMs,
    );
  }

  #sawRoute(gain: RouteGain, nowMs: number): void {
    this.#routes.saw(routeKey(gain), nowMs, (before) => ({
      direction: gain.direction,
      service: gain.service,
      method: gain.method,
      template: gain.template,
      consumers: withOne(before?.consumers ?? [], gain.consumer),
      statuses: added(before?.statuses ?? {}, gain.statuses),
      count: (before?.count ?? 0) + gain.count,
    }));
  }
}

function relationKey(relation: Pick<SeenRelation, 'direction' | 'from' | 'to' | 'protocol'>): string {
  const { direction, from, to, protocol } = relation;
  return `${direction} ${from} ${to} ${protocol}`;
}

function routeKey(route: Pick<SeenRoute, 'direction' | 'service' | 'method' | 'template'>): string {
  const { direction, service, method, template } = route;
  return `${direction} ${service} ${method} ${template}`;
}

function withOne(all: readonly string[], one: string): readonly string[] {
  return one === '' || all.includes(one) || all.length >= MAX_CONSUMERS ? all : [...all, one].sort();
}

/** Statuses are numbers of the protocol; a peer that invents more than there are is counted no further. */
export function added(
  to: Readonly<Record<string, number>>,
  more: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const sums: Record<string, number> = { ...to };
  for (const [status, count] of Object.entries(more)) {
    if (status in sums || Object.keys(sums).length < MAX_STATUSES) sums[status] = (sums[status] ?? 0) + count;
  }
  return sums;
}
