/**
 * Whether a request that failed may be sent again. Pure.
 *
 * RFC 9110 §9.2.2: a proxy repeats by itself only what is idempotent. What surely nobody has begun to work on may be sent
 * again whatever it is, and what an operator says may be repeated is.
 *
 * Sure is: no connection was made; the peer says so (REFUSED_STREAM, a stream above GOAWAY's last, `refused` of weft/1, a reason
 * in UNSENT); the kernel had been told of the end of a pooled connection before a byte was given to it, or refused the first
 * write. A pooled connection that ends after the kernel took a byte is not sure, even if it ends without one byte of response:
 * whoever closes an idle connection and whoever dies of a request look the same from here.
 * @module
 */

import { FIELD, type Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Retries, RetryCondition } from '../traffic/rules.ts';

const IDEMPOTENT = /^(GET|HEAD|OPTIONS|TRACE|PUT|DELETE)$/;

/** How an attempt failed. */
export interface Failure {
  /** 'answer': one that the policy takes for a failure; 'malformed': something came that is no response. */
  readonly condition: RetryCondition | 'answer' | 'malformed';
  /** Whether it is certain that nobody has begun to work on the request: then it may be repeated whatever it is. */
  readonly isUnsent: boolean;
  readonly reason: ReasonCode;
  readonly detail: string;
}

/** Answers of another agent that say that its application was never asked. */
const UNSENT: ReadonlySet<string> = new Set<ReasonCode>([
  'app-unreachable',
  'connect-timeout',
  'workload-gone',
  'upstream-overflow',
  'pending-timeout',
  'out-of-sockets',
  'draining',
]);

/** Those that say that its application went away without an answer. */
const LOST: ReadonlySet<string> = new Set<ReasonCode>(['upstream-closed', 'upstream-reset']);

export function isIdempotent(head: Head): boolean {
  return isGet(head) || IDEMPOTENT.test(head.method());
}

/** Without making a string of it: most requests are. */
function isGet({ bytes, start, methodEnd }: Head): boolean {
  return methodEnd - start === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54;
}

/** What is wrong with a response for which this policy repeats a request; undefined for one that is passed on. */
export function failureOf(head: Head, retries: Retries): Failure | undefined {
  const { status } = head;
  if (head.has(FIELD.weftReason)) {
    const told = head.value(head.find(FIELD.weftReason));
    if (UNSENT.has(told)) return toldBy(told as ReasonCode, 'connect-failure');
    if (LOST.has(told)) return toldBy(told as ReasonCode, 'reset');
  }
  if (status < 400 || !(retries.codes.includes(status) || isRepeated(status, retries))) return undefined;
  return { condition: 'answer', isUnsent: false, reason: 'upstream-failed', detail: `status ${status}` };
}

function toldBy(reason: ReasonCode, condition: 'connect-failure' | 'reset'): Failure {
  const detail = 'as the agent of the endpoint says';
  return { condition, isUnsent: condition === 'connect-failure', reason, detail };
}

/** Whether the policy is about such a failure. One that gets no answer is to clients a 5xx, and to policies as well. */
export function isCovered({ condition }: Failure, { on }: Retries): boolean {
  if (condition === 'answer') return true;
  if (condition === 'malformed') return false;
  return on.includes(condition) || on.includes('5xx') || on.includes('gateway-error');
}

/** The pause before an attempt: full jitter over a wait that doubles (AWS Architecture Blog, "Exponential Backoff And Jitter"). */
export function pauseMs(retry: number, { backoffMs, maxBackoffMs }: Retries, random: () => number): number {
  return random() * Math.min(maxBackoffMs, backoffMs * 2 ** retry);
}

/** Whether the agent of the endpoint refused for want of room there. */
export function isOverloaded(head: Head): boolean {
  return head.has(FIELD.weftReason) && head.value(head.find(FIELD.weftReason)) === ('overloaded' satisfies ReasonCode);
}

/** The same of a destination on this node. */
export function isForRoom(reason: ReasonCode): boolean {
  return reason === 'overloaded' || reason === 'rate-limited';
}

/** What a response asks for by Retry-After in seconds; 0 where it says nothing, or a date. Not for the hot path. */
export function retryAfterMs(head: Head): number {
  for (let field = 0; field < head.fieldCount; field++) {
    if (head.name(field).toLowerCase() !== 'retry-after') continue;
    const value = head.value(field);
    return /^\d{1,6}$/.test(value) ? Number(value) * 1_000 : 0;
  }
  return 0;
}

function isRepeated(status: number, { on }: Retries): boolean {
  if (status === 429) return on.includes('429');
  if (status < 500) return false;
  return on.includes('5xx') || (status >= 502 && status <= 504 && on.includes('gateway-error'));
}
