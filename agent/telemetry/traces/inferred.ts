/**
 * Guessed parents: where an application passes no trace on, a request of it that begins a trace of its own is probably part
 * of one that the same workload was answering all the while. Pure; and always told apart from what headers say.
 *
 * The confidence is 1 / number of requests that the workload was answering then: whichever of them it was, no more is known.
 * Where only a share of traces is kept, one that is seen stands for those that are not. Both records are of one node and one
 * clock. Workloads of one service on one node are not told apart, which lowers the confidence and never raises it.
 * @module
 */
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';

export interface InferredLink {
  readonly parent: RequestRecord;
  readonly child: RequestRecord;
  /** Above 0, at most 1. */
  readonly confidence: number;
}

/** Less is no hint any more. */
const MIN_CONFIDENCE = 0.05;
/** A request that ran while more were answered than this is nobody's in particular. */
const MAX_CANDIDATES = 20;

export class Inference {
  readonly #inbound = new Map<string, RequestRecord[]>();
  readonly #orphans = new Map<string, RequestRecord[]>();
  readonly #sampleRatio: number;

  /** @param sampleRatio share of traces that are kept */
  constructor(records: Iterable<RequestRecord>, sampleRatio: number) {
    this.#sampleRatio = Math.max(sampleRatio, 1e-6);
    for (const record of records) {
      const { direction, destination, sourceService, parentSpanId, kept } = record;
      if (!kept.sampled && !kept.failed && !kept.slow) continue;
      if (direction === 'inbound') push(this.#inbound, destination, record);
      else if (parentSpanId === '' && sourceService !== '') push(this.#orphans, sourceService, record);
    }
  }

  /** Requests that were probably made on behalf of this one. */
  children(parent: RequestRecord): readonly InferredLink[] {
    if (parent.direction !== 'inbound') return [];
    const within = (this.#orphans.get(parent.destination) ?? []).filter((child) => isWithin(child, parent));
    return within.flatMap((child) => this.#links(child).filter((link) => link.parent === parent));
  }

  /** Those on whose behalf this one was probably made. */
  parents(child: RequestRecord): readonly InferredLink[] {
    return child.direction === 'outbound' && child.parentSpanId === '' ? this.#links(child) : [];
  }

  #links(child: RequestRecord): readonly InferredLink[] {
    const candidates = (this.#inbound.get(child.sourceService) ?? []).filter((one) => isWithin(child, one));
    if (candidates.length === 0 || candidates.length > MAX_CANDIDATES) return [];
    // Failed and slow ones are all kept, others only by the share.
    const weight = candidates.reduce(
      (sum, { kept }) => sum + (kept.failed || kept.slow ? 1 : 1 / this.#sampleRatio),
      0,
    );
    const confidence = Math.round((1 / weight) * 1_000) / 1_000;
    return confidence < MIN_CONFIDENCE ? [] : candidates.map((parent) => ({ parent, child, confidence }));
  }
}

function isWithin(inner: RequestRecord, outer: RequestRecord): boolean {
  return inner.atMs >= outer.atMs && inner.atMs + inner.tookMs <= outer.atMs + outer.tookMs;
}

function push(into: Map<string, RequestRecord[]>, key: string, record: RequestRecord): void {
  const list = into.get(key);
  if (list === undefined) into.set(key, [record]);
  else list.push(record);
}
