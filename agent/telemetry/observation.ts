/**
 * All that is made of records of requests on a node: access log, traces, spans for a collector, taps. Takes something out of
 * each record once, before anything keeps it, and offers the topics by which all nodes are asked.
 * @module
 */
import type { Logger } from 'pino';
import type { RequestRecord } from '../../proxy/telemetry/record.ts';
import type { StatsReader } from '../../proxy/telemetry/stats-reader.ts';
import type { MeshQuery } from '../mesh-query/shapes.ts';
import { AccessLog } from './access-log/access-log.ts';
import type { EntryOptions } from './access-log/entry.ts';
import { logsTopic } from './access-log/logs-topic.ts';
import { Redactor } from './access-log/redact.ts';
import type { TelemetryConfig } from './config.ts';
import type { OtlpExporter } from './otlp/otlp-exporter.ts';
import type { RecordHub } from './records.ts';
import { TapDesk } from './tap/tap-desk.ts';
import { TopDesk } from './top/top.ts';
import { spansOf } from './traces/spans.ts';
import { TraceStore } from './traces/trace-store.ts';
import { tracesTopic, traceTopic } from './traces/traces.ts';

export interface ObservationOptions {
  readonly config: TelemetryConfig;
  readonly node: string;
  readonly trustDomain: string;
  readonly dataDirectory: string;
  readonly hub: RecordHub;
  readonly stats: Pick<StatsReader, 'series' | 'counters'>;
  readonly query: MeshQuery;
  readonly log: Logger;
}

export class Observation implements AsyncDisposable {
  readonly access: AccessLog;
  readonly store: TraceStore;
  readonly taps: TapDesk;
  /** Undefined where no collector is configured. */
  readonly otlp: OtlpExporter | undefined;
  readonly #spans: EntryOptions;
  readonly #unsubscribe: () => void;

  private constructor(options: ObservationOptions, parts: { access: AccessLog; otlp: OtlpExporter | undefined }) {
    const { config, node, hub, stats, query } = options;
    const { redact } = config.accessLog;
    const redactor = new Redactor(redact, options.trustDomain);
    const nowMs = Date.now;
    const userOf = (user: string): string => redactor.user(user);
    const isUserHashed = redact.user === 'hash';
    this.access = parts.access;
    this.otlp = parts.otlp;
    this.store = new TraceStore(config.traces);
    this.#spans = { node, isUserHashed };
    this.taps = new TapDesk({
      node,
      hub,
      redact: (record) => redactor.record(record),
      userOf,
      isUserHashed,
      leftOut: () => stats.counters().recordsDropped,
      nowMs,
    });
    const { sampleRatio } = config;
    const traces = { store: this.store, spans: this.#spans, sampleRatio, userOf, nowMs };
    query.offer(logsTopic({ access: this.access, node, userOf }));
    query.offer(tracesTopic(traces));
    query.offer(traceTopic(traces));
    query.offer(this.taps.topic());
    query.offer(new TopDesk({ series: () => stats.series(), nowMs: () => performance.now() }).topic());
    this.#unsubscribe = hub.subscribe((records) => {
      for (const record of records) if (isKept(record)) this.#take(redactor.record(record));
    });
  }

  /** Rejects where the file of the access log cannot be opened. */
  static async start(options: ObservationOptions): Promise<Observation> {
    const { config, node, dataDirectory, log } = options;
    const access = await AccessLog.start({ config: config.accessLog, node, dataDirectory, log });
    const otlp = config.otlp.endpoint === '' ? undefined : await loadOtlp(options);
    return new Observation(options, { access, otlp });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.taps[Symbol.dispose]();
    await this.otlp?.[Symbol.asyncDispose]();
    await this.access[Symbol.asyncDispose]();
  }

  #take(record: RequestRecord): void {
    this.access.add(record);
    this.store.add(record, Date.now());
    if (this.otlp !== undefined && record.traceId !== '') this.otlp.add(spansOf(record, this.#spans));
  }
}

/** What only a tap asked for is for that tap. */
function isKept({ kept }: RequestRecord): boolean {
  return kept.sampled || kept.failed || kept.slow;
}

async function loadOtlp({ config, log }: ObservationOptions): Promise<OtlpExporter> {
  const { OtlpExporter } = await import('./otlp/otlp-exporter.ts');
  return new OtlpExporter(config.otlp, log);
}
