/** Who decides about requests, as the exchange that carries them sees it. @module */

import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';

export interface RequestGuard {
  /**
   * @param added complete header lines that the request gets besides, from routes; left out for none
   * @returns undefined for a request that may go on
   */
  judge(head: Head, added?: string): Denial | undefined;
}

export interface Denial {
  readonly reason: ReasonCode;
  /** One more sentence, for people. */
  readonly detail: string;
  /** For `weft-policy`: the rule that decided, as 'namespace/policy/rule', or the word for what decided instead. */
  readonly policy: string;
  /** Complete header lines for the answer; left out for none. */
  readonly lines?: string;
}

/** The say of a destination over how many requests it has at a time, and how often. */
export interface Admission {
  /** @returns the place that the request has until it is over; undefined where none are counted; or why it gets none */
  enter(head: Head): Place | Denial | undefined;
}

/** One of those that a destination has at a time. One object may stand for many of them. */
export interface Place {
  /** @param status of the response; 0 where there was none, or not the whole of it */
  leave(tookMs: number, status: number): void;
}
