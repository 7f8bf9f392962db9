/** What all answers of the console's API are made of. Ratios are 0..1, instants ms since 1970, null is unknown. @module */
import { z } from 'zod';
import { coverage } from '../../mesh-query/shapes.ts';

export const health = z.enum(['bad', 'warn', 'unknown', 'quiet', 'ok']);
export type Health = z.infer<typeof health>;

/** Figures of a range. `failedRatio` is always `appFailedRatio` + `meshFailedRatio`. */
export const signals = z.object({
  requestsPerSec: z.number().nullable(),
  appFailedRatio: z.number().nullable(),
  meshFailedRatio: z.number().nullable(),
  deniedRatio: z.number().nullable(),
  p50Ms: z.number().nullable(),
  p99Ms: z.number().nullable(),
  bytesPerSec: z.number().nullable(),
});
export type Signals = z.infer<typeof signals>;

const column = z.array(z.number().nullable());
export const series = z.object({
  startMs: z.number(),
  stepMs: z.number(),
  requestsPerSec: column,
  appFailedRatio: column,
  meshFailedRatio: column,
  p50Ms: column,
  p95Ms: column,
  p99Ms: column,
  inFlight: column,
  bytesPerSec: column,
});
export type Series = z.infer<typeof series>;

/** The document that a value comes from; `line` is 1-based in its YAML. */
export const source = z.object({
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  rev: z.string().nullable(),
  line: z.int().nullable(),
});
export type Source = z.infer<typeof source>;

export const problem = z.object({
  id: z.string(),
  service: z.string(),
  health,
  /** The rule that decided, in words with its numbers: `failed 4.2 % of 2,070 requests`. */
  cause: z.string(),
  failedRatio: z.number().nullable(),
  p99Ms: z.number().nullable(),
  sinceMs: z.number().nullable(),
  /** Where at least 80 % of the failures are; dimensions that do not hold are left out. */
  where: z.object({
    version: z.string().optional(),
    route: z.string().optional(),
    endpoint: z.string().optional(),
    node: z.string().optional(),
    reason: z.string().optional(),
  }),
  /** An event at most 120 s before the onset, on the same service, edge or node. */
  after: z.object({ eventId: z.string(), title: z.string(), leadMs: z.number() }).nullable(),
  feltBy: z.array(z.object({ service: z.string(), failedRatio: z.number().nullable() })),
});
export type Problem = z.infer<typeof problem>;

export const EVENT_KINDS = ['document', 'deploy', 'member', 'certificate', 'health', 'ejection', 'capture'] as const;
export const event = z.object({
  id: z.string(),
  atMs: z.number(),
  kind: z.enum(EVENT_KINDS),
  title: z.string(),
  detail: z.string(),
  /** 'namespace/service' and `node:NAME`. */
  touches: z.array(z.string()),
  document: source.extend({ signer: z.string() }).nullable(),
  node: z.string().nullable(),
  count: z.int(),
});
export type MeshEvent = z.infer<typeof event>;
export const events = z.object({ events: z.array(event), next: z.string().nullable(), coverage });
export type MeshEvents = z.infer<typeof events>;

export const role = z.enum(['view', 'operate', 'secure']);
/** GET /api/v1/session */
export const session = z.object({
  node: z.string(),
  mesh: z.string(),
  trustDomain: z.string(),
  version: z.string(),
  nowMs: z.number(),
  operator: z.string().nullable(),
  roles: z.array(z.object({ role, namespaces: z.array(z.string()) })),
  /** To be sent as `x-weft-csrf` with whatever is not GET. */
  csrf: z.string(),
  /** Consoles of other nodes, for when this one stops answering. */
  consoles: z.array(z.object({ node: z.string(), url: z.string() })),
});
export type Session = z.infer<typeof session>;
