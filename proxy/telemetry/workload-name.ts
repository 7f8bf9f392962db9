/** What workloads are called in records, and whether somebody who searches means one. @module */

import type { Parties } from './parties.ts';

/** `shop/web` of `spiffe://DOMAIN/ns/shop/sa/web`; anything else as it is. */
export function workloadOf(source: string): string {
  const [, namespace, account] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)/.exec(source) ?? [];
  return namespace === undefined ? source : `${namespace}/${account}`;
}

/** The caller's service, or what its identity names. */
export function callerOf({ sourceService, source }: Pick<Parties, 'source' | 'sourceService'>): string {
  return sourceService || workloadOf(source);
}

/** @param name with or without its namespace */
export function isNamed(service: string, name: string): boolean {
  return service === name || (!name.includes('/') && service.slice(service.indexOf('/') + 1) === name);
}
