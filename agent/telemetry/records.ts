/**
 * Where what workers tell of requests arrives in the control thread, and who wants it. Logs, traces, taps and the catalog
 * subscribe; a tap also says what workers are to watch for.
 * @module
 */
import type { Logger } from 'pino';
import type { RequestRecord } from '../../proxy/telemetry/record.ts';
import { MAX_TAPS, type TapFilter } from '../../proxy/telemetry/taps.ts';

/** Takes a batch, at once; it keeps nothing of the list itself. */
export type RecordSink = (records: readonly RequestRecord[]) => void;

export interface RecordHubOptions {
  /** Tells every worker, now and when it starts again, what to watch for; replaces what was before. */
  readonly watch: (taps: readonly TapFilter[]) => void;
  readonly log: Logger;
}

export class RecordHub {
  readonly #options: RecordHubOptions;
  readonly #sinks = new Set<RecordSink>();
  readonly #taps = new Map<string, TapFilter>();

  constructor(options: RecordHubOptions) {
    this.#options = options;
  }

  /** @returns ends it */
  subscribe(sink: RecordSink): () => void {
    const one: RecordSink = (records) => sink(records); // the same function may subscribe twice
    this.#sinks.add(one);
    return () => void this.#sinks.delete(one);
  }

  /**
   * Has workers tell of all requests that pass one of these filters, until their `untilMs`; a filter of an id that is in use
   * takes its place. All taps of this node together are at most `MAX_TAPS`.
   *
   * @returns ends them; undefined where there are too many already, and none of these is in force
   */
  tap(filters: readonly TapFilter[]): (() => void) | undefined {
    this.#forgetOver();
    const ids = new Set([...this.#taps.keys(), ...filters.map(({ id }) => id)]);
    if (ids.size > MAX_TAPS) return undefined;
    for (const filter of filters) this.#taps.set(filter.id, filter);
    this.#tell();
    return () => {
      let isAny = false;
      for (const filter of filters) {
        if (this.#taps.get(filter.id) === filter) isAny = this.#taps.delete(filter.id);
      }
      if (isAny) this.#tell();
    };
  }

  /** Filters in force. */
  get taps(): readonly TapFilter[] {
    return [...this.#taps.values()];
  }

  /** What one worker told. A sink that throws loses this batch; the others do not notice. */
  deliver(records: readonly RequestRecord[]): void {
    for (const sink of this.#sinks) {
      try {
        sink(records);
      } catch (err) {
        this.#options.log.error({ err }, 'a consumer of request records failed');
      }
    }
  }

  #forgetOver(): void {
    const nowMs = Date.now();
    for (const [id, { untilMs }] of this.#taps) if (untilMs <= nowMs) this.#taps.delete(id);
  }

  #tell(): void {
    this.#forgetOver();
    this.#options.watch(this.taps);
  }
}
