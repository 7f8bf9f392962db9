/** Who calls whom on an inbound connection. @module */

import type { Place } from '../telemetry/place.ts';
import type { Parties } from '../telemetry/series.ts';
import type { LocalTarget } from '../upstream/local-target.ts';

export interface Call {
  /** SPIFFE id; undefined for plaintext. */
  readonly identity: string | undefined;
  readonly address: string;
  readonly target: LocalTarget;
}

/** @param sourceService 'namespace/service' of the caller, where it is one of this node */
export function inboundPlace({ identity = '', target }: Call, sourceService = ''): Place {
  return { direction: 'inbound', source: identity, sourceService, destination: target.service };
}

/** Whom it is counted under. */
export function inboundParties({ identity = 'plaintext', target }: Call): Parties {
  return { direction: 'inbound', source: identity, sourceService: '', destination: target.service };
}
