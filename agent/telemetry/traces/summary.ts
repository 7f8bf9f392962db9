/** What a list of traces shows: each node sums up its part, whoever asks puts the parts together. Pure. @module */
import { z } from 'zod';
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import type { TraceRow } from '../../console/shapes/mesh.ts';
import { ownService } from '../access-log/entry.ts';
import { nameOf } from './spans.ts';

const MAX_SERVICES = 64;

export const traceSummary = z.object({
  traceId: z.string(),
  /** Of the span that no other of this part is the parent of, and that began first. */
  first: z.object({
    isRoot: z.boolean(),
    name: z.string(),
    service: z.string(),
    startMs: z.number(),
    tookMs: z.number(),
    status: z.int(),
  }),
  endMs: z.number(),
  spans: z.int(),
  services: z.array(z.string()).max(MAX_SERVICES),
  isFailed: z.boolean(),
  user: z.string(),
});
export type TraceSummary = z.infer<typeof traceSummary>;

/** @param records of one trace, at least one */
export function summaryOf(records: readonly RequestRecord[]): TraceSummary {
  const ids = new Set(records.map(({ spanId }) => spanId));
  const tops = records.filter(({ parentSpanId }) => !ids.has(parentSpanId));
  const first = earliest(tops.length === 0 ? records : tops);
  const services = records.flatMap((record) => [ownService(record), record.destination]);
  return {
    traceId: first.traceId,
    first: {
      isRoot: first.parentSpanId === '',
      name: nameOf(first),
      service: ownService(first),
      startMs: first.atMs,
      tookMs: first.tookMs,
      status: first.status,
    },
    endMs: Math.max(...records.map(({ atMs, tookMs }) => atMs + tookMs)),
    spans: records.length,
    services: [...new Set(services)].slice(0, MAX_SERVICES),
    isFailed: records.some(({ kept }) => kept.failed),
    user: records.find(({ user }) => user !== '')?.user ?? '',
  };
}

/** @param parts of one trace, from one or more nodes. Instants are those of each node's clock, as measured. */
export function traceRowOf(parts: readonly TraceSummary[]): TraceRow {
  const byStart = [...parts].sort((a, b) => a.first.startMs - b.first.startMs);
  const { traceId, first } = byStart.find(({ first }) => first.isRoot) ?? byStart[0]!;
  return {
    traceId,
    root: first.name,
    service: first.service,
    startMs: first.startMs,
    // A clock that is ahead must not make it shorter than its own root.
    tookMs: first.isRoot ? first.tookMs : Math.max(...parts.map(({ endMs }) => endMs)) - first.startMs,
    spans: parts.reduce((sum, { spans }) => sum + spans, 0),
    services: [...new Set(parts.flatMap(({ services }) => services))].sort(),
    isFailed: parts.some(({ isFailed }) => isFailed),
    status: first.status,
    user: parts.find(({ user }) => user !== '')?.user ?? '',
  };
}

function earliest(records: readonly RequestRecord[]): RequestRecord {
  return records.reduce((first, record) => (record.atMs < first.atMs ? record : first));
}
