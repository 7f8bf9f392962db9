/** Where the requests of one downstream connection go. @module */

import type { Balanced } from '../balancer/balanced.ts';
import type { ReasonCode } from '../reasons.ts';
import type { RequestGuard } from './request-guard.ts';
import type { StreamPool } from './streams.ts';

export interface Route {
  /** Row in the statistics. */
  readonly row: number;
  /** The Host that a request without one gets (HTTP/1.0 allows that). */
  readonly authority: string;
  /** Whether the endpoint is an application of this node: what it says about the mesh is then not passed on. */
  readonly isLocal: boolean;
  /** Complete header lines that each request gets; '' for none. */
  readonly lines: string;
  /** Says who may send which request; undefined where that is judged elsewhere. */
  readonly guard: RequestGuard | undefined;
  /**
   * @param tried endpoints that could not be reached for this request
   * @param isUpgrade whether the exchange may turn into bytes, which takes a connection of its own
   */
  pick(tried: readonly Balanced[], isUpgrade: boolean): StreamPool | ReasonCode;
}
