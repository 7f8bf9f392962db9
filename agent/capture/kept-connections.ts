/** Connections of a namespace that come from addresses which are not its own: those made in a client's name. @module */
import { readFileSync } from 'node:fs';
import ipaddr from 'ipaddr.js';
import { systemCode } from '../errors.ts';
import type { Linux } from './linux.ts';
import type { Namespace } from './namespace.ts';

/** Of proc(5), /proc/net/tcp: what is no connection any more, or never was one. */
const NOT_OPEN = new Set(['06' /* TIME_WAIT */, '07' /* CLOSE */, '0A' /* LISTEN */]);

export function hasKeptConnections(linux: Linux, namespace: Namespace): boolean {
  const isOwn = namespace.ownAddresses(linux);
  const tables = linux.inNamespace(namespace.fd, () => ['tcp', 'tcp6'].map(readTable));
  return tables.flatMap(openLocals).some((address) => !isOwn(address));
}

/** Local addresses of open connections in the text of /proc/net/tcp or tcp6. Addresses are words in host order. */
export function openLocals(table: string): readonly string[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local !== undefined && state !== undefined && !NOT_OPEN.has(state))
    .map(([, local]) => readAddress(local!.split(':')[0]!));
}

function readAddress(hex: string): string {
  const address = ipaddr.fromByteArray([...Buffer.from(hex, 'hex').swap32()]);
  const isMapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress();
  return isMapped ? address.toIPv4Address().toString() : address.toString();
}

function readTable(name: string): string {
  try {
    return readFileSync(`/proc/thread-self/net/${name}`, 'utf8');
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return ''; // no IPv6
    throw err;
  }
}
