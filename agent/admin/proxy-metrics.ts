/** `weft_proxy_*`: what the data-plane workers count in shared memory, added up. @module */
import type { Registry } from 'prom-client';
import { COUNTER_NAMES, COUNTERS } from '../../proxy/telemetry/counters.ts';
import { BUCKET_BOUNDS_MS } from '../../proxy/telemetry/histogram.ts';
import type { SeriesStats, StatsReader } from '../../proxy/telemetry/stats-reader.ts';
import type { SeriesLabels } from '../../proxy/telemetry/stats-table.ts';
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

export function addProxyMetrics(registry: Registry, stats: Pick<StatsReader, 'counters' | 'series' | 'access'>): void {
  const counters = oncePerScrape(() => stats.counters());
  const series = oncePerScrape(() => stats.series());
  for (const name of COUNTER_NAMES) {
    addCounter(registry, {
      name: `weft_proxy_${snakeCase(name)}_total`,
      help: `${COUNTERS[name]}.`,
      read: () => [[{}, counters()[name]]],
    });
  }

  const each = (value: (stats: SeriesStats) => number) => () =>
    series().map((one): Sample => [labelsOf(one.labels), value(one)]);
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
          (status_class, i): Sample => [{ ...labelsOf(labels), status_class }, requests[i] ?? 0],
        ).filter(([, value]) => value > 0),
      ),
  });
  addCounter(registry, {
    name: 'weft_proxy_failures_total',
    help: 'What the mesh itself answered, refused or cut, by reason; the reasons are those of the weft-reason header.',
    labels: [...SERIES_LABELS, 'reason'],
    read: () =>
      series().flatMap(({ labels, failures }) =>
        Object.entries(failures).map(([reason, value]): Sample => [{ ...labelsOf(labels), reason }, value]),
      ),
  });
  addHistogram(registry, {
    name: 'weft_proxy_request_duration_seconds',
    help: 'Time from the head of a request to the end of its response.',
    labels: SERIES_LABELS,
    bounds: BOUNDS_S,
    read: () =>
      series()
        .filter(({ labels }) => labels.protocol === 'http')
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

function labelsOf({ direction, source, destination, protocol }: SeriesLabels): Record<string, string> {
  return { direction, source, destination, protocol };
}

function durations({ labels, latencyCounts, latencySumMs }: SeriesStats): HistogramSample {
  // Bucket i ends at bound i, and every second bound is exported: an exported bucket holds the one before its own too.
  const counts = Array.from({ length: BOUNDS_S.length + 1 }, (_, i) => {
    const last = i * BOUNDS_PER_BUCKET;
    return (latencyCounts[last - 1] ?? 0) + (latencyCounts[last] ?? 0);
  });
  return { labels: labelsOf(labels), counts, sum: latencySumMs / 1000 };
}
