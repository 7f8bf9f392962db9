/** Where a redirect leads (Gateway API, HTTPRequestRedirectFilter). @module */

import { targetOf } from '../access/request.ts';
import { FIELD, type Head } from '../http1/grammar/head.ts';
import type { HttpMatch, Redirect } from '../traffic/rules.ts';
import { type CompiledPathEdit, compilePathEdit, editedPath, hostnameOf } from './rewrite.ts';

export interface CompiledRedirect {
  readonly redirect: Redirect;
  readonly hostname: string | undefined;
  readonly path: CompiledPathEdit | undefined;
}

/** Where the request that is redirected came in. */
export interface Arrived {
  readonly scheme: 'http' | 'https';
  /** Of the service that was dialled. */
  readonly port: number;
  /** For a request without Host. */
  readonly authority: string;
}

const WELL_KNOWN = { http: 80, https: 443 } as const;

export function compileRedirect(
  redirect: Redirect | undefined,
  match: HttpMatch | undefined,
  ignored: (what: string) => void,
): CompiledRedirect | undefined {
  if (redirect === undefined) return undefined;
  return {
    redirect,
    hostname: redirect.hostname === undefined ? undefined : hostnameOf(redirect.hostname, ignored),
    path: redirect.path === undefined ? undefined : compilePathEdit(redirect.path, match),
  };
}

/**
 * The value of Location: always an absolute URL. The query is kept, whatever happens to the path.
 *
 * Without a port, a scheme that is given stands for its own port, and else the port that was dialled is kept; a port that
 * the scheme says anyway is left out.
 */
export function redirectLocation(head: Head, { redirect, hostname, path }: CompiledRedirect, arrived: Arrived): string {
  const scheme = redirect.scheme ?? arrived.scheme;
  const port = redirect.port ?? (redirect.scheme === undefined ? arrived.port : WELL_KNOWN[redirect.scheme]);
  const host = hostname ?? hostOf(head, arrived.authority).replace(/:\d*$/, '');
  const authority = port === WELL_KNOWN[scheme] ? host : `${host}:${port}`;
  const target = targetOf(head);
  const query = target.indexOf('?');
  const from = query === -1 ? target : target.slice(0, query);
  const to = from === '*' ? '/' : path === undefined ? from : editedPath(from, path);
  return `${scheme}://${authority}${to}${query === -1 ? '' : target.slice(query)}`;
}

function hostOf(head: Head, authority: string): string {
  if (head.target.authority !== undefined) return head.target.authority;
  const host = head.find(FIELD.host);
  return host === -1 ? authority : head.value(host);
}
