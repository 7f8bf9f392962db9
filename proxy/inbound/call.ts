/** Who calls whom on an inbound connection. @module */

import type { LocalTarget } from '../upstream/local-target.ts';

export interface Call {
  /** SPIFFE id; undefined for plaintext. */
  readonly identity: string | undefined;
  readonly address: string;
  readonly target: LocalTarget;
}
