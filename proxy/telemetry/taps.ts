/**
 * What `weft tap` asks workers to watch, and which requests that is. Asked for every request while somebody watches, so whom
 * a tap is about is found once for all requests between the same two, and nothing of a request becomes text before the rest fits.
 * @module
 */

import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Parties } from './parties.ts';
import { pathOf } from './request-texts.ts';
import { callerOf, isNamed } from './workload-name.ts';

/** Filters in force at a time; more are not taken. */
export const MAX_TAPS = 8;

/** All that is given must hold; of a list, one. Names of services come with or without their namespace. Crosses by structured clone. */
export interface TapFilter {
  readonly id: string;
  /** Either side. */
  readonly services?: readonly string[];
  /** Callers, also by SPIFFE id. */
  readonly sources?: readonly string[];
  readonly destinations?: readonly string[];
  /** What the path begins with. */
  readonly pathPrefix?: string;
  readonly method?: string;
  /** 1 to 5; 0 for those without a final response. */
  readonly statusClass?: number;
  readonly reason?: ReasonCode;
  readonly minMs?: number;
  readonly users?: readonly string[];
  /** When nobody watches any more, ms since 1970. */
  readonly untilMs: number;
}

/** How something ended. */
export interface Ended {
  readonly status: number;
  readonly reason: ReasonCode | '';
  readonly tookMs: number;
}

export const NO_TAPS: readonly TapFilter[] = [];

/** Who calls whom, with the taps that this concerns, found once for all its requests. */
export interface Watchable {
  readonly parties: Parties;
  /** Of `among`. */
  taps: readonly TapFilter[];
  /** The list of taps that they were chosen from. */
  among: readonly TapFilter[];
}

const SLASH = 0x2f;

/** Whether what goes on between these is asked for at all. */
export function concerns({ services, sources, destinations }: TapFilter, parties: Parties): boolean {
  const { destination, source } = parties;
  const caller = callerOf(parties);
  return (
    (services === undefined || services.some((name) => isNamed(destination, name) || isNamed(caller, name))) &&
    (sources === undefined || sources.some((name) => isNamed(caller, name) || source === name)) &&
    (destinations === undefined || destinations.some((name) => isNamed(destination, name)))
  );
}

/**
 * The same of one request or connection between them, all but the user.
 *
 * @param head undefined for connections, and for requests that could not be read
 */
export function asksFor(filter: TapFilter, head: Head | undefined, { status, reason, tookMs }: Ended): boolean {
  const { statusClass, reason: wanted, minMs, method, pathPrefix } = filter;
  return (
    (statusClass === undefined || statusClass === Math.floor(status / 100)) &&
    (wanted === undefined || wanted === reason) &&
    (minMs === undefined || tookMs >= minMs) &&
    (method === undefined || hasMethod(head, method)) &&
    (pathPrefix === undefined || pathPrefix === '' || (head !== undefined && beginsWith(head, pathPrefix)))
  );
}

function hasMethod(head: Head | undefined, method: string): boolean {
  if (head === undefined || head.methodEnd - head.start !== method.length) return false;
  return isAt(head.bytes, head.start, method);
}

function beginsWith(head: Head, prefix: string): boolean {
  const { bytes, targetStart, targetEnd } = head;
  if (bytes[targetStart] !== SLASH) return pathOf(head).startsWith(prefix); // absolute-form
  return targetEnd - targetStart >= prefix.length && isAt(bytes, targetStart, prefix);
}

function isAt(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}
