/**
 * What an operator's key signs to log in. The browser writes it by itself, from the address that it shows: a statement of
 * another console, or a document that is passed off as a login, has no use here. Shared with the browser.
 * @module
 */

export interface LoginStatement {
  readonly trustDomain: string;
  /** As in the address bar, with its port: `location.host`. */
  readonly host: string;
  readonly nonce: string;
}

export function loginStatement({ trustDomain, host, nonce }: LoginStatement): Uint8Array {
  return new TextEncoder().encode(`weft console login 1\n${trustDomain}\n${host}\n${nonce}\n`);
}
