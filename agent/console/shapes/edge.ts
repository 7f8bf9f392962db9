/** POST /api/v1/explain; GET /api/v1/edges/{ns}/{from}/{ns}/{to}?rangeMs=&atMs= @module */
import { z } from 'zod';
import { coverage } from '../../mesh-query/shapes.ts';
import { health, series, signals, source } from './common.ts';

export const explainQuestion = z.object({
  /** 'namespace/service', or a SPIFFE id. */
  from: z.string(),
  to: z.string(),
  port: z.int().nullable(),
  method: z.string(),
  path: z.string(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  /** An earlier moment, ms since 1970; null or left out: now. */
  atMs: z.number().nullable().default(null),
});
export type ExplainQuestion = z.infer<typeof explainQuestion>;

export const STEPS = [
  'caller',
  'route',
  'limits',
  'split',
  'timeout',
  'retries',
  'endpoint',
  'circuit',
  'access',
] as const;
export const explainStep = z.object({
  step: z.enum(STEPS),
  /** In words, one line each; the first is the answer. */
  lines: z.array(z.object({ text: z.string(), from: source.nullable() })),
  /** What would have held, but for something more specific. */
  lost: z.array(z.object({ text: z.string(), from: source.nullable(), why: z.string() })),
  isEnd: z.boolean(),
});
export type ExplainStep = z.infer<typeof explainStep>;

export const explained = z.object({
  verdict: z.enum(['allowed', 'denied', 'answered', 'unknown']),
  why: z.string(),
  steps: z.array(explainStep),
  /** Whether other nodes have the same documents in use. */
  agreement: z.array(z.object({ node: z.string(), isSame: z.boolean().nullable(), why: z.string() })),
  /** `weft explain ...` that prints the same. */
  command: z.string(),
  /** Of an earlier moment: what of its documents is not known, one sentence each; null: of now. */
  lacking: z.array(z.string()).nullable(),
  coverage,
});
export type Explained = z.infer<typeof explained>;

export const edgeDetail = z.object({
  from: z.string(),
  to: z.string(),
  health,
  now: signals,
  protocol: z.string(),
  tls: z.string(),
  identities: z.array(z.string()),
  series,
  /** How requests of the range ended. */
  outcomes: z.array(
    z.object({
      /** Whose doing it was: as history judges it. */
      class: z.enum(['app', 'mesh', 'policy', 'client']),
      status: z.int(),
      reason: z.string(),
      count: z.number(),
      ratio: z.number(),
    }),
  ),
  versions: z.array(signals.extend({ name: z.string(), shareRatio: z.number().nullable() })),
  coverage,
});
export type EdgeDetail = z.infer<typeof edgeDetail>;
