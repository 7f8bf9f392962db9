/** Between whom requests and connections go, and what decided so: records tell it, rows of statistics are labelled by it. @module */

import type { Answerer, Balanced } from '../balancer/balanced.ts';

export interface Parties {
  readonly direction: 'outbound' | 'inbound';
  /** SPIFFE id of the caller; empty in plaintext. */
  readonly source: string;
  /** 'namespace/service' of the caller; empty where only its identity is known. */
  readonly sourceService: string;
  /** 'namespace/service', or 'passthrough' for what lies outside the mesh. */
  readonly destination: string;
}

/** What was decided about a request by a document. */
export interface Decided {
  readonly kind: 'route' | 'limit';
  /** `HTTPRoute shop/cart rule 2` */
  readonly subject: string;
}

/** As it is written: IPv6 in brackets. */
export function addressOf(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

const NOBODY: Answerer = { endpoint: '', version: '' };

export function answererOf(endpoint: Balanced | undefined): Answerer {
  return endpoint?.answerer ?? NOBODY;
}
