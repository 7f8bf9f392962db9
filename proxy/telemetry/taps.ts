/** What `weft tap` asks workers to watch. Plain data: it crosses by structured clone. @module */

import type { ReasonCode } from '../reasons.ts';
import type { RequestRecord } from './record.ts';

/** Filters in force at a time; more are not taken. */
export const MAX_TAPS = 8;

/** All that is given must hold. */
export interface TapFilter {
  readonly id: string;
  /** SPIFFE id of the caller, or its 'namespace/service'. */
  readonly source?: string;
  /** 'namespace/service'. */
  readonly destination?: string;
  /** What the path begins with. */
  readonly pathPrefix?: string;
  readonly method?: string;
  /** 1 to 5; 0 for those without a final response. */
  readonly statusClass?: number;
  readonly reason?: ReasonCode;
  /** When nobody watches any more, ms since 1970. */
  readonly untilMs: number;
}

export type Watched = Pick<
  RequestRecord,
  'source' | 'sourceService' | 'destination' | 'path' | 'method' | 'status' | 'reason'
>;

export function isWatched(request: Watched, filter: TapFilter, nowMs: number): boolean {
  const { source, destination, pathPrefix, method, statusClass, reason, untilMs } = filter;
  return (
    nowMs < untilMs &&
    (source === undefined || source === request.source || source === request.sourceService) &&
    (destination === undefined || destination === request.destination) &&
    (method === undefined || method === request.method) &&
    (pathPrefix === undefined || request.path.startsWith(pathPrefix)) &&
    (statusClass === undefined || statusClass === Math.floor(request.status / 100)) &&
    (reason === undefined || reason === request.reason)
  );
}
