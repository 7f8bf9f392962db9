/**
 * Which requests may come from a browser at all. A page of another origin can make one send requests here; such a page is known
 * by Origin and Sec-Fetch-Site, and one that had its name resolve to us by Host. Pure.
 * @module
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { isLoopback } from '../../addresses.ts';

export interface Door {
  readonly isLoopback: boolean;
  /** Names under which the door for other machines is reached. */
  readonly hosts: readonly string[];
}

/** Paths that a browser may come to from elsewhere: links to pages, and the way back from the identity provider. */
export type Reach = 'navigation' | 'own';

/** @returns why the request is refused; undefined when it may go on */
export function strangerProblem(
  { host = '', origin, ...headers }: IncomingHttpHeaders,
  { isLoopback: isLocal, hosts }: Door,
  reach: Reach,
): string | undefined {
  const name = nameOf(host);
  const isKnown = isLocal ? name === 'localhost' || isLoopback(name) : isIP(name) !== 0 || hosts.includes(name);
  if (!isKnown) {
    return isLocal
      ? 'host: use http://127.0.0.1 or http://localhost on this machine'
      : 'host: this console is not known by that name; add it to console.hosts';
  }
  const wanted = `${isLocal ? 'http' : 'https'}://${host}`;
  if (origin !== undefined && origin !== wanted) return 'origin: another page may not ask here';
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return undefined;
  if (reach === 'navigation' && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document') {
    return undefined;
  }
  return 'sec-fetch-site: another page may not ask here';
}

function nameOf(host: string): string {
  const name = /^(?:\[([^\]]+)\]|([^:]*))(?::\d{1,5})?$/.exec(host);
  return (name?.[1] ?? name?.[2] ?? '').toLowerCase();
}
