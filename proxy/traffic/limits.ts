/** Rate limits that hold for the calls of one workload to one port of a service, and the buckets they take from. @module */

import type { SharedTable } from '../resilience/shared-table.ts';
import { type TargetedCall, TargetMatcher } from '../resilience/targets.ts';
import { TokenBucket } from '../resilience/token-bucket.ts';
import type { TrafficBoard } from './board.ts';
import { isAtDestination, type RateLimit } from './rules.ts';

/** A request that a limit does not let through. */
export interface Limited {
  readonly limit: RateLimit;
  /** Complete header lines for the answer. */
  readonly lines: string;
}

/** A limit and its bucket, or its buckets where each route has one. */
class Meter {
  readonly limit: RateLimit;
  readonly #shared: SharedTable;
  readonly #key: string;
  /** By route, made when one is taken and no more than there are; '' where all calls share one. */
  readonly #buckets = new Map<string, TokenBucket>();

  /** @param sharers names the calls that share a bucket, beside what the limit says itself */
  constructor(limit: RateLimit, sharers: string, shared: SharedTable) {
    const { namespace, name, revision } = limit.origin;
    this.limit = limit;
    this.#shared = shared;
    this.#key = `${namespace}/${name} ${revision} ${sharers}`;
    if (limit.per !== 'route') this.#bucketOf('');
  }

  /** @returns undefined for a request that the limit is not about */
  bucket(route: string | undefined): TokenBucket | undefined {
    const { target, per } = this.limit;
    if (target.routes.length > 0 && (route === undefined || !target.routes.includes(route))) return undefined;
    if (per !== 'route') return this.#bucketOf('');
    return route === undefined ? undefined : this.#bucketOf(route);
  }

  close(): void {
    for (const bucket of this.#buckets.values()) bucket.close();
    this.#buckets.clear();
  }

  #bucketOf(route: string): TokenBucket {
    const known = this.#buckets.get(route);
    if (known !== undefined) return known;
    const made = new TokenBucket(this.#shared, `${this.#key} ${route}`, this.limit);
    this.#buckets.set(route, made);
    return made;
  }
}

export class CallLimits {
  readonly #meters: readonly Meter[];
  readonly #shared: SharedTable;

  private constructor(meters: readonly Meter[], shared: SharedTable) {
    this.#meters = meters;
    this.#shared = shared;
  }

  /**
   * Limits counted where the call begins: all calls of a node to the target, or under a route.
   *
   * @returns undefined where there are none
   */
  static of(board: TrafficBoard, call: TargetedCall, shared: SharedTable): CallLimits | undefined {
    const limits = board.rules.limits.filter((limit) => !isAtDestination(limit));
    return CallLimits.#from(limits, call, shared, () => '');
  }

  /** Limits counted at the destination: all calls to a workload, or those of each caller. */
  static at(board: TrafficBoard, call: TargetedCall, shared: SharedTable, workload: string): CallLimits | undefined {
    const caller = `${workload} ${call.caller.identity?.[0] ?? ''}`;
    const limits = board.rules.limits.filter(isAtDestination);
    return CallLimits.#from(limits, call, shared, ({ per }) => (per === 'caller' ? caller : workload));
  }

  static #from(
    limits: readonly RateLimit[],
    call: TargetedCall,
    shared: SharedTable,
    sharers: (limit: RateLimit) => string,
  ): CallLimits | undefined {
    const meters = limits
      .filter((limit) => new TargetMatcher(limit.target, limit.origin).holds(routed(call, limit)))
      .map((limit) => new Meter(limit, sharers(limit), shared));
    return meters.length === 0 ? undefined : new CallLimits(meters, shared);
  }

  /**
   * Takes from every bucket that the request falls under.
   *
   * @param route 'Kind/namespace/name' of the route it takes; undefined for none
   * @param shadowed told of what a limit in shadow mode would have refused
   * @returns the first limit that does not let it through
   */
  take(nowMs: number, route: string | undefined, shadowed: (limit: RateLimit) => void): Limited | undefined {
    const sharedMs = this.#shared.sharedMs(nowMs);
    for (const meter of this.#meters) {
      const { limit } = meter;
      const bucket = meter.bucket(route);
      if (bucket === undefined || bucket.take(sharedMs)) continue;
      if (!limit.isShadow) return { limit, lines: linesOf(limit, bucket) };
      shadowed(limit);
    }
    return undefined;
  }

  close(): void {
    for (const meter of this.#meters) meter.close();
  }
}

/** Whether the route fits is asked for each request. */
function routed(call: TargetedCall, { target }: RateLimit): TargetedCall {
  return { ...call, route: target.routes[0] };
}

/** draft-ietf-httpapi-ratelimit-headers, with Retry-After (RFC 9110 §10.2.3) for those who do not know it. */
function linesOf({ origin, requestsPerSecond, burst }: RateLimit, { retryAfterMs, remaining }: TokenBucket): string {
  const afterS = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  const windowS = Math.max(1, Math.ceil(burst / requestsPerSecond));
  return (
    `Retry-After: ${afterS}\r\n` +
    `RateLimit-Policy: "${origin.name}";q=${burst};w=${windowS}\r\n` +
    `RateLimit: "${origin.name}";r=${remaining};t=${afterS}\r\n`
  );
}
