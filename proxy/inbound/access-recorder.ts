/**
 * Counts what access rules decide, and logs what they refuse or watch: every rule counts, a rule that fires all the time
 * does not fill the log.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import type { AccessLabels } from '../access/compile.ts';
import type { Decision } from '../access/destination.ts';
import type { AccessRequest } from '../access/request.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import type { Call } from './call.ts';

/** Lines a rule may log at once, and how often it may log one more. */
const BURST = 10;
const REFILL_MS = 1_000;
/** Rules remembered; beyond it the one that has been remembered longest starts afresh. */
const MAX_BUCKETS = 1_024;
const MAX_LOGGED = 200;

interface Bucket {
  tokens: number;
  filledAtMs: number;
  suppressed: number;
}

export class AccessRecorder {
  readonly #stats: StatsWriter;
  readonly #log: Logger;
  readonly #rows = new WeakMap<AccessLabels, number>();
  readonly #buckets = new Map<string, Bucket>();

  constructor(stats: StatsWriter, log: Logger) {
    this.#stats = stats;
    this.#log = log;
  }

  /** @param request undefined for bytes that are not HTTP */
  record(decision: Decision, call: Call, request: AccessRequest | undefined): void {
    this.#count(decision.labels);
    if (!decision.isAllowed) this.#tell('access denied', decision.labels, call, request);
    for (const labels of decision.observed) {
      this.#count(labels);
      if (labels.action === 'AUDIT') this.#tell('access audited', labels, call, request);
      else if (labels.action === 'DENY') this.#tell('access would be denied', labels, call, request);
    }
  }

  /** A connection in plaintext was let in. */
  plaintext({ address, target }: Call): void {
    const { service: destination, port } = target;
    this.#stats.accessHit(
      this.#stats.accessSeries({ kind: 'plaintext', source: address, destination, port }),
      Date.now(),
    );
  }

  #count(labels: AccessLabels): void {
    let row = this.#rows.get(labels);
    if (row === undefined) {
      row = this.#stats.accessSeries({ kind: 'rule', ...labels });
      this.#rows.set(labels, row);
    }
    this.#stats.accessHit(row, Date.now());
  }

  #tell(
    sentence: string,
    labels: AccessLabels,
    { identity, address, target }: Call,
    request: AccessRequest | undefined,
  ): void {
    const { policy, rule, action, isDryRun } = labels;
    const bucket = this.#take(`${policy} ${rule} ${isDryRun}`);
    if (bucket === undefined) return;
    const what = request === undefined ? {} : { method: shortened(request.method), path: shortened(request.rawPath) };
    const { suppressed } = bucket;
    bucket.suppressed = 0;
    const fields = { policy, rule, action, source: identity, address, destination: target.service, port: target.port };
    const line = { ...fields, ...what, unreadable: request?.unreadable, suppressed };
    if (action === 'AUDIT') this.#log.info(line, sentence);
    else this.#log.warn(line, sentence);
  }

  /** @returns undefined where the rule has said enough for now */
  #take(key: string): Bucket | undefined {
    const nowMs = performance.now();
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= MAX_BUCKETS) this.#buckets.delete(this.#buckets.keys().next().value!);
      bucket = { tokens: BURST, filledAtMs: nowMs, suppressed: 0 };
      this.#buckets.set(key, bucket);
    }
    const fresh = Math.floor((nowMs - bucket.filledAtMs) / REFILL_MS);
    bucket.tokens = Math.min(BURST, bucket.tokens + fresh);
    bucket.filledAtMs += fresh * REFILL_MS;
    if (bucket.tokens === 0) {
      bucket.suppressed++;
      return undefined;
    }
    bucket.tokens--;
    return bucket;
  }
}

function shortened(text: string): string {
  return text.length > MAX_LOGGED ? `${text.slice(0, MAX_LOGGED)}...` : text;
}
