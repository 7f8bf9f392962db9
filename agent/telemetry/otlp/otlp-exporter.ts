/**
 * Spans on their way to a collector: a bounded queue, one request at a time, whose repeats are the exporter's. Spans beyond
 * the bound and those of a request that failed for good are dropped and counted; what is wrong is logged once a minute.
 *
 * Loaded by import() only where an endpoint is configured, with all of OpenTelemetry that it needs.
 * @module
 */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { Logger } from 'pino';
import type { Span } from '../../console/shapes/mesh.ts';
import { weftVersion } from '../../version.ts';
import type { OtlpConfig } from '../otlp-config.ts';
import { ReadableSpans } from './readable-spans.ts';

const COMPLAIN_MS = 60_000;
const CLOSE_MS = 2_000;

export class OtlpExporter implements AsyncDisposable {
  readonly #config: OtlpConfig;
  readonly #log: Logger;
  readonly #exporter: OTLPTraceExporter;
  readonly #readable = new ReadableSpans(weftVersion());
  #queue: Span[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #complainedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  /** Spans. */
  dropped = 0;
  sent = 0;

  constructor(config: OtlpConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
    this.#exporter = new OTLPTraceExporter({
      url: config.endpoint,
      headers: { ...config.headers },
      timeoutMillis: config.timeoutMs,
      concurrencyLimit: 2, // there is one at a time, but it counts as under way for a moment after it has ended
    });
  }

  add(spans: readonly Span[]): void {
    const { maxQueue, batch, intervalMs } = this.#config;
    const room = this.#isClosed ? 0 : Math.max(0, maxQueue - this.#queue.length);
    this.dropped += Math.max(0, spans.length - room);
    this.#queue.push(...spans.slice(0, room));
    if (this.#queue.length >= batch) this.#send();
    else if (this.#queue.length > 0) this.#timer ??= setTimeout(() => this.#send(), intervalMs).unref();
  }

  /** Resolves when all that was added before is sent or dropped. */
  async settled(): Promise<void> {
    this.#send();
    while (this.#sending !== undefined) await this.#sending;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref());
    await Promise.race([this.settled(), late]);
    clearTimeout(this.#timer);
    // Not its own end, which waits for a request that hangs: nothing of it holds the process up.
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const spans = this.#queue.splice(0, this.#config.batch);
      const error = await this.#sent(spans);
      if (error === undefined) this.sent += spans.length;
      else this.#failed(error, spans.length);
    }
  }

  #sent(spans: readonly Span[]): Promise<Error | undefined> {
    return new Promise((resolve) => {
      const readable = spans.map((span) => this.#readable.of(span));
      this.#exporter.export(readable, ({ code, error }) =>
        resolve(code === 0 ? undefined : (error ?? new Error('failed'))),
      );
    });
  }

  #failed(err: Error, count: number): void {
    this.dropped += count;
    if (performance.now() - this.#complainedAtMs < COMPLAIN_MS) return;
    this.#complainedAtMs = performance.now();
    const { endpoint } = this.#config;
    this.#log.warn({ err, endpoint, dropped: this.dropped }, 'spans could not be sent to telemetry.otlp.endpoint');
  }
}
