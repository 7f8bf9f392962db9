/**
 * How an application of this node learns the address of its client: the connection comes from it, where the namespace allows
 * that; a PROXY header says it, where the application asks for one; and so does a line in each request, by config.
 * @module
 */

import { isIPv4, isIPv6 } from 'node:net';
import type { ProxyConfig } from '../config.ts';
import type { TcpDestination } from '../upstream/dial.ts';
import type { Call } from './call.ts';
import { proxyHeader } from './proxy-header.ts';

export interface ClientAddressContext {
  readonly clientAddress: ProxyConfig['clientAddress'];
  readonly http: Pick<ProxyConfig['http'], 'forwardedFor'>;
}

/** A connection to the application in the name of a caller. */
export function appDestination({ target, address: client }: Call, context: ClientAddressContext): TcpDestination {
  const { unit, address, port, proxyProtocol } = target;
  return {
    unit,
    address,
    port,
    failure: 'app-unreachable',
    ...(context.clientAddress === 'transparent' && isSameFamily(client, address) ? { source: client } : {}),
    ...(proxyProtocol === undefined ? {} : { preface: proxyHeader(client, { address, port }) }),
  };
}

/**
 * Connections to the application are shared by requests of one caller only, and by those from one address where it sees that.
 *
 * @param caller its identity
 */
export function connectionKey(
  caller: string | undefined,
  { address, target }: Call,
  context: ClientAddressContext,
): string {
  const showsAddress = context.clientAddress === 'transparent' || target.proxyProtocol !== undefined;
  if (caller === undefined) return `plaintext ${address}`;
  return showsAddress ? `${caller} ${address}` : caller;
}

/** Header lines to add to a request; lines of one name are one list (RFC 9110 §5.3). */
export function forwardedLines({ address }: Call, { http }: ClientAddressContext): string {
  return http.forwardedFor && address !== '' ? `X-Forwarded-For: ${address}\r\n` : '';
}

/** Link-local addresses, which have a zone, mean something else in another namespace. */
function isSameFamily(client: string, application: string): boolean {
  if (client.includes('%')) return false;
  return isIPv4(application) ? isIPv4(client) : isIPv6(client) && isIPv6(application);
}
