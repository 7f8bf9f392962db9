/**
 * The PROXY protocol, version 2: how an application that asks for it is told who is at the other end of a connection, before
 * the first byte of that connection (haproxy.org/download/2.9/doc/proxy-protocol.txt, §2.2).
 * @module
 */

import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
/** Version 2, command PROXY. */
const PROXY = 0x21;
/** Version 2, command LOCAL: there is nothing to tell. */
const LOCAL = 0x20;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/**
 * @param client its address; the port is 0, as calls of one client share connections
 * @param application where the connection leads
 */
export function proxyHeader(client: string, application: { readonly address: string; readonly port: number }): Buffer {
  const { address, port } = application;
  const ports = [0, 0, port >> 8, port & 0xff];
  if (isIPv4(client) && isIPv4(address))
    return header(PROXY, TCP_OVER_IPV4, [...bytesOf(client), ...bytesOf(address), ...ports]);
  if (!isIP(client) || !isIP(address)) return header(LOCAL, 0, []);
  return header(PROXY, TCP_OVER_IPV6, [...inIPv6(client), ...inIPv6(address), ...ports]);
}

function header(command: number, family: number, addresses: readonly number[]): Buffer {
  return Buffer.from([...SIGNATURE, command, family, addresses.length >> 8, addresses.length & 0xff, ...addresses]);
}

/** Both addresses are of one family there: one of the older kind is told as ::ffff:a.b.c.d. */
function inIPv6(address: string): readonly number[] {
  return bytesOf(isIPv4(address) ? `::ffff:${address}` : address);
}

function bytesOf(address: string): readonly number[] {
  return ipaddr.parse(address).toByteArray();
}

function isIP(address: string): boolean {
  return isIPv4(address) || isIPv6(address);
}
