/** `host:port` texts and the addresses of this machine. @module */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port` or `[v6]:port`; undefined when it is neither. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]{1,253})):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, v6, name, portText] = match;
  const port = Number(portText);
  if (port > 65_535 || (v6 !== undefined && isIP(v6) !== 6)) return undefined;
  return { host: v6 ?? name!, port };
}

export function formatHostPort({ host, port }: HostPort): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

/** libp2p's spelling of an address; the host must be an IP literal. */
export function toMultiaddrText({ host, port }: HostPort): string {
  return `/ip${isIP(host)}/${host}/tcp/${port}`.replace(/^\/ip0\//, '/dns/');
}

/** The address to tell others when we listen on all: the first that is not loopback, IPv4 before IPv6. */
export function ownAddress(listenHost: string): string {
  if (listenHost !== '0.0.0.0' && listenHost !== '::') return listenHost;
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outer = all.filter((one) => !one.internal && !one.address.startsWith('fe80:'));
  const best = outer.find((one) => one.family === 'IPv4') ?? outer[0];
  return best?.address ?? (listenHost === '::' ? '::1' : '127.0.0.1');
}
