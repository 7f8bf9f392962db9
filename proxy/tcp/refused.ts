/** A connection that is not let on: counted and told of as one that ended at once. @module */

import type { ReasonCode } from '../reasons.ts';
import { tellOfConnection } from '../telemetry/connection-record.ts';
import type { Parties } from '../telemetry/parties.ts';
import type { RelayContext } from './relay.ts';

export interface Refused {
  /** Of connections between these. */
  readonly row: number;
  readonly parties: Parties;
  readonly reason: ReasonCode;
}

export function countRefused(
  { row, parties, reason }: Refused,
  { stats, records }: Pick<RelayContext, 'stats' | 'records'>,
): void {
  stats.opened(row);
  stats.failure(row, reason);
  stats.closed(row);
  const nothing = { endpoint: undefined, bytesReceived: 0, bytesSent: 0 };
  tellOfConnection(records, { ends: [parties], startedAtMs: performance.now(), reason, ...nothing });
}
