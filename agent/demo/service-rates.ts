/**
 * Requests per second, success and latency of each service, out of the metrics of all agents: what callers saw, added up
 * over the nodes, over the last few seconds.
 *
 * @module
 */
import type { Rates } from './view.ts';

/** Scrapes are a second apart: rates are over about five seconds. */
const KEPT_SCRAPES = 6;

/** Totals of one service as one agent counts them, since it started. */
interface Totals {
  readonly requests: Map<string, number>;
  /** Requests that took at most so long, by bound in milliseconds; the last bound is infinite. */
  readonly withinMs: Map<number, number>;
}

interface Scrape {
  readonly atMs: number;
  readonly services: ReadonlyMap<string, Totals>;
}

export class ServiceRates {
  readonly #scrapes = new Map<string, Scrape[]>();

  /** @param text what the agent answered to /metrics; undefined when it did not, and its history is dropped */
  add(agent: string, text: string | undefined, atMs: number): void {
    if (text === undefined) {
      this.#scrapes.delete(agent);
      return;
    }
    const kept = this.#scrapes.get(agent) ?? [];
    kept.push({ atMs, services: readServices(text) });
    kept.splice(0, kept.length - KEPT_SCRAPES);
    this.#scrapes.set(agent, kept);
  }

  /** @param service `namespace/service`; undefined when no request to it was counted, as for those that are not HTTP */
  of(service: string): Rates | undefined {
    let perSecond = 0;
    let requests = 0;
    let failed = 0;
    const withinMs = new Map<number, number>();
    for (const scrapes of this.#scrapes.values()) {
      const [first, last] = [scrapes[0], scrapes.at(-1)];
      const now = last?.services.get(service);
      if (!first || !last || !now || last.atMs <= first.atMs) continue;
      const before = first.services.get(service);
      const rise = (kind: string): number =>
        Math.max(0, (now.requests.get(kind) ?? 0) - (before?.requests.get(kind) ?? 0));
      const all = [...now.requests.keys()].reduce((sum, kind) => sum + rise(kind), 0);
      requests += all;
      failed += rise('5xx');
      perSecond += (all * 1_000) / (last.atMs - first.atMs);
      for (const [bound, count] of now.withinMs) {
        const rose = Math.max(0, count - (before?.withinMs.get(bound) ?? 0));
        withinMs.set(bound, (withinMs.get(bound) ?? 0) + rose);
      }
    }
    if (requests === 0) return undefined;
    return {
      perSecond,
      successRatio: (requests - failed) / requests,
      p50Ms: quantile(withinMs, 0.5),
      p99Ms: quantile(withinMs, 0.99),
    };
  }
}

function readServices(text: string): Map<string, Totals> {
  const services = new Map<string, Totals>();
  const totalsOf = (service: string): Totals => {
    const known = services.get(service);
    if (known) return known;
    const made: Totals = { requests: new Map(), withinMs: new Map() };
    services.set(service, made);
    return made;
  };
  for (const { labels, value } of samples(text, 'weft_proxy_requests_total')) {
    if (labels.direction !== 'outbound' || !labels.destination || !labels.status_class) continue;
    const { requests } = totalsOf(labels.destination);
    requests.set(labels.status_class, (requests.get(labels.status_class) ?? 0) + value);
  }
  for (const { labels, value } of samples(text, 'weft_proxy_request_duration_seconds_bucket')) {
    if (labels.direction !== 'outbound' || !labels.destination || !labels.le) continue;
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le) * 1_000;
    const { withinMs } = totalsOf(labels.destination);
    withinMs.set(bound, (withinMs.get(bound) ?? 0) + value);
  }
  return services;
}

interface Sample {
  readonly labels: Readonly<Partial<Record<string, string>>>;
  readonly value: number;
}

/** Lines of one metric in Prometheus' text format. */
function* samples(text: string, metric: string): Generator<Sample> {
  for (const [, labels, value] of text.matchAll(new RegExp(`^${metric}\\{([^}]*)\\} (\\S+)$`, 'gm'))) {
    const pairs = [...labels!.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, text]) => [name!, text!] as const);
    yield { labels: Object.fromEntries(pairs), value: Number(value) };
  }
}

/** Linear within a bucket, as Prometheus' histogram_quantile; the bound below for what is beyond the last one. */
function quantile(withinMs: ReadonlyMap<number, number>, share: number): number | undefined {
  const bounds = [...withinMs.keys()].sort((a, b) => a - b);
  const total = withinMs.get(Number.POSITIVE_INFINITY) ?? 0;
  if (total === 0) return undefined;
  const wanted = share * total;
  let belowBound = 0;
  let belowCount = 0;
  for (const bound of bounds) {
    const count = withinMs.get(bound)!;
    if (count >= wanted && bound !== Number.POSITIVE_INFINITY && count > belowCount) {
      return belowBound + ((wanted - belowCount) / (count - belowCount)) * (bound - belowBound);
    }
    if (bound !== Number.POSITIVE_INFINITY) {
      belowBound = bound;
      belowCount = count;
    }
  }
  return belowBound;
}
