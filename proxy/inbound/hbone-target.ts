/** Which port of this unit a CONNECT means, and whose certificate to show to a peer that names no endpoint. @module */

import { isIP } from 'node:net';
import type { ReasonCode } from '../reasons.ts';
import { plainAddress } from '../sockets.ts';
import type { LocalTarget } from '../upstream/local-target.ts';
import type { NamedTarget, Workload } from '../workload.ts';

export interface Authority {
  /** A name in lower case, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What is known of the ports of one unit. */
export interface UnitPorts {
  /** All that listen on this port, each on an address of its own. */
  onPort(unit: string, port: number): readonly NamedTarget[];
  /** The one that the mesh knows by this address and port. */
  published(address: string, port: number): NamedTarget | undefined;
  workloadsOf(unit: string): readonly Workload[];
}

export interface Connection {
  readonly unit: string;
  /** The address that the peer dialled. */
  readonly localAddress: string | undefined;
  /** The workload whose certificate was shown. */
  readonly shown: Workload;
}

/** @returns undefined for what is no `host:port` (RFC 9110 §9.3.6: the port is never left out) */
export function parseAuthority(text: string): Authority | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, v6, name, digits] = match;
  const port = Number(digits);
  if (port < 1 || port > 65_535 || (v6 !== undefined && isIP(v6) !== 6)) return undefined;
  return { host: (v6 ?? name ?? '').toLowerCase(), port };
}

/** The port that a peer may have, or why it gets none. What is not in this unit does not exist here: nothing is relayed on. */
export function hbonePort(authority: Authority, connection: Connection, ports: UnitPorts): LocalTarget | ReasonCode {
  const found = find(authority, connection, ports);
  if (found === undefined) return 'no-such-port';
  // Who dialled checked one identity; it must not end up at another.
  if (found.workload.data.identity !== connection.shown.data.identity) return 'misdirected';
  return found.target;
}

function find(
  { host, port }: Authority,
  { unit, localAddress }: Connection,
  ports: UnitPorts,
): NamedTarget | undefined {
  const candidates = ports.onPort(unit, port);
  if (isIP(host) === 0) {
    return candidates.find(({ target }) => target.authority === `${host}:${port}` || target.serverName === host);
  }
  const published = ports.published(host, port);
  if (published?.target.unit === unit) return published;
  const exact = candidates.find(({ target }) => target.address === host);
  if (exact !== undefined) return exact;
  // An application on all addresses of its namespace, by the one that was dialled.
  const [only, ...others] = candidates;
  return others.length === 0 && host === plainAddress(localAddress) ? only : undefined;
}

/**
 * Whose certificate is shown to a peer that names no endpoint: of the one workload of the unit, or the one at the address that
 * was dialled. Where that leaves several, nobody's.
 */
export function shownWorkload(unit: string, localAddress: string | undefined, ports: UnitPorts): Workload | undefined {
  const all = ports.workloadsOf(unit);
  const address = plainAddress(localAddress);
  const here = all.length > 1 ? all.filter((one) => isAt(one, address)) : all;
  const [first, ...others] = here;
  return others.every(({ data }) => data.identity === first?.data.identity) ? first : undefined;
}

function isAt({ data, targets }: Workload, address: string | undefined): boolean {
  return data.address === address || [...targets.values()].some((target) => target.address === address);
}
