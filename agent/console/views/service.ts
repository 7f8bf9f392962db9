/** One service: how it fares, who is affected, what it is made of; and the list of all. Pure. @module */
import type { CatalogDetail, CatalogRow } from '../../catalog/rows.ts';
import type { Figures, FiguresRow } from '../../history/figures.ts';
import type { Coverage } from '../../mesh-query/shapes.ts';
import type { Health, MeshEvent, Problem, Source } from '../shapes/common.ts';
import type { EndpointRow, Neighbour, ObservedRoute, ServiceDetail, ServiceRow } from '../shapes/services.ts';
import type { TopologyNode } from '../shapes/topology.ts';
import { type Register, splitId } from './register.ts';
import { mergeRows, seriesOf, share, signalsOf, statusesOf, totalsOf, UNKNOWN } from './signals.ts';

const MAX_HOPS = 3;

export interface ServiceFigures {
  /** outbound, about the service, by destination; in steps, statuses too. */
  readonly series: Figures;
  /** The same in one step. */
  readonly now: Figures;
  /** outbound, about the service, by destination, version; one step. */
  readonly versions: Figures;
  /** outbound, about the service, by destination, method, route; one step. */
  readonly routes: Figures;
  /** outbound, about the service, by source, sourceService, destination, method, route; one step. */
  readonly consumers: Figures;
  /** outbound, of all, by source, sourceService, destination, protocol; one step. */
  readonly calls: Figures;
  /** inbound, about the service, by destination, node; one step. */
  readonly arrivals: Figures;
}

export interface ServiceParts {
  readonly register: Register;
  readonly figures: ServiceFigures;
  readonly coverage: Coverage;
  readonly health: Health;
  readonly problem: Problem | null;
  readonly events: readonly MeshEvent[];
  /** Documents that are about it. */
  readonly policies: readonly Source[];
}

export function serviceView(id: string, asOfMs: number, parts: ServiceParts): ServiceDetail {
  const { register, figures, coverage, problem, events, policies } = parts;
  const endpoints = register.endpointsOf(id);
  const isUp = new Set(register.members.filter(({ state }) => state === 'alive').map(({ name }) => name));
  const row = rowOf(figures.now, id);
  const now = signalsOf(row, figures.now);
  return {
    id,
    asOfMs,
    health: parts.health,
    problem,
    now,
    facts: [],
    objective: null,
    series: seriesOf(rowOf(figures.series, id), figures.series),
    statuses: statusesOf(rowOf(figures.series, id), figures.series),
    versions: versionsOf(id, parts),
    routes: routesOf(id, parts),
    api: null,
    callers: [...neighbours(id, parts, 'callers')],
    calls: [...neighbours(id, parts, 'calls')],
    endpoints: endpoints.map((endpoint): EndpointRow => {
      const { workload, node, zone, address, port, version, weight, identity } = endpoint;
      const then = isUp.has(node) ? 'unknown' : 'node down';
      const state = register.isPast ? then : endpoint.state;
      const isEjected = register.ejected.has(endpoint.id);
      return { workload, node, zone, address, port, version, state, weight, identity, isEjected };
    }),
    answeredBy: answeredBy(id, figures.arrivals),
    policies: [...policies],
    rules: [],
    events: [...events],
    coverage,
  };
}

/** The busiest first; a node that counted nothing is left out. */
function answeredBy(id: string, arrivals: Figures): ServiceDetail['answeredBy'] {
  return arrivals.rows
    .filter(({ labels }) => labels.destination === id && (labels.node ?? '') !== '')
    .map((row) => ({ ...signalsOf(row, arrivals), node: row.labels.node! }))
    .filter(({ requestsPerSec, bytesPerSec }) => (requestsPerSec ?? 0) > 0 || (bytesPerSec ?? 0) > 0)
    .sort((a, b) => (b.requestsPerSec ?? 0) - (a.requestsPerSec ?? 0));
}

/** A row of the list, where no catalog says more. @param trend by destination, in 24 steps */
export function serviceRow(node: TopologyNode, register: Register, trend: Figures | undefined): ServiceRow {
  const { badges: _badges, kind: _kind, versions, ...said } = node;
  const endpoints = register.endpointsOf(node.id);
  const row = trend === undefined ? undefined : rowOf(trend, node.id);
  return {
    ...said,
    tab: endpoints.length > 0 ? (node.requestsPerSec === null ? 'silent' : 'seen') : 'undeclared',
    owner: null,
    tier: null,
    language: null,
    protocol: endpoints[0]?.protocol ?? 'http',
    versions: versions.map(({ name }) => name),
    firstSeenMs: null,
    rulesMet: 0,
    rulesTotal: 0,
    trend: (row?.requests ?? []).map((requests, i) =>
      requests === null ? null : share((row?.appFailed[i] ?? 0) + (row?.meshFailed[i] ?? 0), requests),
    ),
  };
}

/** The catalog knows owners, facts and what is gone; figures and health are of the graph. */
export function withCatalog(seen: readonly ServiceRow[], known: readonly CatalogRow[]): ServiceRow[] {
  const rows = new Map(known.map((row) => [row.id, row]));
  const there = seen.map((row) => ({ ...row, ...rows.get(row.id) }));
  const ids = new Set(seen.map(({ id }) => id));
  const others = known
    .filter(({ id }) => !ids.has(id))
    .map(
      (row): ServiceRow => ({ ...UNKNOWN, ...row, health: 'unknown', cause: 'no traffic in this range', trend: [] }),
    );
  return [...there, ...others].map((row) => ({ ...row, versions: [...row.versions] }));
}

/** What the catalog knows of one service beyond figures: facts, rules, its API, and since when who called what. */
export function withCatalogDetail(view: ServiceDetail, known: CatalogDetail | undefined): ServiceDetail {
  if (known === undefined) return view;
  const seenOf = (found: { readonly firstSeenMs: number; readonly lastSeenMs: number } | undefined) => ({
    firstSeenMs: found?.firstSeenMs ?? null,
    lastSeenMs: found?.lastSeenMs ?? null,
  });
  const routes = new Map(known.routes.map((route) => [`${route.method} ${route.template}`, route]));
  const neighboursWith = (rows: readonly Neighbour[], others: CatalogDetail['callers']): Neighbour[] =>
    rows.map((row) => ({
      ...row,
      ...seenOf(row.hops === 1 ? others.find(({ service }) => service === row.service) : undefined),
    }));
  return {
    ...view,
    facts: [...known.facts],
    rules: [...known.rules],
    api: known.api,
    routes: view.routes.map((route) => ({ ...route, ...seenOf(routes.get(`${route.method} ${route.template}`)) })),
    callers: neighboursWith(view.callers, known.callers),
    calls: neighboursWith(view.calls, known.calls),
  };
}

function rowOf(figures: Figures, id: string): FiguresRow | undefined {
  return mergeRows(figures.rows.filter(({ labels }) => labels.destination === id));
}

function versionsOf(id: string, { register, figures: { versions } }: ServiceParts): ServiceDetail['versions'] {
  const rows = versions.rows.filter(({ labels }) => labels.destination === id);
  const all = rows.reduce((sum, row) => sum + (totalsOf(row).requests ?? 0), 0);
  const endpoints = Map.groupBy(register.endpointsOf(id), ({ version }) => version);
  const present = register.isPast ? [] : endpoints.keys();
  const names = new Set([...present, ...rows.map(({ labels }) => labels.version ?? '')]);
  return [...names].sort().flatMap((name) => {
    const row = rows.find(({ labels }) => (labels.version ?? '') === name);
    if (name === '' && (row === undefined || names.size > 1)) return [];
    const shareRatio = row === undefined ? null : share(totalsOf(row).requests ?? 0, all);
    return [{ ...signalsOf(row, versions), name, shareRatio, endpoints: endpoints.get(name)?.length ?? 0 }];
  });
}

function routesOf(id: string, { register, figures: { routes, consumers } }: ServiceParts): ObservedRoute[] {
  const key = ({ labels }: FiguresRow): string => `${labels.method} ${labels.route}`;
  const callers = Map.groupBy(
    consumers.rows.filter(({ labels }) => labels.destination === id),
    key,
  );
  return routes.rows
    .filter(({ labels }) => labels.destination === id && (labels.method ?? '') !== '')
    .map((row) => {
      const by = (callers.get(key(row)) ?? []).map(({ labels }) =>
        register.callerOf(labels.source, labels.sourceService),
      );
      return {
        ...signalsOf(row, routes),
        method: row.labels.method ?? '',
        template: row.labels.route ?? '',
        consumers: [...new Set(by)].sort(),
        statuses: { ...row.statuses },
        firstSeenMs: null,
        lastSeenMs: null,
      };
    })
    .sort((a, b) => (b.requestsPerSec ?? 0) - (a.requestsPerSec ?? 0));
}

interface Arc {
  readonly from: string;
  readonly to: string;
  readonly rows: readonly FiguresRow[];
}

/** Nearest first; further ones with the way that leads there. Figures are of the call at their own end of it. */
function neighbours(
  id: string,
  { register, figures: { calls } }: ServiceParts,
  side: 'callers' | 'calls',
): readonly Neighbour[] {
  const arcs = arcsOf(calls, register);
  const next = Map.groupBy(arcs, ({ from, to }) => (side === 'callers' ? to : from));
  const seen = new Set([id]);
  const found: Neighbour[] = [];
  let edge = [{ at: id, via: [] as string[] }];
  for (let hops = 1; hops <= MAX_HOPS; hops++) {
    const beyond: typeof edge = [];
    for (const { at, via } of edge) {
      for (const arc of next.get(at) ?? []) {
        const service = side === 'callers' ? arc.from : arc.to;
        if (seen.has(service)) continue;
        seen.add(service);
        const row = mergeRows(arc.rows);
        found.push({
          ...signalsOf(row, calls),
          service,
          protocol: arc.rows[0]?.labels.protocol ?? 'http',
          hops,
          via,
          tls: register.services.has(arc.to) ? 'mutual' : 'unknown',
          firstSeenMs: null,
          lastSeenMs: null,
        });
        beyond.push({ at: service, via: [...via, service] });
      }
    }
    edge = beyond;
    if (side === 'calls') break;
  }
  return found;
}

function arcsOf({ rows }: Figures, register: Register): readonly Arc[] {
  const groups = Map.groupBy(rows, ({ labels }) => {
    return `${register.callerOf(labels.source, labels.sourceService)} ${labels.destination}`;
  });
  return [...groups].map(([key, same]) => {
    const [from = '', to = ''] = key.split(' ');
    return { from, to, rows: same };
  });
}

export function isSeen(id: string, namespaces: ReadonlySet<string> | undefined): boolean {
  return namespaces === undefined || namespaces.has(splitId(id)[0]);
}
