/**
 * What all nodes have seen, as one. Pure.
 *
 * A call is counted by the node of the caller and by that of the destination; each side is added up over nodes, and the larger sum
 * counts, so that a node that does not answer takes away as little as can be. @module
 */
import type { Fact } from '../console/shapes/services.ts';
import { added, MAX_CONSUMERS, type SeenRelation, type SeenRoute, type SeenService } from './inventory.ts';
import type { NodeCatalog } from './node-catalog.ts';

export interface Relation extends Omit<SeenRelation, 'direction'> {}
export interface Route extends Omit<SeenRoute, 'direction'> {}

export interface Certificate {
  readonly node: string;
  readonly expiresMs: number;
  readonly lifeMs: number;
}

export interface MeshCatalog {
  readonly services: ReadonlyMap<string, SeenService>;
  readonly relations: readonly Relation[];
  readonly routes: readonly Route[];
  /** By service. */
  readonly facts: ReadonlyMap<string, readonly Fact[]>;
  readonly plaintext: ReadonlyMap<string, readonly { readonly source: string; readonly lastMs: number }[]>;
  readonly certificates: ReadonlyMap<string, readonly Certificate[]>;
}

export function mergeCatalogs(answers: ReadonlyMap<string, NodeCatalog>): MeshCatalog {
  const all = [...answers].sort(([a], [b]) => (a < b ? -1 : 1));
  const of = <T>(read: (catalog: NodeCatalog) => readonly T[]): readonly T[] => all.flatMap(([, one]) => read(one));
  const facts = Map.groupBy(
    of(({ facts }) => facts),
    ({ service }) => service,
  );
  return {
    services: servicesOf(all.map(([, one]) => one)),
    relations: bySides(
      of(({ relations }) => relations),
      ({ from, to, protocol }) => `${from} ${to} ${protocol}`,
      (a, b) => ({ ...a, count: a.count + b.count, bytes: a.bytes + b.bytes, ...span(a, b) }),
    ),
    routes: bySides(
      of(({ routes }) => routes),
      ({ service, method, template }) => `${service} ${method} ${template}`,
      (a, b) => ({
        ...a,
        count: a.count + b.count,
        statuses: added(a.statuses, b.statuses),
        consumers: union(a.consumers, b.consumers),
        ...span(a, b),
      }),
    ),
    facts: new Map([...facts].map(([service, found]) => [service, distinct(found.map(({ fact }) => fact))])),
    plaintext: Map.groupBy(
      of(({ plaintext }) => plaintext),
      ({ service }) => service,
    ),
    certificates: Map.groupBy(
      all.flatMap(([node, { certificates }]) => certificates.map((certificate) => ({ ...certificate, node }))),
      ({ service }) => service,
    ),
  };
}

/** What a node has buried later than another saw it stays buried. */
function servicesOf(all: readonly NodeCatalog[]): ReadonlyMap<string, SeenService> {
  const services = new Map<string, SeenService>();
  for (const { id, ...service } of all.flatMap(({ services }) => services)) {
    const known = services.get(id);
    if (known === undefined) services.set(id, service);
    else {
      services.set(id, {
        ...span(known, service),
        trafficMs: latest(known.trafficMs, service.trafficMs),
        calledMs: latest(known.calledMs, service.calledMs),
      });
    }
  }
  for (const { id, goneMs, firstSeenMs } of all.flatMap(({ tombstones }) => tombstones)) {
    const service = services.get(id);
    if (service === undefined) continue;
    if (service.lastSeenMs < goneMs - SKEW_MS) services.delete(id);
    else services.set(id, { ...service, firstSeenMs: Math.min(service.firstSeenMs, firstSeenMs) });
  }
  return services;
}

/** Clocks of two nodes differ by this much at most. */
const SKEW_MS = 60_000;

interface Sided {
  readonly direction: 'outbound' | 'inbound';
  readonly count: number;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly consumers?: readonly string[];
}

function bySides<T extends Sided>(
  all: readonly T[],
  keyOf: (one: T) => string,
  add: (a: T, b: T) => T,
): Omit<T, 'direction'>[] {
  const sides = new Map<string, { outbound?: T; inbound?: T }>();
  for (const one of all) {
    const key = keyOf(one);
    const entry = sides.get(key) ?? {};
    const known = entry[one.direction];
    entry[one.direction] = known === undefined ? one : add(known, one);
    sides.set(key, entry);
  }
  return [...sides.values()].map(({ outbound, inbound }) => {
    const [more, less] =
      (inbound?.count ?? -1) >= (outbound?.count ?? -1) ? [inbound!, outbound] : [outbound!, inbound];
    const { direction: _direction, ...kept } = more;
    if (less === undefined) return kept;
    const consumers = more.consumers === undefined ? {} : { consumers: union(more.consumers, less.consumers ?? []) };
    return { ...kept, ...span(more, less), ...consumers };
  });
}

interface Span {
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
}

function span(a: Span, b: Span): Span {
  return { firstSeenMs: Math.min(a.firstSeenMs, b.firstSeenMs), lastSeenMs: Math.max(a.lastSeenMs, b.lastSeenMs) };
}

function latest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])].sort().slice(0, MAX_CONSUMERS);
}

/** Several nodes that say the same of a service are one fact, with the latest instant. */
function distinct(facts: readonly Fact[]): readonly Fact[] {
  const byValue = new Map<string, Fact>();
  for (const fact of facts) {
    const key = `${fact.key} ${fact.value} ${fact.source}`;
    const known = byValue.get(key);
    if (known === undefined || (known.atMs ?? 0) < (fact.atMs ?? 0)) byValue.set(key, fact);
  }
  return [...byValue.values()];
}
