/** What to call a caller of which only its identity is known. @module */

/** `shop/web` of `spiffe://DOMAIN/ns/shop/sa/web`; anything else as it is. */
export function workloadOf(source: string): string {
  const [, namespace, account] = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)/.exec(source) ?? [];
  return namespace === undefined ? source : `${namespace}/${account}`;
}
