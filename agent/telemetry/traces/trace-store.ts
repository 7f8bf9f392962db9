/**
 * The traces of the last hour, as far as this node took part in them. Bounded in time, records and bytes; whole traces go,
 * the one that began first before the others, so that what is shown of a trace is all that this node knew. Pure.
 * @module
 */
import type { RequestRecord } from '../../../proxy/telemetry/record.ts';

export interface TraceBounds {
  readonly keepMs: number;
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/** More of one trace are counted only: a caller that puts all it does in one trace must not push out all others. */
const MAX_OF_TRACE = 1_000;
/** Of a record without its texts. */
const RECORD_BYTES = 900;
const STEP_BYTES = 150;

interface Kept {
  readonly records: RequestRecord[];
  readonly sinceMs: number;
  bytes: number;
}

export class TraceStore {
  readonly #bounds: TraceBounds;
  /** In the order in which they were first heard of. */
  readonly #traces = new Map<string, Kept>();
  #records = 0;
  #bytes = 0;
  /** Traces that went before their time, and records that had no room in theirs. */
  evicted = 0;
  dropped = 0;

  constructor(bounds: TraceBounds) {
    this.#bounds = bounds;
  }

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get traces(): number {
    return this.#traces.size;
  }

  add(record: RequestRecord, nowMs: number): void {
    if (record.traceId === '' || this.#bounds.maxRecords === 0) return;
    let kept = this.#traces.get(record.traceId);
    if (kept === undefined) {
      kept = { records: [], sinceMs: nowMs, bytes: 0 };
      this.#traces.set(record.traceId, kept);
    }
    if (kept.records.length >= MAX_OF_TRACE) {
      this.dropped++;
      return;
    }
    const bytes = bytesOf(record);
    kept.records.push(record);
    kept.bytes += bytes;
    this.#records++;
    this.#bytes += bytes;
    this.forget(nowMs);
  }

  /** Lets go what is too old, and what is too much. */
  forget(nowMs: number): void {
    const { keepMs, maxRecords, maxBytes } = this.#bounds;
    for (const [id, kept] of this.#traces) {
      const isOld = kept.sinceMs <= nowMs - keepMs;
      const isTooMuch = this.#records > maxRecords || this.#bytes > maxBytes;
      if (!isOld && !isTooMuch) return;
      if (!isOld) this.evicted++;
      this.#traces.delete(id);
      this.#records -= kept.records.length;
      this.#bytes -= kept.bytes;
    }
  }

  trace(id: string): readonly RequestRecord[] {
    return this.#traces.get(id)?.records ?? [];
  }

  /** Latest first, by when they were first heard of. */
  *latest(): Generator<readonly RequestRecord[]> {
    for (const { records } of [...this.#traces.values()].reverse()) yield records;
  }

  *all(): Generator<RequestRecord> {
    for (const { records } of this.#traces.values()) yield* records;
  }
}

/** Roughly: texts of Latin letters take a byte each. */
function bytesOf({ steps, path, route, userAgent, authority, source, user }: RequestRecord): number {
  const texts = path.length + route.length + userAgent.length + authority.length + source.length + user.length;
  return RECORD_BYTES + texts + steps.reduce((sum, { subject }) => sum + STEP_BYTES + subject.length, 0);
}
