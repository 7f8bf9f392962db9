/**
 * Which routes are about which port of which service, and what that means for each of them. Pure.
 *
 * A route of the namespace of its service is for all callers; one of another namespace for the callers of that namespace
 * alone, in place of the others (GEP-1294, producer and consumer routes). Of several kinds that claim one port the first of
 * ROUTE_KINDS has it. Routes of one kind are merged: older ones first, then by namespace and name.
 * @module
 */
import type { HttpRule, ServiceRoutes, StreamRule } from '../../proxy/traffic/rules.ts';
import { type ParentRef, ROUTE_KINDS, type RouteKind } from './compiled.ts';
import { type Findings, type ParentStatus, type Problem, parentStatus } from './conditions.ts';
import { type ActiveRoute, type ResolveContext, resolveHttp, resolveStream } from './resolve.ts';
import { routesWithoutEffect } from './shadows.ts';

export interface Attached {
  readonly routes: readonly ServiceRoutes[];
  /** By `routeId`. Parents that are no Service are others' business and not listed. */
  readonly statuses: ReadonlyMap<string, readonly ParentStatus[]>;
  /** Ids of services that the outcome hangs on. */
  readonly services: ReadonlySet<string>;
}

/** One route at one port. */
interface Claim {
  readonly route: ActiveRoute;
  readonly parent: ParentRef;
  readonly service: string;
  readonly port: number;
  /** '' for all callers. */
  readonly consumer: string;
}

export function routeId({
  kind,
  namespace,
  name,
}: {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}): string {
  return `${kind}/${namespace}/${name}`;
}

export function attachRoutes(routes: readonly ActiveRoute[], context: ResolveContext): Attached {
  const services = new Set<string>();
  const lookup = (id: string) => {
    services.add(id);
    return context.services(id);
  };
  const seen = { ...context, services: lookup };
  const parents = [...routes]
    .sort(byPrecedence)
    .flatMap((route) => route.parents.filter(isService).map((parent) => ({ route, parent })));
  const places = parents.map(({ route, parent }) => ({ route, parent, at: portsOf(route, parent, seen) }));
  const groups = new Map<string, Claim[]>();
  for (const { route, parent, at } of places) {
    for (const port of at.ports) {
      const service = `${parent.namespace}/${parent.name}`;
      const consumer = route.namespace === parent.namespace ? '' : route.namespace;
      const key = keyOf(service, port, consumer);
      const claim = { route, parent, service, port, consumer };
      const others = groups.get(key);
      if (others === undefined) groups.set(key, [claim]);
      else others.push(claim);
    }
  }
  const attached = groupByKey(new Map([...groups].map(([key, claims]) => [key, mergeClaims(claims, seen)])));
  const statuses = new Map<string, ParentStatus[]>(routes.map((route) => [routeId(route), []]));
  for (const { route, parent, at } of places) {
    statuses.get(routeId(route))!.push(parentStatus(parent, findingsOf({ route, parent, at }, attached, seen)));
  }
  return { routes: [...attached.byKey.values()].map(({ routes }) => routes), statuses, services };
}

interface Merged {
  readonly routes: ServiceRoutes;
  readonly kind: RouteKind;
  /** The one that named its kind first, to tell the others. */
  readonly winner: ActiveRoute;
  /** Routes none of whose matches can ever win, with those that go before them. */
  readonly overridden: ReadonlyMap<string, string>;
}

interface AllMerged {
  readonly byKey: ReadonlyMap<string, Merged>;
  /** Those for callers of one namespace alone, by service. */
  readonly consumers: ReadonlyMap<string, readonly Merged[]>;
}

function groupByKey(byKey: ReadonlyMap<string, Merged>): AllMerged {
  const own = [...byKey.values()].filter(({ routes }) => routes.consumer !== undefined);
  return { byKey, consumers: Map.groupBy(own, ({ routes }) => routes.service) };
}

function mergeClaims(claims: readonly Claim[], context: ResolveContext): Merged {
  const [{ service, port, consumer }] = claims as [Claim];
  const kind = ROUTE_KINDS.find((one) => claims.some(({ route }) => route.kind === one))!;
  const winners = [
    ...new Map(
      claims.filter(({ route }) => route.kind === kind).map((claim) => [routeId(claim.route), claim]),
    ).values(),
  ];
  const http: HttpRule[] = [];
  const streams: StreamRule[] = [];
  for (const { route, parent } of winners) {
    const place = { ...context, route, parentNamespace: parent.namespace };
    http.push(...route.http.map((draft, i) => resolveHttp(draft, i, place).rule));
    streams.push(...route.streams.map((draft, i) => resolveStream(draft, i, place).rule));
  }
  return {
    routes: { service, port, ...(consumer === '' ? {} : { consumer }), http, streams },
    kind,
    winner: winners[0]!.route,
    overridden: routesWithoutEffect(http),
  };
}

function findingsOf(
  { route, parent, at }: { readonly route: ActiveRoute; readonly parent: ParentRef; readonly at: PortsOf },
  attached: AllMerged,
  context: ResolveContext,
): Findings {
  const service = `${parent.namespace}/${parent.name}`;
  const consumer = route.namespace === parent.namespace ? '' : route.namespace;
  const held = at.ports.map((port) => ({ port, merged: attached.byKey.get(keyOf(service, port, consumer))! }));
  const lost = held.filter(({ merged }) => merged.kind !== route.kind);
  const conflicts = lost.map(({ port, merged }) => `port ${port} has ${said(merged.winner)}`);
  const isNowhere = lost.length === held.length;
  const invalidRules = route.http.flatMap(({ name, problem }) =>
    problem === undefined ? [] : [`rule ${name}: ${problem}`],
  );
  const isInvalid = invalidRules.length > 0 && invalidRules.length === route.http.length;
  const place = { ...context, route, parentNamespace: parent.namespace };
  const refused = at.problem ?? (isNowhere ? { reason: 'Conflicted', message: conflicts.join('; ') } : undefined);
  return {
    refused: refused ?? (isInvalid ? { reason: 'UnsupportedValue', message: invalidRules.join('; ') } : undefined),
    remarks: conflicts.map((text) => `not everywhere: ${text}`),
    refs: [
      ...route.http.flatMap((draft, i) => resolveHttp(draft, i, place).refs),
      ...route.streams.flatMap((draft, i) => resolveStream(draft, i, place).refs),
    ],
    invalidRules: isInvalid ? [] : invalidRules,
    overriddenBy: refused === undefined ? winnersOver({ route, service, consumer }, held, attached) : [],
  };
}

function winnersOver(
  { route, service, consumer }: { readonly route: ActiveRoute; readonly service: string; readonly consumer: string },
  held: readonly { readonly port: number; readonly merged: Merged }[],
  attached: AllMerged,
): readonly string[] {
  const older = held.flatMap(({ port, merged }) => {
    const by = merged.overridden.get(routeId(route));
    return by === undefined ? [] : [`${by} says the same on port ${port} and goes before it`];
  });
  if (consumer !== '') return older;
  const ports = new Set(held.map(({ port }) => port));
  const consumers = (attached.consumers.get(service) ?? []).filter(({ routes }) => ports.has(routes.port));
  return [
    ...older,
    ...new Set(
      consumers.map(({ routes, winner }) => `for callers of ${routes.consumer} ${said(winner)} takes its place`),
    ),
  ];
}

interface PortsOf {
  readonly ports: readonly number[];
  readonly problem?: Problem;
}

/** Which ports of its parent a route is about. */
function portsOf({ kind }: ActiveRoute, parent: ParentRef, { services }: ResolveContext): PortsOf {
  const { namespace, name, port, sectionName } = parent;
  const refuse = (reason: string, message: string): PortsOf => ({ ports: [], problem: { reason, message } });
  const service = services(`${namespace}/${name}`);
  if (service === undefined) return refuse('NoMatchingParent', `there is no service ${namespace}/${name}`);
  if (service.type !== 'virtual') {
    return refuse(
      'UnsupportedValue',
      `service ${service.id} is ${service.type}, and has no address that routes could be about`,
    );
  }
  const asked = service.ports.filter(
    (one) => (port === undefined || one.port === port) && (sectionName === undefined || one.name === sectionName),
  );
  if (asked.length === 0) {
    const what = [port, sectionName].filter((part) => part !== undefined).join(' named ');
    const all = service.ports.map((one) => (one.name === '' ? `${one.port}` : `${one.port} (${one.name})`)).join(', ');
    return refuse('NoMatchingParent', `service ${service.id} has no port ${what}; it has ${all}`);
  }
  const fit = asked.filter(({ protocol }) => speaks(kind, protocol, port !== undefined || sectionName !== undefined));
  if (fit.length > 0) return { ports: fit.map((one) => one.port) };
  return refuse(
    'UnsupportedValue',
    `service ${service.id} has no port that a ${kind} could be about: none speaks its protocol`,
  );
}

/** A port named is taken at its word, unless what it speaks is opaque. */
function speaks(kind: RouteKind, protocol: string, isNamed: boolean): boolean {
  if (kind === 'HTTPRoute') return protocol !== 'tcp';
  if (kind === 'GRPCRoute') return protocol !== 'tcp' && (isNamed || protocol !== 'http');
  return true;
}

function isService({ kind, group }: ParentRef): boolean {
  return kind === 'Service' && (group === '' || group === 'core');
}

/** Gateway API, HTTPRouteRule: the oldest route, then the first by namespace and name. */
function byPrecedence(a: ActiveRoute, b: ActiveRoute): number {
  const id = ({ namespace, name }: ActiveRoute) => `${namespace}/${name}`;
  return a.createdAtMs - b.createdAtMs || (id(a) < id(b) ? -1 : id(a) > id(b) ? 1 : 0);
}

function keyOf(service: string, port: number, consumer: string): string {
  return `${service} ${port} ${consumer}`;
}

function said({ kind, namespace, name }: ActiveRoute): string {
  return `${kind} ${namespace}/${name}`;
}
