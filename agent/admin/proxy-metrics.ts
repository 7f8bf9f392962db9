/** `weft_proxy_*`: what the data-plane workers count in shared memory, added up. @module */
import type { Registry } from 'prom-client';
import { COUNTER_NAMES, COUNTERS } from '../../proxy/telemetry/counters.ts';
import { BUCKET_BOUNDS_MS, BUCKETS } from '../../proxy/telemetry/histogram.ts';
import { isOfConnections } from '../../proxy/telemetry/series.ts';
import type { SeriesStats, StatsReader } from '../../proxy/telemetry/stats-reader.ts';
import {
  addCounter,
  addGauge,
  addHistogram,
  type HistogramSample,
  oncePerScrape,
  type Sample,
  snakeCase,
} from './scraped.ts';

/** The number of series is bounded by the table the workers count in; what does not fit is in destination="other". */
const SERIES_LABELS = ['direction', 'source', 'destination', 'protocol'] as const;

/** Two counted buckets make one exported: an octave each is enough for a dashboard, and halves the page. */
const BOUNDS_PER_BUCKET = 2;
const BOUNDS_S = BUCKET_BOUNDS_MS.filter((_, i) => i % BOUNDS_PER_BUCKET === 0).map((ms) =>
  Number((ms / 1000).toPrecision(6)),
);
const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

export function addProxyMetrics(registry: Registry, stats: Pick<StatsReader, 'counters' | 'each' | 'access'>): void {
  const counters = oncePerScrape(() => stats.counters());
  const series = oncePerScrape(() => merged(stats.each()));
  for (const name of COUNTER_NAMES) {
    addCounter(registry, {
      name: `weft_proxy_${snakeCase(name)}_total`,
      help: `${COUNTERS[name]}.`,
      read: () => [[{}, counters()[name]]],
    });
  }

  const each = (value: (stats: Merged) => number) => () =>
    series().map((one): Sample => [one.labels, value(one)]);
  addCounter(registry, {
    name: 'weft_proxy_connections_opened_total',
    help: 'Connections of workloads, by caller and destination.',
    labels: SERIES_LABELS,
    read: each(({ connectionsOpened }) => connectionsOpened),
  });
  addGauge(registry, {
    name: 'weft_proxy_connections_active',
    help: 'Connections of workloads open now.',
    labels: SERIES_LABELS,
    read: each(({ connectionsActive }) => connectionsActive),
  });
  addCounter(registry, {
    name: 'weft_proxy_received_bytes_total',
    help: 'Bytes received from the caller.',
    labels: SERIES_LABELS,
    read: each(({ bytesReceived }) => bytesReceived),
  });
  addCounter(registry, {
    name: 'weft_proxy_sent_bytes_total',
    help: 'Bytes sent to the caller.',
    labels: SERIES_LABELS,
    read: each(({ bytesSent }) => bytesSent),
  });
  addCounter(registry, {
    name: 'weft_proxy_requests_total',
    help: 'HTTP requests answered, by the class of the final status; 1xx are upgrades.',
    labels: [...SERIES_LABELS, 'status_class'],
    read: () =>
      series().flatMap(({ labels, requests }) =>
        STATUS_CLASSES.map(
          (status_class, i): Sample => [{ ...labels, status_class }, requests[i] ?? 0],
        ).filter(([, value]) => value > 0),
      ),
  });
  addCounter(registry, {
    name: 'weft_proxy_failures_total',
    help: 'What the mesh itself answered, refused or cut, by reason; the reasons are those of the weft-reason header.',
    labels: [...SERIES_LABELS, 'reason'],
    read: () =>
      series().flatMap(({ labels, failures }) =>
        Object.entries(failures).map(([reason, value]): Sample => [{ ...labels, reason }, value]),
      ),
  });
  addHistogram(registry, {
    name: 'weft_proxy_request_duration_seconds',
    help: 'Time from the head of a request to the end of its response.',
    labels: SERIES_LABELS,
    bounds: BOUNDS_S,
    read: () =>
      series()
        .filter(({ labels }) => labels.protocol !== 'tcp')
        .map(durations),
  });
  addCounter(registry, {
    name: 'weft_proxy_access_decisions_total',
    help: 'What each access rule decided or, in dry run and for AUDIT, watched; without a policy: the default, or no ALLOW.',
    labels: ['policy', 'rule', 'action', 'dry_run'],
    read: () =>
      stats.access().flatMap(({ labels, count }): Sample[] => {
        if (labels.kind !== 'rule') return [];
        const { policy, rule, action, isDryRun } = labels;
        return [[{ policy, rule, action, dry_run: String(isDryRun) }, count]];
      }),
  });
}

/** All rows between two parties; calls of gRPC are requests like others here. */
interface Merged {
  readonly labels: Readonly<Record<(typeof SERIES_LABELS)[number], string>>;
  connectionsOpened: number;
  connectionsActive: number;
  bytesReceived: number;
  bytesSent: number;
  latencySumMs: number;
  readonly requests: number[];
  readonly latencyCounts: number[];
  readonly failures: Record<string, number>;
}

function merged(series: Iterable<SeriesStats>): readonly Merged[] {
  const all = new Map<string, Merged>();
  for (const one of series) {
    const { direction, source, destination } = one.labels;
    const protocol = one.labels.protocol === 'tcp' ? 'tcp' : 'http';
    const key = `${direction} ${protocol} ${source} ${destination}`;
    const into = all.get(key) ?? nothing({ direction, source, destination, protocol });
    all.set(key, into);
    into.connectionsOpened += one.connectionsOpened;
    into.connectionsActive += one.connectionsActive;
    if (isOfConnections(one.labels)) {
      into.bytesReceived += one.bytesReceived;
      into.bytesSent += one.bytesSent;
    }
    into.latencySumMs += one.latencySumMs;
    addTo(into.requests, one.requests);
    addTo(into.latencyCounts, one.latencyCounts);
    for (const [reason, count] of Object.entries(one.failures))
      into.failures[reason] = (into.failures[reason] ?? 0) + count;
  }
  return [...all.values()];
}

function nothing(labels: Merged['labels']): Merged {
  const counts = { connectionsOpened: 0, connectionsActive: 0, bytesReceived: 0, bytesSent: 0, latencySumMs: 0 };
  return { labels, ...counts, requests: [0, 0, 0, 0, 0], latencyCounts: Array(BUCKETS).fill(0) as number[], failures: {} };
}

function addTo(sums: number[], counts: readonly number[]): void {
  for (let i = 0; i < counts.length; i++) sums[i]! += counts[i]!;
}

function durations({ labels, latencyCounts, latencySumMs }: Merged): HistogramSample {
  // Bucket i ends at bound i, and every second bound is exported: an exported bucket holds the one before its own too.
  const counts = Array.from({ length: BOUNDS_S.length + 1 }, (_, i) => {
    const last = i * BOUNDS_PER_BUCKET;
    return (latencyCounts[last - 1] ?? 0) + (latencyCounts[last] ?? 0);
  });
  return { labels, counts, sum: latencySumMs / 1000 };
}
