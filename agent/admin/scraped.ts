/**
 * Metrics read at scrape time from numbers that are counted elsewhere: nothing is counted twice, and nothing is paid for
 * between scrapes. @module
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** One value under its labels. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

export interface ScrapedMetric {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly read: () => readonly Sample[] | Promise<readonly Sample[]>;
}

/** A total that only rises while its source lives. */
export function addCounter(registry: Registry, { name, help, labels = [], read }: ScrapedMetric): void {
  new Counter({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    async collect() {
      const samples = await read();
      this.reset();
      for (const [of, value] of samples) this.inc(of, value);
    },
  });
}

export function addGauge(registry: Registry, { name, help, labels = [], read }: ScrapedMetric): void {
  new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    async collect() {
      const samples = await read();
      this.reset();
      for (const [of, value] of samples) this.set(of, value);
    },
  });
}

/** What one series of a histogram holds: counts of its buckets, not yet added up, one more than there are bounds. */
export interface HistogramSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly counts: readonly number[];
  readonly sum: number;
}

export interface ScrapedHistogramOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, rising; the bucket without one comes by itself. */
  readonly bounds: readonly number[];
  readonly read: () => readonly HistogramSample[] | Promise<readonly HistogramSample[]>;
}

export function addHistogram(registry: Registry, options: ScrapedHistogramOptions): void {
  registry.registerMetric(new ScrapedHistogram(options));
}

type HistogramObject = Awaited<ReturnType<Histogram['get']>>;

/** prom-client's histogram can only observe one value at a time; this one hands over buckets as they are. */
class ScrapedHistogram extends Histogram {
  readonly #options: ScrapedHistogramOptions;
  /** Observes nothing; it answers with name, help and type as the registry wants them. */
  readonly #frame: Histogram;

  constructor(options: ScrapedHistogramOptions) {
    const { name, help, labels, bounds } = options;
    const configuration = { name, help, labelNames: labels, buckets: [...bounds], registers: [] };
    super(configuration);
    this.#options = options;
    this.#frame = new Histogram(configuration);
  }

  override async get(): Promise<HistogramObject> {
    const frame = await this.#frame.get();
    const samples = await this.#options.read();
    return { ...frame, values: samples.flatMap((sample) => this.#lines(sample)) };
  }

  /** What the registry asks for where there is one, though the types of prom-client do not know it. */
  getForPromString(): Promise<HistogramObject> {
    return this.get();
  }

  #lines({ labels, counts, sum }: HistogramSample): HistogramObject['values'] {
    const { name, bounds } = this.#options;
    let below = 0;
    const buckets = [...bounds, '+Inf'].map((le, i) => {
      below += counts[i] ?? 0;
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: below },
    ];
  }
}

/** Reads once for all metrics of a scrape: they are collected at the same moment, and ask for the same. */
export function oncePerScrape<T>(read: () => T): () => T {
  let current: { readonly value: T } | undefined;
  return () => {
    if (current === undefined) {
      current = { value: read() };
      setImmediate(() => {
        current = undefined;
      });
    }
    return current.value;
  };
}

/** `peersRefusedGrant` as `peers_refused_grant`. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replaceAll('-', '_');
}
