/** Where the requests of one downstream connection go. @module */

import type { Head } from '../http1/grammar/head.ts';
import type { RequestRows } from '../telemetry/request-rows.ts';
import type { RequestTrace } from '../telemetry/request-trace.ts';
import type { Plan } from './plan.ts';
import type { Admission, RequestGuard } from './request-guard.ts';

export interface Route {
  /** Row in the statistics of the connection. */
  readonly row: number;
  /** Where its requests are counted. */
  readonly requests: RequestRows;
  /** The Host that a request without one gets (HTTP/1.0 allows that). */
  readonly authority: string;
  /** Whether the endpoint is an application of this node: what it says about the mesh is then not passed on. */
  readonly isLocal: boolean;
  /** Complete header lines that each request gets; '' for none. */
  readonly lines: string;
  /** Says who may send which request; undefined where that is judged elsewhere. */
  readonly guard: RequestGuard | undefined;
  /** Says how many at a time; undefined where anybody's are taken. */
  readonly admission: Admission | undefined;
  /** Of the request that what goes this way is a copy of; undefined for what is nobody's copy. */
  readonly original: RequestTrace | undefined;
  /** What becomes of a request. The head must not have been edited. */
  plan(head: Head): Plan;
}
