/**
 * What operators say about traffic, as the control thread compiles it for workers: plain data, structured-cloneable.
 *
 * Routes arrive attached: the control thread has resolved parents, backends and conflicts, so that a worker only looks up
 * the service and port that was dialled. Settings arrive as written; which of them hold for a call is decided where it is
 * made, and every one can be traced to its document.
 * @module
 */

import type { AccessSource } from '../access/policy.ts';
import type { BalancerName } from '../balancer/balancer.ts';

/** Where something was written, so that each decision can name its document. */
export interface Origin {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: string;
  /** Of a route: the rule's name, or its position from `rule-1`. Else ''. */
  readonly rule: string;
}

/** As records and people call it: `HTTPRoute shop/cart rule 2`. */
export function subjectOf({ kind, namespace, name, rule }: Origin): string {
  return `${kind} ${namespace}/${name}${rule === '' ? '' : ` rule ${rule.replace(/^rule-/, '')}`}`;
}

/** Everything about traffic that is in force; replaces what was before as a whole. */
export interface TrafficRules {
  readonly routes: readonly ServiceRoutes[];
  readonly policies: readonly TrafficPolicy[];
  readonly limits: readonly RateLimit[];
  readonly faults: readonly Fault[];
  /** Signs the cookies of affinity; the same on all nodes. */
  readonly cookieSecret: string;
}

export const NO_TRAFFIC: TrafficRules = { routes: [], policies: [], limits: [], faults: [], cookieSecret: '' };

/** The routes of one port of a service. They take the place of the plain way to the service. */
export interface ServiceRoutes {
  /** 'namespace/service' that was dialled. */
  readonly service: string;
  readonly port: number;
  /** For callers of this namespace alone, in place of those for everybody; undefined: for everybody. */
  readonly consumer?: string;
  readonly http: readonly HttpRule[];
  /** Of TCPRoute and TLSRoute; used where `http` is empty. */
  readonly streams: readonly StreamRule[];
}

/** A rule of an HTTPRoute or GRPCRoute. */
export interface HttpRule {
  readonly origin: Origin;
  /** Milliseconds since 1970 by which older routes go first; 0 where nobody said. */
  readonly createdAtMs: number;
  /** Position among the rules of its route. */
  readonly position: number;
  /** Any of them; none: every request. */
  readonly matches: readonly HttpMatch[];
  readonly actions: HttpActions;
  /** Shares of the traffic; none where the actions answer by themselves. */
  readonly backends: readonly Backend[];
  readonly timeouts: { readonly requestMs?: number; readonly backendRequestMs?: number };
  readonly retry?: RouteRetry;
  readonly affinity?: Affinity;
}

/** All that are given must hold. */
export interface HttpMatch {
  readonly path?: { readonly type: 'exact' | 'prefix' | 'regex'; readonly value: string };
  /**
   * Of a GRPCRoute: how many characters of service and method it names, by which it goes first. `path` holds what it asks:
   * exact `/service/method`, prefix `/service`, or an expression.
   */
  readonly grpc?: { readonly serviceCharacters: number; readonly methodCharacters: number };
  readonly method?: string;
  /** Names in lower case. */
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  readonly cookies: readonly ValueMatch[];
  /** Any of them; none: whoever calls. */
  readonly sources: readonly AccessSource[];
  /** Share of the requests that fall under it, 0 to 100. */
  readonly percent?: number;
}

export interface ValueMatch {
  readonly name: string;
  readonly type: 'exact' | 'prefix' | 'regex' | 'present';
  readonly value: string;
  /** Holds where the rest does not. */
  readonly isNot: boolean;
}

/** What a rule does to requests and responses. */
export interface HttpActions {
  readonly requestHeaders?: HeaderEdits;
  readonly responseHeaders?: HeaderEdits;
  readonly rewrite?: { readonly hostname?: string; readonly path?: PathEdit };
  readonly redirect?: Redirect;
  readonly respond?: StaticResponse;
  readonly mirrors: readonly Mirror[];
  readonly cors?: Cors;
}

/** In this order: set, add, remove. Names as written; compared without regard to case. */
export interface HeaderEdits {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

/** 'prefix' puts `value` in the place of the prefix that matched, by whole segments (Gateway API, ReplacePrefixMatch). */
export interface PathEdit {
  readonly type: 'full' | 'prefix';
  readonly value: string;
}

export interface Redirect {
  readonly scheme?: 'http' | 'https';
  readonly hostname?: string;
  readonly port?: number;
  readonly path?: PathEdit;
  readonly status: 301 | 302 | 303 | 307 | 308;
}

export interface StaticResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** A copy of the request goes there as well; what comes of it is counted and dropped. */
export interface Mirror {
  readonly backend: Backend;
  /** Share of the requests, 0 to 100. */
  readonly percent: number;
}

export interface Cors {
  /** Exact origins, `*`, or with one `*` as their first label: `https://*.example.org`. */
  readonly allowOrigins: readonly string[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  readonly maxAgeSeconds: number;
}

export interface Backend {
  /** 'namespace/service'. */
  readonly service: string;
  readonly port: number;
  /** 0 or more, in proportion to its siblings. */
  readonly weight: number;
  /** Name of a subset, of TrafficPolicy or a version; undefined: all endpoints. */
  readonly subset?: string;
  readonly requestHeaders?: HeaderEdits;
  readonly responseHeaders?: HeaderEdits;
  /** Why it cannot be used; its share gets a 500. */
  readonly problem?: string;
}

export interface RouteRetry {
  /** Besides the first. */
  readonly attempts?: number;
  readonly codes: readonly number[];
  readonly backoffMs?: number;
}

/** Calls of one session go to one endpoint for as long as it lives. */
export interface Affinity {
  readonly type: 'cookie' | 'header';
  readonly name: string;
  /** How long a cookie lives; undefined: as long as the browser is open. */
  readonly ttlMs?: number;
  readonly path?: string;
}

/** A rule of a TCPRoute or TLSRoute. */
export interface StreamRule {
  readonly origin: Origin;
  readonly createdAtMs: number;
  readonly position: number;
  /** Server names of TLS, `*.example.org` among them; none: any connection. */
  readonly serverNames: readonly string[];
  readonly backends: readonly Backend[];
}

/** Which calls something is about. All that are given must hold. */
export interface CallTarget {
  /** Of the service; undefined: any. */
  readonly namespace?: string;
  /** Names of services; none: all. */
  readonly services: readonly string[];
  /** Service ports; none: all. */
  readonly ports: readonly number[];
  /** Routes by 'Kind/namespace/name'; none: whatever the route. */
  readonly routes: readonly string[];
  /** Callers; none: anybody. */
  readonly from: readonly AccessSource[];
}

export interface TrafficPolicy {
  readonly origin: Origin;
  readonly target: CallTarget;
  readonly settings: PolicySettings;
}

/** What is left out is left to a policy that is less specific, and at last to the defaults. */
export interface PolicySettings {
  readonly balancer?: Balancing;
  readonly locality?: Locality;
  /** Labels that endpoints of a subset have, by name of the subset. */
  readonly subsets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly affinity?: Affinity;
  readonly warmUp?: WarmUp;
  /** Below this share of endpoints that are well, all of them are used. 0 to 1. */
  readonly panicRatio?: number;
  readonly circuit?: Partial<CircuitLimits>;
  readonly timeouts?: Partial<Timeouts>;
  readonly retries?: Partial<Retries>;
  readonly retryBudget?: Partial<RetryBudget>;
  /** 'off': nobody is ejected. */
  readonly outliers?: Partial<Outliers> | 'off';
  readonly concurrency?: Partial<Concurrency> | 'off';
  /** In this order, where the service itself has no endpoint that is well. */
  readonly fallbacks?: readonly Fallback[];
  /** Whether other nodes try its endpoints; whoever calls. */
  readonly healthCheck?: HealthCheck | 'off';
}

/** Three nodes try whether they reach an endpoint: its agent, by a connection and a handshake. */
export interface HealthCheck {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in a row. */
  readonly unhealthyAfter: number;
  /** Successes in a row. */
  readonly healthyAfter: number;
}

export interface Balancing {
  readonly name: BalancerName;
  /** What ring-hash and maglev hash; left out: who calls. */
  readonly hashOn?: { readonly header: string } | { readonly cookie: string } | { readonly query: string };
}

export interface Locality {
  /** 'nearest': this node, then zone, then region, then anywhere. */
  readonly mode: 'nearest' | 'off';
  /** Traffic stays near while this share of the endpoints there is well; below it, what they lack spills over. 0 to 1. */
  readonly spillBelowRatio: number;
}

/** A new endpoint begins with a part of its share. */
export interface WarmUp {
  readonly durationMs: number;
  readonly minPercent: number;
  /** 1 grows in a straight line; more, slower at first. */
  readonly aggression: number;
}

/** For each caller and service, over all workers of a node. */
export interface CircuitLimits {
  readonly maxConnections: number;
  readonly maxPending: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

/** 0 is none. */
export interface Timeouts {
  /** From the head of a request to the end of its response, all attempts together. */
  readonly requestMs: number;
  /** Of one attempt. */
  readonly backendMs: number;
  readonly connectMs: number;
  /** Silence on a connection or in a response. */
  readonly idleMs: number;
}

export type RetryCondition = 'connect-failure' | 'refused' | 'reset' | '5xx' | 'gateway-error' | '429' | 'timeout';

export interface Retries {
  /** Besides the first. */
  readonly attempts: number;
  readonly on: readonly RetryCondition[];
  /** Statuses besides those of `on`. */
  readonly codes: readonly number[];
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Repeats what is not idempotent too. */
  readonly isAnyMethod: boolean;
}

/** How many of the requests of a window may be repeats. */
export interface RetryBudget {
  readonly ratio: number;
  readonly windowMs: number;
  readonly minPerSecond: number;
}

export interface Outliers {
  /** Failures in a row. */
  readonly consecutive: number;
  /** Share of answers that must be good, where there were `minRequests` in `windowMs`. */
  readonly successRatio: number;
  readonly minRequests: number;
  readonly windowMs: number;
  /** Grows with each ejection in a row, up to the longest. */
  readonly ejectMs: number;
  readonly maxEjectMs: number;
  readonly maxEjectedRatio: number;
}

/** At the destination, for each service port. */
export interface Concurrency {
  readonly minRequests: number;
  readonly maxRequests: number;
  /** The header that says how much a request matters, from 0 (most) to 3. */
  readonly priorityHeader: string;
  /** For requests without it. */
  readonly defaultPriority: number;
}

export type Fallback =
  | { readonly kind: 'subset'; readonly subset: string }
  | { readonly kind: 'service'; readonly service: string; readonly port: number }
  | { readonly kind: 'respond'; readonly respond: StaticResponse };

export interface RateLimit {
  readonly origin: Origin;
  readonly target: CallTarget;
  /** Which calls share a bucket: all of the target, those to a workload, under a route, or of a caller. */
  readonly per: 'target' | 'workload' | 'route' | 'caller';
  readonly requestsPerSecond: number;
  readonly burst: number;
  /** Counts what it would refuse, and refuses nothing. */
  readonly isShadow: boolean;
}

/** Whether it is counted where calls arrive, not where they begin. */
export function isAtDestination({ per }: Pick<RateLimit, 'per'>): boolean {
  return per === 'workload' || per === 'caller';
}

export interface Fault {
  readonly origin: Origin;
  readonly target: CallTarget;
  /** Requests with these headers alone. */
  readonly headers: readonly ValueMatch[];
  readonly delay?: { readonly ms: number; readonly percent: number };
  readonly abort?: { readonly status: number; readonly grpcStatus?: number; readonly percent: number };
  readonly reset?: { readonly percent: number };
  readonly bandwidth?: { readonly bytesPerSecond: number; readonly percent: number };
  /** Nothing of it happens from then on. */
  readonly untilMs: number;
}

/** What holds where no document says anything. Safe by itself, and shown by `weft get trafficpolicy --effective`. */
export const DEFAULT_SETTINGS = {
  balancer: { name: 'peak-ewma' },
  locality: { mode: 'off', spillBelowRatio: 0.7 },
  panicRatio: 0.5,
  circuit: { maxConnections: 65_536, maxPending: 1_024, maxRequests: 65_536, maxRetries: 1_024 },
  timeouts: { requestMs: 0, backendMs: 0, connectMs: 1_000, idleMs: 0 },
  retries: {
    attempts: 2,
    on: ['connect-failure', 'refused', 'reset'],
    codes: [],
    backoffMs: 25,
    maxBackoffMs: 250,
    isAnyMethod: false,
  },
  retryBudget: { ratio: 0.2, windowMs: 10_000, minPerSecond: 10 },
  outliers: {
    consecutive: 5,
    successRatio: 0.8,
    minRequests: 20,
    windowMs: 10_000,
    ejectMs: 5_000,
    maxEjectMs: 300_000,
    maxEjectedRatio: 0.5,
  },
  concurrency: 'off',
  fallbacks: [],
  healthCheck: 'off',
} as const satisfies PolicySettings;

/** What a policy that switches `concurrency` on leaves out. */
export const DEFAULT_CONCURRENCY: Concurrency = {
  minRequests: 4,
  maxRequests: 1_000,
  priorityHeader: 'weft-priority',
  defaultPriority: 1,
};
