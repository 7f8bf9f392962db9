/**
 * `weft_requests_total`, `weft_request_duration_seconds` and, where wanted, what Istio calls the same: the largest part of a page,
 * written in turns. @module
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BUCKET_BOUNDS_MS, BUCKETS } from '../../proxy/telemetry/histogram.ts';
import { isOfConnections } from '../../proxy/telemetry/series.ts';
import type { SeriesStats, StatsReader } from '../../proxy/telemetry/stats-reader.ts';
import { type Family, labelText, type Value, writeFamily } from './exposition.ts';
import { ISTIO_FAMILIES, type IstioContext, istioValues, responseFlags } from './istio-names.ts';
import { outcomesOf } from './outcomes.ts';

export interface TrafficMetricsSources {
  readonly proxy: Pick<StatsReader, 'each'>;
  /** Whether Istio's names are written as well; undefined for not. */
  readonly istio: (() => IstioContext) | undefined;
}

/** Series that are read in one turn. */
const SERIES_A_TURN = 1_000;

/** Bounds of the table that are exported: octaves from 0.8 ms to 13 s. What dashboards ask lies between. */
const EXPORTED = BUCKET_BOUNDS_MS.flatMap((ms, i) => (i % 2 === 0 && ms > 0.7 && ms < 14_000 ? [i] : []));
const BOUNDS_MS = EXPORTED.map((i) => Number(BUCKET_BOUNDS_MS[i]!.toPrecision(6)));

const ROUTE_LABELS = ['direction', 'source', 'source_service', 'destination', 'route', 'method'] as const;

export const WEFT_FAMILIES = {
  requests: {
    name: 'weft_requests_total',
    type: 'counter',
    help: 'Requests by caller, destination, route and outcome. code="0": no response. reason: of the mesh, empty where the application decided.',
    labels: [...ROUTE_LABELS, 'protocol', 'version', 'code', 'grpc_status', 'reason'],
  },
  duration: {
    name: 'weft_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the head of a request to the end of its response, by caller, destination and route.',
    labels: ROUTE_LABELS,
    bounds: BOUNDS_MS.map((ms) => ms / 1_000),
  },
} as const satisfies Record<string, Family>;

interface Histogram {
  readonly counts: number[];
  sum: number;
}

/** The text in pieces, with a turn for others after each. */
export async function* trafficMetrics({ proxy, istio }: TrafficMetricsSources): AsyncGenerator<string> {
  const page = new Page(istio?.());
  let read = 0;
  for (const stats of proxy.each()) {
    page.add(stats);
    if (++read % SERIES_A_TURN === 0) await nextTurn();
  }
  for (const piece of page.text()) {
    yield piece;
    await nextTurn();
  }
}

class Page {
  readonly #istio: IstioContext | undefined;
  readonly #samples = new Map<Family, Map<string, Value>>();

  constructor(istio: IstioContext | undefined) {
    this.#istio = istio;
    for (const family of Object.values(WEFT_FAMILIES)) this.#samples.set(family, new Map());
    if (istio !== undefined) for (const family of Object.values(ISTIO_FAMILIES)) this.#samples.set(family, new Map());
  }

  *text(): Generator<string> {
    for (const [family, samples] of this.#samples) {
      const bounds = family === ISTIO_FAMILIES.duration ? { bounds: BOUNDS_MS } : {};
      yield* writeFamily({ ...family, ...bounds }, samples);
    }
  }

  add(stats: SeriesStats): void {
    if (isOfConnections(stats.labels)) {
      if (this.#istio !== undefined && stats.labels.protocol === 'tcp') this.#addConnections(stats, this.#istio);
    } else {
      this.#addRequests(stats);
      if (this.#istio !== undefined) this.#addIstio(stats, this.#istio);
    }
  }

  #addRequests(stats: SeriesStats): void {
    const { direction, source, sourceService, destination, protocol, version, route, method } = stats.labels;
    const party = labelText(ROUTE_LABELS, [direction, source, sourceService, destination, route, method]);
    for (const { code, reason, grpcStatus, count } of outcomesOf(stats)) {
      const outcome = labelText(
        ['protocol', 'version', 'code', 'grpc_status', 'reason'],
        [protocol, version, code, grpcStatus, reason],
      );
      this.#count(WEFT_FAMILIES.requests, `${party},${outcome}`, count);
    }
    this.#observe(WEFT_FAMILIES.duration, party, exported(stats.latencyCounts), stats.latencySumMs / 1_000);
  }

  #addIstio(stats: SeriesStats, istio: IstioContext): void {
    const labels = labelText(ISTIO_FAMILIES.duration.labels, istioValues(stats.labels, istio));
    let requests = 0;
    for (const { code, reason, grpcStatus, count } of outcomesOf(stats)) {
      const outcome = labelText(
        ['response_code', 'grpc_response_status', 'response_flags'],
        [code, grpcStatus, responseFlags(reason)],
      );
      this.#count(ISTIO_FAMILIES.requests, `${labels},${outcome}`, count);
      requests += count;
    }
    this.#observe(ISTIO_FAMILIES.duration, labels, exported(stats.latencyCounts), stats.latencySumMs);
    this.#observe(ISTIO_FAMILIES.requestBytes, labels, [requests], stats.bytesReceived);
    this.#observe(ISTIO_FAMILIES.responseBytes, labels, [requests], stats.bytesSent);
  }

  #addConnections(stats: SeriesStats, istio: IstioContext): void {
    const labels = labelText(ISTIO_FAMILIES.tcpOpened.labels, istioValues(stats.labels, istio));
    this.#count(ISTIO_FAMILIES.tcpReceived, labels, stats.bytesReceived);
    this.#count(ISTIO_FAMILIES.tcpSent, labels, stats.bytesSent);
    this.#count(ISTIO_FAMILIES.tcpOpened, labels, stats.connectionsOpened);
    this.#count(ISTIO_FAMILIES.tcpClosed, labels, stats.connectionsOpened - stats.connectionsActive);
  }

  #count(family: Family, labels: string, count: number): void {
    const samples = this.#samples.get(family)!;
    samples.set(labels, ((samples.get(labels) as number | undefined) ?? 0) + count);
  }

  #observe(family: Family, labels: string, counts: number[], sum: number): void {
    const samples = this.#samples.get(family)!;
    const known = samples.get(labels) as Histogram | undefined;
    if (known === undefined) {
      samples.set(labels, { counts, sum });
      return;
    }
    for (let i = 0; i < counts.length; i++) known.counts[i]! += counts[i]!;
    known.sum += sum;
  }
}

/** Counts of the exported buckets out of those of the table, whose buckets end at their bounds. */
function exported(counts: readonly number[]): number[] {
  const merged: number[] = [];
  let from = 0;
  for (const bound of [...EXPORTED, BUCKETS - 1]) {
    let sum = 0;
    for (; from <= bound; from++) sum += counts[from]!;
    merged.push(sum);
  }
  return merged;
}
