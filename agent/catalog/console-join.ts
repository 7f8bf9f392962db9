/** What the catalog knows put into the console's answers about services: figures stay theirs, all else is from here. Pure. @module */
import type { Signals } from '../console/shapes/common.ts';
import type { Neighbour, ObservedRoute, ServiceDetail, ServiceRow } from '../console/shapes/services.ts';
import type { Route } from './mesh-catalog.ts';
import type { CatalogDetail, CatalogNeighbour, CatalogRow } from './rows.ts';

const UNKNOWN: Signals = {
  requestsPerSec: null,
  appFailedRatio: null,
  meshFailedRatio: null,
  deniedRatio: null,
  p50Ms: null,
  p99Ms: null,
  bytesPerSec: null,
};

/** @returns also those of which the console has no figures: silent ones, and those that are gone */
export function joinRows(rows: readonly ServiceRow[], catalog: readonly CatalogRow[]): ServiceRow[] {
  const byId = new Map(catalog.map((row) => [row.id, row]));
  const known = new Set(rows.map(({ id }) => id));
  const joined = rows.map((row) => {
    const found = byId.get(row.id);
    return found === undefined
      ? row
      : { ...row, ...found, protocol: found.protocol || row.protocol, versions: union(row.versions, found.versions) };
  });
  const others = catalog
    .filter(({ id }) => !known.has(id))
    .map((row): ServiceRow => ({ ...UNKNOWN, health: 'quiet', cause: '', trend: [], ...row }));
  return [...joined, ...others];
}

export function joinDetail(detail: ServiceDetail, catalog: CatalogDetail | undefined): ServiceDetail {
  if (catalog === undefined) return detail;
  return {
    ...detail,
    facts: [...catalog.facts],
    rules: [...catalog.rules],
    routes: joinRoutes(detail.routes, catalog.routes),
    callers: joinNeighbours(detail.callers, catalog.callers),
    calls: joinNeighbours(detail.calls, catalog.calls),
  };
}

function joinRoutes(routes: readonly ObservedRoute[], seen: readonly Route[]): ObservedRoute[] {
  const key = ({ method, template }: Pick<Route, 'method' | 'template'>): string => `${method} ${template}`;
  const bySeen = new Map(seen.map((route) => [key(route), route]));
  const known = new Set(routes.map(key));
  const joined = routes.map((route) => {
    const { firstSeenMs, lastSeenMs } = bySeen.get(key(route)) ?? route;
    return { ...route, firstSeenMs, lastSeenMs };
  });
  const others = seen
    .filter((route) => !known.has(key(route)))
    .map(({ method, template, consumers, statuses, firstSeenMs, lastSeenMs }) => ({
      ...UNKNOWN,
      method,
      template,
      consumers: [...consumers],
      statuses: { ...statuses },
      firstSeenMs,
      lastSeenMs,
    }));
  return [...joined, ...others];
}

function joinNeighbours(neighbours: readonly Neighbour[], seen: readonly CatalogNeighbour[]): Neighbour[] {
  const bySeen = new Map(seen.map((one) => [one.service, one]));
  const known = new Set(neighbours.map(({ service }) => service));
  const joined = neighbours.map((neighbour) => {
    const { firstSeenMs, lastSeenMs } = bySeen.get(neighbour.service) ?? neighbour;
    return { ...neighbour, firstSeenMs, lastSeenMs };
  });
  const others = seen
    .filter(({ service }) => !known.has(service))
    .map(({ count: _count, bytes: _bytes, via, ...one }) => ({ ...UNKNOWN, ...one, via: [...via] }));
  return [...joined, ...others];
}

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])].sort();
}
