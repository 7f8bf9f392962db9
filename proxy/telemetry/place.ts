/** Between whom the requests of a connection go, as records tell it. @module */

import type { Answerer, Balanced } from '../balancer/balanced.ts';

export interface Place {
  readonly direction: 'outbound' | 'inbound';
  /** SPIFFE id of the caller; empty in plaintext. */
  readonly source: string;
  /** 'namespace/service' of the caller; empty where only its identity is known. */
  readonly sourceService: string;
  /** 'namespace/service', or 'passthrough'. */
  readonly destination: string;
}

/** What was decided about a request by a document. */
export interface Decided {
  readonly kind: 'route' | 'limit';
  /** `HTTPRoute shop/cart rule 2` */
  readonly subject: string;
  /** The path that led to the rule; empty where there were several, or none. */
  readonly route: string;
  /** Where it goes, if not where it was dialled. */
  readonly destination: string | undefined;
}

/** As it is written: IPv6 in brackets. */
export function addressOf(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

const NOBODY: Answerer = { endpoint: '', version: '' };

export function answererOf(endpoint: Balanced | undefined): Answerer {
  return endpoint?.answerer ?? NOBODY;
}
