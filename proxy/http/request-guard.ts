/** Who decides about requests, as the exchange that carries them sees it. @module */

import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';

export interface RequestGuard {
  /** @returns undefined for a request that may go on. The head must not have been edited for the next hop. */
  judge(head: Head): Denial | undefined;
}

export interface Denial {
  readonly reason: ReasonCode;
  /** One more sentence, for people. */
  readonly detail: string;
  /** For `weft-policy`: the rule that decided, as 'namespace/policy/rule', or the word for what decided instead. */
  readonly policy: string;
}
