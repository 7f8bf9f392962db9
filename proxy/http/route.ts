/** Where the requests of one downstream connection go. @module */

import type { Balanced } from '../balancer/p2c.ts';
import type { Head } from '../http1/grammar/head.ts';
import type { ReasonCode } from '../reasons.ts';
import type { RawEnd, StreamPool } from './streams.ts';

export interface Route {
  /** Row in the statistics. */
  readonly row: number;
  /** The Host that a request without one gets (HTTP/1.0 allows that). */
  readonly authority: string;
  /** Whether the endpoint is an application of this node: what it says about the mesh is then not passed on. */
  readonly isLocal: boolean;
  /** Says who may send which request; undefined where that is judged elsewhere. */
  readonly guard: RequestGuard | undefined;
  /**
   * @param tried endpoints that could not be reached for this request
   * @param isUpgrade whether the exchange may turn into bytes, which takes a connection of its own
   */
  pick(tried: readonly Balanced[], isUpgrade: boolean): StreamPool | ReasonCode;
}

/** The destination's half of a hop that ends on this node: what another agent would judge and count is done in the same pass. */
export interface Arrival {
  /** Row in the statistics, beside that of the route. */
  readonly row: number;
  readonly guard: RequestGuard;
  /** The request has become bytes between this client and the application. */
  switched(client: RawEnd): void;
}

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
