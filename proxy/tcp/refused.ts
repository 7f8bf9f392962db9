/** A connection that is not let on: counted and told of as one that ended at once. @module */

import { performance } from 'node:perf_hooks';
import type { ReasonCode } from '../reasons.ts';
import { tellOfConnection } from '../telemetry/connection-record.ts';
import type { Parties } from '../telemetry/parties.ts';
import type { RelayContext } from './relay.ts';

export interface Refused {
  /** Of connections between these. */
  readonly row: number;
  readonly parties: Parties;
  readonly reason: ReasonCode;
  /** Where it comes from another agent: what that one knows of its trace. */
  readonly shared?: Int32Array | undefined;
}

export function countRefused(
  { row, parties, reason, shared }: Refused,
  { stats, records }: Pick<RelayContext, 'stats' | 'records'>,
): void {
  stats.opened(row);
  stats.failure(row, reason);
  stats.closed(row);
  const nothing = { endpoint: undefined, bytesReceived: 0, bytesSent: 0 };
  tellOfConnection(records, { ends: [parties], shared, startedAtMs: performance.now(), reason, ...nothing });
}
