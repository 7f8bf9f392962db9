/**
 * The way of a request, told decision by decision: the route that takes it and why not the others, what is done to it, where
 * it may go in which shares, what holds it back, and which document says so. Answered with the data plane's own tables
 * (proxy/routing/, proxy/resilience/) from what this node has in use. Pure.
 * @module
 */

import { explainRoute } from '../../../proxy/routing/explain.ts';
import type { RouteRequest } from '../../../proxy/routing/request.ts';
import { DescribedRouteRequest } from '../../../proxy/routing/request.ts';
import type { CompiledRule } from '../../../proxy/routing/rule.ts';
import { Split } from '../../../proxy/routing/split.ts';
import { compileRoutes } from '../../../proxy/routing/table.ts';
import type { ServiceRoutes, StreamRule } from '../../../proxy/traffic/rules.ts';
import type { ExplainQuestion, ExplainRequest } from '../../access/explain.ts';
import type { Resolved } from '../../access/resolve.ts';
import { routeId } from '../attach.ts';
import { backendView, type Grounds, groundsOf } from './backends.ts';
import { type Dialled, resolveDialled, settingsFor, type TrafficWorld } from './dialled.ts';
import { faultViews, limitViews } from './disturbances.ts';
import { actionFilters } from './filters.ts';
import { OF_REQUEST, settingViews, sourceOf } from './settings.ts';
import type { TrafficView, WayView } from './views.ts';

const MAX_MATCHES = 50;
const REWRITTEN =
  'the destination judges the request as it is rewritten, and access is told for it as asked: ask again with what it becomes';

/** One for each port that was meant. Without a request nothing is said of ports that carry requests. */
export function explainTraffic(question: ExplainQuestion, world: TrafficWorld): Resolved<readonly TrafficView[]> {
  const found = resolveDialled(question.from, question.to, world);
  if (!found.ok) return found;
  // Nobody's agent sends what comes from outside the mesh.
  if (found.value[0]?.caller.identity === undefined) return { ok: true, value: [] };
  const told = found.value.filter(({ protocol }) => question.request !== undefined || protocol === 'tcp');
  return { ok: true, value: told.map((call) => explainDialled(call, question.request, world)) };
}

function explainDialled(call: Dialled, request: ExplainRequest | undefined, world: TrafficWorld): TrafficView {
  const { here, note } = placeOf(call, world);
  const grounds = groundsOf(world, here);
  const { service, port, protocol } = call;
  const routes = call.endpointId === undefined ? routesOf(call, world) : undefined;
  const notes = [
    ...(note === '' ? [] : [note]),
    ...(call.endpointId === undefined
      ? []
      : ['an endpoint is dialled by itself: no route, limit or fault is about it']),
  ];
  const base = { service, port, protocol, notes, considered: [], leftOut: 0, routes: scopeOf(routes) };
  if (protocol === 'tcp' || request === undefined) {
    return { ...base, ways: [streamWay(call, routes?.streams[0], grounds)] };
  }
  const described = describedRequest(call, request);
  if (routes === undefined || routes.http.length === 0) {
    const isPlain = call.endpointId !== undefined;
    return { ...base, routes: 'none', ways: [plainWay(call, isPlain ? undefined : described, grounds)] };
  }
  const { winners, considered, leftOut } = explainRoute(compileRoutes(routes), described, call.peer, MAX_MATCHES);
  const ways = winners.map(({ compiled, share }) => ruleWay(call, { compiled, share, request: described }, grounds));
  const isRewritten = ways.some(({ filters }) => filters.some(({ filter }) => filter === 'rewrite'));
  return {
    ...base,
    notes: isRewritten ? [...notes, REWRITTEN] : notes,
    leftOut,
    considered: considered.map(({ rule, position, outcome, why }) => {
      return { source: sourceOf(rule.origin), match: position + 1, outcome, why };
    }),
    ways,
  };
}

/** Those of the caller's own namespace take the place of those for everybody. */
function routesOf({ service, port, caller }: Dialled, { rules }: TrafficWorld): ServiceRoutes | undefined {
  const here = rules.routes.filter((routes) => routes.service === service && routes.port === port);
  const own = here.find(({ consumer }) => consumer !== undefined && consumer === caller.namespace);
  return own ?? here.find(({ consumer }) => consumer === undefined);
}

function scopeOf(routes: ServiceRoutes | undefined): TrafficView['routes'] {
  if (routes === undefined) return 'none';
  return routes.consumer === undefined ? 'producer' : 'consumer';
}

interface Won {
  readonly compiled: CompiledRule;
  readonly share: number;
  readonly request: RouteRequest;
}

function ruleWay(call: Dialled, { compiled, share, request }: Won, grounds: Grounds): WayView {
  const { rule } = compiled;
  const { world } = grounds;
  const route = routeId(rule.origin);
  const answer = answerOf(compiled);
  const { backends } = rule;
  return {
    source: sourceOf(rule.origin),
    share,
    filters: [...actionFilters(rule.actions), ...compiled.ignored.map((detail) => ({ filter: 'ignored', detail }))],
    answer,
    limits: limitViews(call, route, backends, world),
    faults: faultViews(call, route, request, world),
    settings: settingViews(settingsFor(world, call, route), OF_REQUEST, rule),
    backends:
      answer === null
        ? compiled.backends.map((one) => backendView(one.backend, compiled.split.shareOf(one), call, grounds))
        : [],
  };
}

/** What the rule answers without asking a backend. */
function answerOf({ rule: { actions }, backends, split }: CompiledRule): string | null {
  if (actions.redirect !== undefined) return `a redirect, status ${actions.redirect.status}`;
  if (actions.respond !== undefined) return `status ${actions.respond.status}`;
  const hasAny = backends.some((backend) => split.has(backend));
  return hasAny ? null : 'status 500: no backend has any weight';
}

/** No route: to the service as it is. @param request undefined where limits and faults are not about it */
function plainWay(call: Dialled, request: RouteRequest | undefined, grounds: Grounds): WayView {
  const { world } = grounds;
  return {
    source: null,
    share: 1,
    filters: [],
    answer: null,
    limits: request === undefined ? [] : limitViews(call, undefined, [call], world),
    faults: request === undefined ? [] : faultViews(call, undefined, request, world),
    settings: settingViews(settingsFor(world, call), OF_REQUEST),
    backends: [backendView({ service: call.service, port: call.port, weight: 1 }, 1, call, grounds)],
  };
}

/** Of connections that are not HTTP only the first rule counts (proxy/outbound/stream-attempts.ts). */
function streamWay(call: Dialled, rule: StreamRule | undefined, grounds: Grounds): WayView {
  const plain = plainWay(call, undefined, grounds);
  if (rule === undefined) return plain;
  const split = new Split(rule.backends);
  const backends = rule.backends.map((backend) => backendView(backend, split.shareOf(backend), call, grounds));
  return { ...plain, source: sourceOf(rule.origin), backends };
}

function describedRequest({ service, port }: Dialled, { method, path, host, headers }: ExplainRequest): RouteRequest {
  const [namespace, name] = service.split('/');
  const authority = host ?? `${name}.${namespace}.weft${port === 80 ? '' : `:${port}`}`;
  const hasHost = headers.some(([header]) => header.toLowerCase() === 'host');
  return new DescribedRouteRequest({ method, path, headers: hasHost ? headers : [['host', authority], ...headers] });
}

/** Nearness is that of the caller's node; what is known of endpoints is what this node knows. */
function placeOf({ caller }: Dialled, { node, zone, register, endpoints }: TrafficWorld) {
  const isHere = register.local.some(({ identity }) => identity === caller.identity);
  const elsewhere = new Map(
    endpoints.filter(({ identity }) => identity === caller.identity).map((one) => [one.node, one]),
  );
  const [only, ...others] = elsewhere.values();
  if (isHere) return { here: { node, zone }, note: '' };
  if (only === undefined || others.length > 0) {
    const why =
      only === undefined ? 'no node is known to run the caller' : `the caller runs on ${elsewhere.size} nodes`;
    return { here: { node, zone }, note: `${why}: nearness and ejections are told as ${node} sees them` };
  }
  const note = `the caller runs on ${only.node}: ejections are told as ${node} sees them; ask there to be sure`;
  return { here: { node: only.node, zone: only.zone }, note };
}
