/** Where the requests of one downstream connection go. @module */

import type { Balanced } from '../balancer/p2c.ts';
import type { ReasonCode } from '../reasons.ts';
import type { StreamPool } from './streams.ts';

export interface Route {
  /** Row in the statistics. */
  readonly row: number;
  /** The Host that a request without one gets (HTTP/1.0 allows that). */
  readonly authority: string;
  /** Whether the endpoint is an application of this node: what it says about the mesh is then not passed on. */
  readonly isLocal: boolean;
  /** @param tried endpoints that could not be reached for this request */
  pick(tried: readonly Balanced[]): StreamPool | ReasonCode;
}
