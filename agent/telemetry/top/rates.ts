/** What was counted between two looks at the statistics, by caller and route. Pure. @module */
import { z } from 'zod';
import { BUCKETS } from '../../../proxy/telemetry/histogram.ts';
import type { SeriesStats } from '../../../proxy/telemetry/stats-reader.ts';

const MAX_ROWS = 200;
const FAILED_GRPC = ['2', '4', '13', '14', '15'] as const;

export const topRow = z.object({
  source: z.string(),
  destination: z.string(),
  protocol: z.string(),
  method: z.string(),
  route: z.string(),
  requests: z.number(),
  failed: z.number(),
  /** Of the buckets of the proxy's histogram. */
  latencyCounts: z.array(z.number()).max(BUCKETS),
});
export type TopRow = z.infer<typeof topRow>;

/** Running totals. Labels that this version does not count by are empty. */
export function totalsOf(series: readonly SeriesStats[]): ReadonlyMap<string, TopRow> {
  const rows = new Map<string, TopRow>();
  for (const stats of series) {
    const { direction, source = '', destination, protocol } = stats.labels;
    // A caller of the mesh counts for itself; one from outside is counted where it comes in.
    if (direction === 'inbound' && source.startsWith('spiffe://')) continue;
    const { method = '', route = '' } = stats.labels as { readonly method?: string; readonly route?: string };
    const row = { source, destination, protocol, method, route, ...countsOf(stats) };
    if (row.requests > 0) add(rows, row);
  }
  return rows;
}

/** The busiest rows, the others in one called `other`. */
export function ratesOf(before: ReadonlyMap<string, TopRow>, now: ReadonlyMap<string, TopRow>): readonly TopRow[] {
  const grown = [...now].flatMap(([key, row]) => {
    const old = before.get(key);
    const requests = row.requests - (old?.requests ?? 0);
    if (requests <= 0) return []; // nothing new, or a row that was given to others
    const latencyCounts = row.latencyCounts.map((count, i) => Math.max(0, count - (old?.latencyCounts[i] ?? 0)));
    return [{ ...row, requests, failed: Math.max(0, row.failed - (old?.failed ?? 0)), latencyCounts }];
  });
  grown.sort((a, b) => b.requests - a.requests);
  const rest = new Map<string, TopRow>();
  const other = { source: 'other', destination: 'other', protocol: '', method: '', route: '' };
  for (const row of grown.slice(MAX_ROWS)) add(rest, { ...row, ...other });
  return [...grown.slice(0, MAX_ROWS), ...rest.values()];
}

export function add(into: Map<string, TopRow>, row: TopRow): void {
  const key = [row.source, row.destination, row.protocol, row.method, row.route].join('\n');
  const known = into.get(key);
  if (known === undefined) {
    into.set(key, row);
    return;
  }
  const latencyCounts = row.latencyCounts.map((count, i) => count + (known.latencyCounts[i] ?? 0));
  into.set(key, {
    ...known,
    requests: known.requests + row.requests,
    failed: known.failed + row.failed,
    latencyCounts,
  });
}

type Exact = {
  readonly statuses?: Readonly<Record<string, number>>;
  readonly grpcStatuses?: Readonly<Record<string, number>>;
};

function countsOf(stats: SeriesStats): Pick<TopRow, 'requests' | 'failed' | 'latencyCounts'> {
  const { statuses = {}, grpcStatuses = {} } = stats as SeriesStats & Exact;
  const unanswered = statuses['0'] ?? 0;
  const failedCalls = FAILED_GRPC.reduce((sum, status) => sum + (grpcStatuses[status] ?? 0), 0);
  return {
    requests: stats.requests.reduce((sum, count) => sum + count, 0) + unanswered,
    failed: stats.requests[4]! + unanswered + failedCalls,
    latencyCounts: [...stats.latencyCounts],
  };
}
