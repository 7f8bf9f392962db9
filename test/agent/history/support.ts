/** Generated traffic, the same each time. @module */

import { emptyMeasures, type HistoryRow, type RowLabels, SCALAR } from '../../../agent/history/rows.ts';
import { REASON_CODES } from '../../../proxy/reasons.ts';
import { BUCKETS, bucketOf } from '../../../proxy/telemetry/histogram.ts';
import type { SeriesStats } from '../../../proxy/telemetry/stats-reader.ts';

export function labels(changes: Partial<RowLabels> = {}): RowLabels {
  return {
    direction: 'outbound',
    source: 'spiffe://test.example/ns/shop/sa/web',
    sourceService: 'shop/web',
    destination: 'shop/cart',
    protocol: 'http',
    version: '',
    route: '',
    method: '',
    ...changes,
  };
}

/** @param latencies of as many requests, in milliseconds */
export function row(changes: Partial<RowLabels>, latencies: readonly number[], failed = 0): HistoryRow {
  const measures = emptyMeasures();
  measures.scalars[SCALAR.requests] = latencies.length;
  measures.scalars[SCALAR.appFailed] = failed;
  measures.scalars[SCALAR.bytesSent] = latencies.length * 100;
  for (const latency of latencies) measures.latency[bucketOf(latency)]!++;
  if (failed > 0) measures.statuses.set('5xx', failed);
  return { labels: labels(changes), measures };
}

/** Totals of a series, as the shared statistics show them. */
export function series(requests: readonly number[], changes: Partial<SeriesStats> = {}): SeriesStats {
  const latencyCounts = new Array<number>(BUCKETS).fill(0);
  latencyCounts[10] = requests.reduce((a, b) => a + b, 0);
  const { direction: _, protocol: __, ...names } = labels();
  return {
    labels: { ...names, direction: 'outbound', protocol: 'http' },
    connectionsOpened: 1,
    connectionsActive: 1,
    bytesReceived: 0,
    bytesSent: 0,
    requests,
    statuses: {},
    grpcStatuses: {},
    latencySumMs: 0,
    latencyCounts,
    failures: {},
    injected: {},
    ...changes,
  };
}

/** An hour's rows of a node: `services` services, each called by five others. */
export function busyRows(services: number, step: number): HistoryRow[] {
  const rows: HistoryRow[] = [];
  for (let to = 0; to < services; to++) {
    for (let caller = 1; caller <= 5; caller++) {
      const from = (to + caller * 7) % services;
      const measures = emptyMeasures();
      const requests = 50 + ((to * 31 + caller * 17 + step) % 40);
      measures.scalars[SCALAR.requests] = requests;
      measures.scalars[SCALAR.bytesSent] = requests * 1_800;
      measures.scalars[SCALAR.bytesReceived] = requests * 300;
      measures.scalars[SCALAR.inFlight] = caller;
      for (let i = 0; i < 8; i++) measures.latency[8 + i + (to % 6)] = 3 + ((step + i * caller) % 9);
      measures.statuses.set('200', requests);
      if ((step + to) % 30 === 0) {
        measures.scalars[SCALAR.meshFailed] = 2;
        measures.reasons.set(REASON_CODES[40]!, 2);
      }
      const service = (n: number): string => `team-${n % 10}/service-${n}`;
      const changes = {
        source: `spiffe://test.example/ns/team-${from % 10}/sa/service-${from}`,
        sourceService: service(from),
        destination: service(to),
      };
      rows.push({ labels: labels(changes), measures });
    }
  }
  return rows;
}
