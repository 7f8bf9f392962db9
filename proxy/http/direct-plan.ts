/** The plan of requests that nobody has said anything about: to an endpoint, as they are. @module */

import type { Balanced } from '../balancer/balanced.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Outcome } from '../resilience/outcome.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import type { RequestTrace } from '../telemetry/request-trace.ts';
import type { Answer } from './answer.ts';
import type { MirrorSink, Plan } from './plan.ts';
import type { StreamPool } from './streams.ts';

export abstract class DirectPlan implements Plan {
  abstract readonly requests: RequestRows;
  readonly route: string = '';
  readonly answer: Plan['answer'] = undefined;
  readonly fault: Plan['fault'] = undefined;
  readonly decided: Plan['decided'] = undefined;

  get policy(): Plan['policy'] {
    return undefined;
  }

  abstract pick(tried: readonly Balanced[], isUpgrade: boolean, nowMs: number): StreamPool | ReasonCode | Answer;

  mirror(_head: Head, _trace: RequestTrace): readonly MirrorSink[] | undefined {
    return undefined;
  }

  observe(_endpoint: Balanced, _outcome: Outcome, _startedAtMs: number, _nowMs: number): void {}

  editRequest(_head: Head): string {
    return '';
  }

  editResponse(_head: Head): string {
    return '';
  }
}
