/**
 * How one request goes on, as its route decides once its head has come: answered at once, or sent to endpoints that the plan
 * picks attempt by attempt. A route without rules is its own plan, so that the plain way costs no object.
 * @module
 */

import type { Balanced } from '../balancer/balanced.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Outcome } from '../resilience/outcome.ts';
import type { Decided } from '../telemetry/parties.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import type { RequestTrace } from '../telemetry/request-trace.ts';
import type { Retries, Timeouts } from '../traffic/rules.ts';
import type { Answer } from './answer.ts';
import type { StreamPool } from './streams.ts';

export interface Plan {
  /** Where in the statistics the request is counted. */
  readonly requests: RequestRows;
  /** What the rule that matched says the route is; '' where that is read off the path. */
  readonly route: string;
  /** What the mesh answers by itself: a redirect, a refusal of a limit. */
  readonly answer: Answer | undefined;
  /** What holds for all calls like this one; undefined at the destination, where nothing is repeated. */
  readonly policy: CallPolicy | undefined;
  /** What is done to it on purpose; undefined for nothing. */
  readonly fault: AppliedFault | undefined;
  /** By which document, where one decided. Not for the hot path. */
  readonly decided: Decided | undefined;
  /**
   * Begins the copies that go elsewhere as well; undefined for none. To be asked once, before the head is edited.
   *
   * @param trace of the request; the copies are part of it
   */
  mirror(head: Head, trace: RequestTrace): readonly MirrorSink[] | undefined;
  /**
   * @param tried endpoints that failed this request
   * @param isUpgrade whether the exchange may turn into bytes, which takes a stream of bytes, or a connection of its own
   * @param nowMs on the clock of `performance.now()`
   */
  pick(tried: readonly Balanced[], isUpgrade: boolean, nowMs: number): StreamPool | ReasonCode | Answer;
  /**
   * What became of an attempt. Instants are on the clock of `performance.now()`.
   *
   * @param endpoint one that was picked
   */
  observe(endpoint: Balanced, outcome: Outcome, startedAtMs: number, nowMs: number): void;
  /** Edits the head for the endpoint picked last; may be asked again for the next one. @returns complete lines to add */
  editRequest(head: Head): string;
  /** The same for the response of that endpoint. */
  editResponse(head: Head): string;
}

/** What all calls of one caller to one service share, over all workers of the node. */
export interface CallPolicy {
  readonly timeouts: Timeouts;
  readonly retries: Retries;
  /** Takes a place among the requests; the reason why there is none. */
  enter(nowMs: number): ReasonCode | undefined;
  /** Gives it back. */
  leave(): void;
  /** The same among those that wait for a connection; false where there is none. */
  beginWait(): boolean;
  endWait(): void;
  /** Takes a place among those that are repeated, and one repeat out of the budget; false where there is none left. */
  beginRetry(nowMs: number): boolean;
  /** One more repeat of a request that has its place. */
  countRetry(nowMs: number): boolean;
  endRetry(): void;
}

export interface AppliedFault {
  /** The document that asks for it. */
  readonly subject: string;
  readonly delayMs: number;
  /** The connection is reset instead of an answer. */
  readonly isReset: boolean;
  /** How fast the response may be; 0 for as fast as it comes. */
  readonly bytesPerSecond: number;
}

/** A copy of a request on its way; what comes of it is nobody's concern here. */
export interface MirrorSink {
  data(bytes: Buffer, start: number, end: number): void;
  end(): void;
  abort(): void;
}
