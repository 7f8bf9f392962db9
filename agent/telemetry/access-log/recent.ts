/** The last so many records of this node, for `weft logs`: a ring, so that nothing is moved and nothing grows. @module */
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';
import { type FilterTerm, fits } from '../record-filter.ts';

export interface RecentQuery {
  readonly terms: readonly FilterTerm[];
  /** By when requests were read. */
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly limit: number;
}

export interface RecentPage {
  /** Oldest first. */
  readonly records: readonly RequestRecord[];
  /** There are more that fit, older than these. */
  readonly isCut: boolean;
}

export class RecentRecords {
  readonly #size: number;
  readonly #ring: RequestRecord[] = [];
  /** When nothing had been told yet, or the first request ended. */
  #earliestMs: number;
  #next = 0;

  /** @param startedMs when nothing had been told yet */
  constructor(size: number, startedMs: number) {
    this.#size = size;
    this.#earliestMs = startedMs;
  }

  /** All that ended from then on is here. */
  get knownFromMs(): number {
    if (this.#size === 0) return Number.POSITIVE_INFINITY;
    const oldest = this.#ring.length < this.#size ? undefined : this.#ring[this.#next];
    return oldest === undefined ? this.#earliestMs : endOf(oldest);
  }

  add(record: RequestRecord): void {
    if (this.#size === 0) return;
    this.#earliestMs = Math.min(this.#earliestMs, endOf(record));
    this.#ring[this.#next] = record;
    this.#next = (this.#next + 1) % this.#size;
  }

  /** The latest that fit. Records come when requests end, so one read long ago may be among the last. */
  search({ terms, sinceMs, untilMs, limit }: RecentQuery): RecentPage {
    const found = this.#ring.filter(
      (record) => record.atMs >= sinceMs && record.atMs <= untilMs && fits(record, terms),
    );
    found.sort((a, b) => a.atMs - b.atMs);
    return { records: found.slice(-limit), isCut: found.length > limit };
  }
}

export function endOf({ atMs, tookMs }: Pick<RequestRecord, 'atMs' | 'tookMs'>): number {
  return atMs + tookMs;
}
