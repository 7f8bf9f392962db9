/** Who calls whom on an inbound connection. @module */

import type { Parties } from '../telemetry/parties.ts';
import type { LocalTarget } from '../upstream/local-target.ts';

export interface Call {
  /** SPIFFE id; undefined for plaintext. */
  readonly identity: string | undefined;
  readonly address: string;
  readonly target: LocalTarget;
}

/** @param sourceService 'namespace/service' of the caller, where it is one of this node */
export function inboundParties({ identity = '', target }: Call, sourceService = ''): Parties {
  return { direction: 'inbound', source: identity, sourceService, destination: target.service };
}
