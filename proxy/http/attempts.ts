/**
 * The attempts at one request: which endpoints were tried, whether there may be another, and what of the body would have
 * to be sent again. One object serves all requests of a downstream stream.
 * @module
 */

import type { Balanced } from '../balancer/balanced.ts';
import { BODY, type Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Answer } from './answer.ts';
import type { CallPolicy, Plan } from './plan.ts';
import { type Failure, isCovered, isIdempotent, pauseMs } from './retry.ts';
import type { StreamPool } from './streams.ts';

export interface AttemptLimits {
  /** Endpoints that may be tried for a request that none of them has begun to work on. */
  readonly maxAttempts: number;
  /** Most bytes of a body that are kept. */
  readonly replayBytes: number;
}

const NONE: readonly Balanced[] = [];
const NOTHING: readonly Buffer[] = [];

export class Attempts {
  /** Endpoints that failed this request. */
  tried: readonly Balanced[] = NONE;
  /** Endpoints picked so far. */
  count = 0;
  /** The latest; what the client is told where there is nobody else to ask. */
  failure: Failure | undefined = undefined;
  /** Whether a pooled connection was found dead and another one taken: that is done once. */
  wasReplayed = false;
  readonly #limits: AttemptLimits;
  #head: Head | undefined = undefined;
  #policy: CallPolicy | undefined = undefined;
  #repeats = 0;
  #isRepeating = false;
  /** Body sent so far; undefined where it is not kept. */
  #body: Buffer[] | undefined = undefined;
  #keptBytes = 0;
  #sentBytes = 0;

  constructor(limits: AttemptLimits) {
    this.#limits = limits;
  }

  begin(head: Head, policy: CallPolicy | undefined): void {
    this.#head = head;
    this.#policy = policy;
    this.tried = NONE;
    this.count = 0;
    this.failure = undefined;
    this.wasReplayed = false;
    this.#repeats = 0;
    this.#body = head.body === BODY.none ? undefined : [];
    this.#keptBytes = 0;
    this.#sentBytes = 0;
  }

  /** The response has begun: nothing will be repeated any more. */
  settle(): void {
    this.#body = undefined;
  }

  /** The request is over. */
  end(): void {
    this.#head = undefined;
    this.#body = undefined;
    this.tried = NONE;
    this.#leave();
  }

  /** The endpoint to try next. @param nowMs on the clock of `performance.now()` */
  pick(plan: Plan, isUpgrade: boolean, nowMs: number): StreamPool | ReasonCode | Answer {
    const pool = plan.pick(this.tried, isUpgrade, nowMs);
    if (typeof pool !== 'string' || this.failure === undefined) return pool;
    // Who answered badly may do better the next time; whom nobody could reach is not asked again.
    const again = this.failure.isUnsent ? pool : plan.pick(NONE, isUpgrade, nowMs);
    return typeof again === 'string' ? this.failure.reason : again;
  }

  /** The body that the endpoint asked before has got already. */
  get kept(): readonly Buffer[] {
    return this.#body ?? NOTHING;
  }

  sent(bytes: Buffer, start: number, end: number): void {
    this.#sentBytes += end - start;
    if (this.#body === undefined) return;
    this.#keptBytes += end - start;
    if (this.#keptBytes > this.#limits.replayBytes) this.#body = undefined;
    else this.#body.push(bytes.subarray(start, end));
  }

  /** Whether the same may be sent once more without anybody noticing. */
  isRepeatable(isUnsent: boolean): boolean {
    if (this.#sentBytes > 0 && this.#body === undefined) return false;
    return isUnsent || this.#policy?.retries.isAnyMethod === true || isIdempotent(this.#head!);
  }

  /** Whether there is to be another attempt, at an endpoint that is not `tried` any more; counts it. */
  goesOn(failure: Failure, failed: Balanced, nowMs: number): boolean {
    this.failure = failure;
    this.tried = [...this.tried, failed];
    if (!this.isRepeatable(failure.isUnsent)) return false;
    const { maxAttempts } = this.#limits;
    const retries = this.#policy?.retries;
    if (retries === undefined) return failure.isUnsent && this.count < maxAttempts;
    if (!isCovered(failure, retries)) return false;
    // To knock at another door costs nobody anything; to ask anew does, and is held to a budget.
    if (failure.isUnsent) return this.count < Math.max(maxAttempts, retries.attempts + 1);
    if (this.#repeats >= retries.attempts) return false;
    if (!this.#isRepeating) this.#isRepeating = this.#policy!.beginRetry(nowMs);
    else if (!this.#policy!.countRetry(nowMs)) return false;
    if (!this.#isRepeating) return false;
    this.#repeats++;
    return true;
  }

  /** How long to wait before the next attempt. */
  pauseMs(random: () => number): number {
    const retries = this.#policy?.retries;
    if (retries === undefined || this.failure?.isUnsent !== false) return 0;
    return pauseMs(this.#repeats - 1, retries, random);
  }

  #leave(): void {
    if (this.#isRepeating) this.#policy!.endRetry();
    this.#isRepeating = false;
    this.#policy = undefined;
  }
}
