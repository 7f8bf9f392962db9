/**
 * Figures of traffic over time: what a node counted in steps of 10 s (24 h) or 5 min (14 d), as the history keeps them and
 * every view reads them. Counts are of the step, not running totals.
 * @module
 */
import { z } from 'zod';

/** What rows may be kept apart by; what is not named is added up. */
export const DIMENSIONS = [
  'source',
  'sourceService',
  'destination',
  'protocol',
  'version',
  'route',
  'method',
  'node',
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export const figuresQuestion = z.object({
  /** ms since 1970; the first step begins at or before it. */
  fromMs: z.number(),
  toMs: z.number(),
  /** 10,000 or 300,000 times a whole number; null: one step for all. */
  stepMs: z.number().nullable(),
  /** As caller or as destination: 'namespace/service'; null: all. */
  service: z.string().nullable(),
  by: z.array(z.enum(DIMENSIONS)),
  /** Whose count: callers' (`outbound`) or destinations' (`inbound`). */
  direction: z.enum(['outbound', 'inbound']),
  /** Whether rows carry `latency`. */
  withBuckets: z.boolean().optional(),
  /** Whether statuses are told step by step as well; left out: of the whole range only. */
  isByStatus: z.boolean().optional(),
});
export type FiguresQuestion = z.infer<typeof figuresQuestion>;

/** A value a step; null where the node has nothing of that step, which is not zero. */
export type Column = (number | null)[];

export interface FiguresRow {
  /** Only the dimensions asked for. */
  readonly labels: Partial<Record<Dimension, string>>;
  readonly requests: Column;
  /** 4xx of the application. */
  readonly clientErrors: Column;
  /** 5xx of the application, gRPC 2 4 13 14 15, resets. */
  readonly appFailed: Column;
  /** Ended by the mesh without policy; access denials and limits are in `denied`. */
  readonly meshFailed: Column;
  readonly denied: Column;
  readonly p50Ms: Column;
  readonly p95Ms: Column;
  readonly p99Ms: Column;
  readonly bytesReceived: Column;
  readonly bytesSent: Column;
  readonly connectionsOpened: Column;
  readonly inFlight: Column;
  /** Requests by bucket of latency, BUCKETS for each step, one after the other; where asked for. */
  readonly latency?: Float64Array;
  /** Of the whole range: by reason code, and by exact status. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, number>>;
  /** By class, `2xx`; `0` had no answer, `grpc ok` and `grpc failed` are those of gRPC once more. Only where it was asked for. */
  readonly statusSteps?: Readonly<Record<string, Column>>;
}

export interface Figures {
  /** Of the first step. */
  readonly startMs: number;
  readonly stepMs: number;
  /** By step: how much of it was counted, by the node that counted most; what to divide a count by for a rate. 0: unknown. */
  readonly coveredMs: readonly number[];
  readonly rows: readonly FiguresRow[];
}
