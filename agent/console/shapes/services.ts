/** GET /api/v1/services, /api/v1/services/{namespace}/{service}?rangeMs=&stepMs=&atMs= @module */
import { z } from 'zod';
import { coverage } from '../../mesh-query/shapes.ts';
import { event, health, problem, series, signals, source } from './common.ts';

/** What is known of a service, and who says it. */
export const fact = z.object({
  /** owner, description, lifecycle, tier, repository, docs, onCall, language, framework, system ... */
  key: z.string(),
  value: z.string(),
  source: z.enum(['declared', 'observed', 'inferred']),
  /** `catalog-info.yaml`, `process of node-1`, `Server header`. */
  by: z.string(),
  atMs: z.number().nullable(),
});
export type Fact = z.infer<typeof fact>;

export const scoredRule = z.object({
  id: z.string(),
  title: z.string(),
  isMet: z.boolean(),
  /** What to do about it. */
  fix: z.string(),
});
export type ScoredRule = z.infer<typeof scoredRule>;

/** What an OpenAPI document says of the routes of a service, held against those that were called. */
export const apiDrift = z.object({
  /** `API pay/ledger`. */
  definedBy: z.array(z.string()),
  /** Why a document could not be read, or not all of it. */
  problems: z.array(z.string()),
  /** Called, and in no document. */
  undeclared: z.array(
    z.object({
      method: z.string(),
      template: z.string(),
      count: z.number(),
      consumers: z.array(z.string()),
      lastSeenMs: z.number(),
    }),
  ),
  /** In a document, and not called as long as anybody remembers. */
  unused: z.array(z.object({ method: z.string(), template: z.string() })),
});
export type ApiDrift = z.infer<typeof apiDrift>;

export const serviceRow = signals.extend({
  id: z.string(),
  namespace: z.string(),
  name: z.string(),
  tab: z.enum(['seen', 'silent', 'undeclared', 'gone']),
  health,
  cause: z.string(),
  owner: z.string().nullable(),
  tier: z.string().nullable(),
  language: z.object({ value: z.string(), source: fact.shape.source }).nullable(),
  protocol: z.string(),
  versions: z.array(z.string()),
  endpointsReady: z.int().nullable(),
  endpointsTotal: z.int(),
  firstSeenMs: z.number().nullable(),
  lastSeenMs: z.number().nullable(),
  rulesMet: z.int(),
  rulesTotal: z.int(),
  /** Failed share in 24 steps of the range. */
  trend: z.array(z.number().nullable()),
});
export type ServiceRow = z.infer<typeof serviceRow>;
export const services = z.object({ services: z.array(serviceRow), coverage });
export type Services = z.infer<typeof services>;

export const observedRoute = signals.extend({
  method: z.string(),
  template: z.string(),
  consumers: z.array(z.string()),
  statuses: z.record(z.string(), z.number()),
  firstSeenMs: z.number().nullable(),
  lastSeenMs: z.number().nullable(),
});
export type ObservedRoute = z.infer<typeof observedRoute>;

export const neighbour = signals.extend({
  service: z.string(),
  protocol: z.string(),
  hops: z.int(),
  via: z.array(z.string()),
  tls: z.string(),
  firstSeenMs: z.number().nullable(),
  lastSeenMs: z.number().nullable(),
});
export type Neighbour = z.infer<typeof neighbour>;

export const endpointRow = z.object({
  workload: z.string(),
  node: z.string(),
  zone: z.string(),
  address: z.string(),
  port: z.int(),
  version: z.string(),
  state: z.string(),
  weight: z.number(),
  identity: z.string(),
  isEjected: z.boolean(),
});
export type EndpointRow = z.infer<typeof endpointRow>;

export const serviceDetail = z.object({
  id: z.string(),
  asOfMs: z.number(),
  health,
  problem: problem.nullable(),
  now: signals,
  facts: z.array(fact),
  objective: z
    .object({
      targetRatio: z.number(),
      windowMs: z.number(),
      /** Slower ones do not go well; null: latency does not matter. */
      latencyMs: z.number().nullable(),
      /** Of the window, what the history holds: what is left of the budget is told of this. */
      knownMs: z.number(),
      budgetLeftRatio: z.number().nullable(),
      exhaustedInMs: z.number().nullable(),
      source: source.nullable(),
      isProposed: z.boolean(),
    })
    .nullable(),
  series,
  /** Answers a second by class, `2xx`, in the steps of `series`; `0`: none, `grpc ok` and `grpc failed`: gRPC's own, once more. */
  statuses: z.record(z.string(), z.array(z.number().nullable())),
  versions: z.array(signals.extend({ name: z.string(), shareRatio: z.number().nullable(), endpoints: z.int() })),
  routes: z.array(observedRoute),
  /** Null: nobody declared an OpenAPI document. */
  api: apiDrift.nullable(),
  callers: z.array(neighbour),
  calls: z.array(neighbour),
  endpoints: z.array(endpointRow),
  /** Nodes whose endpoints took requests in the range, as these nodes counted them. */
  answeredBy: z.array(signals.extend({ node: z.string() })),
  policies: z.array(source),
  rules: z.array(scoredRule),
  events: z.array(event),
  coverage,
});
export type ServiceDetail = z.infer<typeof serviceDetail>;
