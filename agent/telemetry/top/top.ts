/**
 * Topic `top`: what a node carried since it was last asked, a second ago mostly. While nobody asks nothing is read; several who
 * ask within a second are told the same.
 * @module
 */
import { z } from 'zod';
import { quantile } from '../../../proxy/telemetry/histogram.ts';
import type { SeriesStats } from '../../../proxy/telemetry/stats-reader.ts';
import { workloadOf } from '../../../proxy/telemetry/workload-name.ts';
import type { MeshQuery, Topic } from '../../mesh-query/shapes.ts';
import { type Coverage, coverage } from '../../mesh-query/shapes.ts';
import { add, ratesOf, type TopRow, topRow, totalsOf } from './rates.ts';

const SAME_MS = 900;
/** What was counted over a longer time is no rate of now. */
const STALE_MS = 10_000;
const MAX_VIEW = 500;

const question = z.strictObject({});
export const topAnswer = z.object({ spanMs: z.number(), rows: z.array(topRow).max(300) });
export type TopAnswer = z.infer<typeof topAnswer>;

export const topView = z.object({
  rows: z.array(
    z.object({
      source: z.string(),
      destination: z.string(),
      protocol: z.string(),
      method: z.string(),
      route: z.string(),
      requestsPerSec: z.number(),
      failedRatio: z.number(),
      p50Ms: z.number().nullable(),
      p99Ms: z.number().nullable(),
    }),
  ),
  /** Nodes that were asked for the first time and tell in a second. */
  waitingFor: z.array(z.string()),
  coverage,
});
export type TopView = z.infer<typeof topView>;

export interface TopOptions {
  readonly series: () => readonly SeriesStats[];
  readonly nowMs: () => number;
}

export class TopDesk {
  readonly #options: TopOptions;
  #last: { readonly atMs: number; readonly rows: ReadonlyMap<string, TopRow> } | undefined;
  #answer: TopAnswer = { spanMs: 0, rows: [] };

  constructor(options: TopOptions) {
    this.#options = options;
  }

  topic(): Topic<z.infer<typeof question>, TopAnswer> {
    return { name: 'top', question, answerSchema: topAnswer, answer: () => this.look() };
  }

  look(): TopAnswer {
    const nowMs = this.#options.nowMs();
    const last = this.#last;
    const spanMs = last === undefined ? Number.POSITIVE_INFINITY : nowMs - last.atMs;
    if (spanMs < SAME_MS) return this.#answer;
    const rows = totalsOf(this.#options.series());
    this.#last = { atMs: nowMs, rows };
    this.#answer =
      last === undefined || spanMs > STALE_MS
        ? { spanMs: 0, rows: [] }
        : { spanMs, rows: [...ratesOf(last.rows, rows)] };
    return this.#answer;
  }
}

/** The busiest first. */
export async function topOf(query: MeshQuery, service: string): Promise<TopView> {
  const { answers, coverage } = await query.ask({ name: 'top', answerSchema: topAnswer }, {});
  return topViewOf(answers, { service, coverage });
}

export function topViewOf(
  answers: ReadonlyMap<string, TopAnswer>,
  { service, coverage }: { readonly service: string; readonly coverage: Coverage },
): TopView {
  const merged = new Map<string, TopRow>();
  for (const { spanMs, rows } of answers.values()) {
    for (const row of rows) {
      if (!isOf(row, service)) continue;
      const share = 1_000 / spanMs;
      // Rates are added up, so that nodes that were asked at different moments count alike.
      add(merged, {
        ...row,
        requests: row.requests * share,
        failed: row.failed * share,
        latencyCounts: row.latencyCounts.map((count) => count * share),
      });
    }
  }
  const rows = [...merged.values()].sort((a, b) => b.requests - a.requests).slice(0, MAX_VIEW);
  return {
    rows: rows.map(({ latencyCounts, requests, failed, ...labels }) => ({
      ...labels,
      requestsPerSec: requests,
      failedRatio: Math.min(1, failed / requests),
      p50Ms: quantile(latencyCounts, 0.5) ?? null,
      p99Ms: quantile(latencyCounts, 0.99) ?? null,
    })),
    waitingFor: [...answers].filter(([, { spanMs }]) => spanMs === 0).map(([node]) => node),
    coverage,
  };
}

/** @param service a name, with or without namespace, of either side; empty: any */
function isOf({ source, destination }: TopRow, service: string): boolean {
  if (service === '') return true;
  return [destination, workloadOf(source)].some(
    (name) => name === service || (!service.includes('/') && name.endsWith(`/${service}`)),
  );
}
