/** Rate limits that hold for the calls of one workload to one port of a service, and the buckets they take from. @module */

import type { SharedTable } from '../resilience/shared-table.ts';
import { type TargetedCall, TargetMatcher } from '../resilience/targets.ts';
import { TokenBucket } from '../resilience/token-bucket.ts';
import type { TrafficBoard } from './board.ts';
import type { RateLimit } from './rules.ts';

/** A request that a limit does not let through. */
export interface Limited {
  readonly limit: RateLimit;
  /** Complete header lines for the answer. */
  readonly lines: string;
}

interface Meter {
  readonly limit: RateLimit;
  readonly bucket: TokenBucket;
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
    return CallLimits.#from(board, call, shared, (limit) => limit.per === 'target' || limit.per === 'route');
  }

  /** Limits counted at the destination: all calls to a workload, or those of each caller. */
  static at(board: TrafficBoard, call: TargetedCall, shared: SharedTable, workload: string): CallLimits | undefined {
    const { caller } = call;
    const place = `${workload} ${caller.identity?.[0] ?? ''}`;
    return CallLimits.#from(
      board,
      call,
      shared,
      ({ per }) => per === 'workload' || per === 'caller',
      (limit) => (limit.per === 'caller' ? place : workload),
    );
  }

  static #from(
    board: TrafficBoard,
    call: TargetedCall,
    shared: SharedTable,
    isHere: (limit: RateLimit) => boolean,
    bucketOf: (limit: RateLimit) => string = () => `${call.namespace}/${call.service} ${call.port}`,
  ): CallLimits | undefined {
    const meters = board.rules.limits
      .filter((limit) => isHere(limit) && new TargetMatcher(limit.target, limit.origin).holds(routed(call, limit)))
      .map((limit): Meter => {
        const { namespace, name, revision } = limit.origin;
        return { limit, bucket: new TokenBucket(shared, `${namespace}/${name} ${revision} ${bucketOf(limit)}`, limit) };
      });
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
    for (const { limit, bucket } of this.#meters) {
      const { routes } = limit.target;
      if (routes.length > 0 && (route === undefined || !routes.includes(route))) continue;
      if (bucket.take(sharedMs)) continue;
      if (!limit.isShadow) return { limit, lines: linesOf(limit, bucket) };
      shadowed(limit);
    }
    return undefined;
  }

  close(): void {
    for (const { bucket } of this.#meters) bucket.close();
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
