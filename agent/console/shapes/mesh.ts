/** GET /api/v1/members, /members/{node}, /identities, /documents, /traces, /logs, /index; POST /documents, /documents/check @module */
import { z } from 'zod';
import { coverage } from '../../mesh-query/shapes.ts';
import { event, health, source } from './common.ts';

export const memberRow = z.object({
  name: z.string(),
  state: z.string(),
  zone: z.string(),
  version: z.string(),
  address: z.string(),
  isSelf: z.boolean(),
  health,
  cause: z.string(),
  heardAgoMs: z.number().nullable(),
  rttMs: z.number().nullable(),
  skewMs: z.number().nullable(),
  endpoints: z.int(),
  workloads: z.int().nullable(),
  capturedRatio: z.number().nullable(),
  certificateExpiresMs: z.number().nullable(),
  certificateLifeMs: z.number().nullable(),
  renewal: z.string(),
  accusers: z.array(z.string()),
  documents: z.object({ applied: z.int(), pending: z.int(), rejected: z.int() }).nullable(),
  gossip: z.record(z.string(), z.number()),
});
export type MemberRow = z.infer<typeof memberRow>;
export const members = z.object({ members: z.array(memberRow), coverage });
export type Members = z.infer<typeof members>;
/** Of one node, what it says itself; `answered` false: only what others know. */
export const memberDetail = z.object({
  member: memberRow,
  answered: z.boolean(),
  /** Its view of the others. */
  sees: z.array(z.object({ name: z.string(), state: z.string() })),
  workloads: z.array(
    z.object({
      id: z.string(),
      service: z.string(),
      state: z.string(),
      detail: z.string(),
      identity: z.string(),
      certificateExpiresMs: z.number().nullable(),
    }),
  ),
  pending: z.array(source.extend({ state: z.string(), why: z.string() })),
  events: z.array(event),
  coverage,
});
export type MemberDetail = z.infer<typeof memberDetail>;

export const identities = z.object({
  identities: z.array(
    z.object({
      id: z.string(),
      services: z.array(z.string()),
      nodes: z.array(z.string()),
      expiresMs: z.number().nullable(),
      lifeMs: z.number().nullable(),
    }),
  ),
  edges: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      tls: z.string(),
      /** `namespace/policy rule` by the rules in use now, one edge for each rule; `a or b` where it hangs on what was not kept; `default`, `no-allow`, `strict`: no rule. */
      rule: z.string(),
      document: source.nullable(),
      /** How often it decided, whoever called, since the nodes began; null where there are several, or none was counted. */
      ruleHits: z.number().nullable(),
      allowed: z.number(),
      /** Access alone; limits are none. */
      denied: z.number(),
      /** The end of the last step of the range in which it was seen. */
      lastMs: z.number().nullable(),
      plaintextUntilMs: z.number().nullable(),
    }),
  ),
  /** Callers without identity, let in at a permissive port; counted since the nodes began. */
  plaintext: z.array(
    z.object({
      address: z.string(),
      to: z.string(),
      port: z.int(),
      count: z.number(),
      lastMs: z.number(),
      untilMs: z.number().nullable(),
    }),
  ),
  coverage,
});
export type Identities = z.infer<typeof identities>;

export const documentRow = source.extend({
  rev: z.string(),
  signer: z.string(),
  signedMs: z.number(),
  state: z.enum(['applied', 'pending', 'rejected', 'held-back', 'deleted']),
  nodesApplied: z.int(),
  nodesTotal: z.int(),
  advice: z.array(z.string()),
  /** Services that called in the last hour what it is about, as far as nodes answered; empty for kinds that are about no calls. */
  callers: z.array(z.string()),
});
export type DocumentRow = z.infer<typeof documentRow>;
export const documents = z.object({ documents: z.array(documentRow), coverage });
export type Documents = z.infer<typeof documents>;
export const documentDetail = z.object({
  document: documentRow,
  yaml: z.string(),
  revisions: z.array(
    z.object({ rev: z.string(), signer: z.string(), signedMs: z.number(), yaml: z.string().nullable() }),
  ),
  nodes: z.array(z.object({ node: z.string(), state: z.string(), why: z.string() })),
  coverage,
});
export type DocumentDetail = z.infer<typeof documentDetail>;
/** POST /documents/check {yaml} */
export const documentCheck = z.object({
  problems: z.array(
    z.object({
      code: z.string(),
      severity: z.enum(['error', 'warning']),
      field: z.string(),
      line: z.int().nullable(),
      message: z.string(),
      fix: z.string(),
    }),
  ),
  /** The document that is in use now, if any. */
  present: z.object({ rev: z.string(), yaml: z.string() }).nullable(),
  /** Whose requests of the last hour it is about, by caller and service that was called; those that would end differently first. */
  affected: z.array(
    z.object({
      service: z.string(),
      to: z.string(),
      requests: z.number(),
      /** How many would end differently for certain; null: how these requests end is not replayed for such a document. */
      changed: z.number().nullable(),
      /** Of how many that is not known, because it hangs on headers, addresses or paths that were not kept. */
      unknown: z.number(),
      how: z.array(z.string()),
    }),
  ),
  /** Nodes that did not tell what they counted. */
  affectedCoverage: coverage.nullable(),
  nodes: z.array(z.object({ node: z.string(), isReady: z.boolean().nullable() })),
  /** What an operator's key signs: base64url of the canonical bytes, made by the agent for this YAML and base. */
  toSign: z.string().nullable(),
  base: z.string().nullable(),
  command: z.string(),
  /** Asked of a deletion: there is no content to sign, only that the document is deleted. */
  isDeletion: z.boolean(),
  /** Null where it cannot be read. */
  key: z.object({ kind: z.string(), namespace: z.string(), name: z.string() }).nullable(),
  /** The rest of what is signed: see signing.ts. */
  next: z
    .object({
      trustDomain: z.string(),
      number: z.int(),
      hlc: z.object({ ms: z.int(), count: z.int() }),
    })
    .nullable(),
});
export type DocumentCheck = z.infer<typeof documentCheck>;

/** Of POST /documents {revision, isDryRun}, the revision as signing.ts makes it. */
export const documentWritten = z.object({
  outcome: z.enum(['written', 'known', 'conflict', 'refused']),
  reason: z.string(),
  detail: z.string(),
  revision: z.string(),
  warning: z.string(),
  affected: z.array(z.string()),
});
export type DocumentWritten = z.infer<typeof documentWritten>;

export const span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string(),
  node: z.string(),
  service: z.string(),
  peer: z.string(),
  kind: z.enum(['client', 'server', 'internal']),
  name: z.string(),
  startMs: z.number(),
  tookMs: z.number(),
  status: z.int(),
  reason: z.string(),
  isFailed: z.boolean(),
  /** The parent was guessed, with this confidence; null: said by headers. */
  inferredConfidence: z.number().nullable(),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
export type Span = z.infer<typeof span>;
export const traceRow = z.object({
  traceId: z.string(),
  root: z.string(),
  service: z.string(),
  startMs: z.number(),
  tookMs: z.number(),
  spans: z.int(),
  services: z.array(z.string()),
  isFailed: z.boolean(),
  status: z.int(),
  user: z.string(),
});
export type TraceRow = z.infer<typeof traceRow>;
export const traces = z.object({ traces: z.array(traceRow), coverage });
export type Traces = z.infer<typeof traces>;
export const trace = z.object({ traceId: z.string(), spans: z.array(span), coverage });
export type Trace = z.infer<typeof trace>;

export const logRow = z.object({ atMs: z.number(), node: z.string(), record: z.record(z.string(), z.unknown()) });
export const logs = z.object({ logs: z.array(logRow), coverage });
export type Logs = z.infer<typeof logs>;

/** Names for the palette. */
export const nameIndex = z.object({
  entries: z.array(
    z.object({
      kind: z.enum(['service', 'route', 'document', 'node', 'identity']),
      name: z.string(),
      href: z.string(),
    }),
  ),
});
export type NameIndex = z.infer<typeof nameIndex>;
