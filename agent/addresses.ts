/** `address:port` as written in configuration, IPv6 in brackets. Names are not accepted: a listener binds an address. @module */
import { isIP } from 'node:net';

export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** Reads `127.0.0.1:15000` or `[::1]:15000`; undefined for anything else. Port 0 is allowed: the system chooses. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const address = match[1] ?? match[2] ?? '';
  const port = Number(match[3]);
  if (isIP(address) !== (match[1] === undefined ? 4 : 6) || port > 65_535) return undefined;
  return { address, port };
}

export function formatSocketAddress({ address, port }: SocketAddress): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
