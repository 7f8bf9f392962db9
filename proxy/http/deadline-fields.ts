/**
 * How much time a caller gives its call, as requests say it: `grpc-timeout` (gRPC over HTTP/2, "Timeout"), and
 * `weft-deadline-ms`, which agents tell each other.
 * @module
 */

import { FIELD, type Head } from '../http1/grammar/head.ts';

const EITHER = (1 << FIELD.weftDeadline) | (1 << FIELD.grpcTimeout);
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Largest number of milliseconds that 8 digits hold, which is what gRPC allows. */
const MOST_MS = 99_999_999;

/** @returns milliseconds; 0 where the caller sets no limit, or none that can be read */
export function remainingMs(head: Head): number {
  if ((head.seen & EITHER) === 0) return 0;
  const own = head.has(FIELD.weftDeadline) ? plain(head.value(head.find(FIELD.weftDeadline))) : 0;
  const grpc = head.has(FIELD.grpcTimeout) ? grpcTimeout(head.value(head.find(FIELD.grpcTimeout))) : 0;
  return own > 0 && grpc > 0 ? Math.min(own, grpc) : own + grpc;
}

/** Tells the next hop how long there is, in place of what the head says. @returns complete lines to add */
export function deadlineLines(head: Head, limitMs: number): string {
  const left = Math.max(1, Math.min(MOST_MS, Math.ceil(limitMs)));
  const grpc = head.has(FIELD.grpcTimeout) ? `grpc-timeout: ${left}m\r\n` : '';
  head.dropAll(FIELD.weftDeadline);
  head.dropAll(FIELD.grpcTimeout);
  return `weft-deadline-ms: ${left}\r\n${grpc}`;
}

function plain(value: string): number {
  return /^\d{1,9}$/.test(value) ? Number(value) : 0;
}

function grpcTimeout(value: string): number {
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  return match === null ? 0 : Math.max(1, Math.ceil(Number(match[1]) * UNIT_MS[match[2]!]!));
}
