/**
 * The names of the mesh inside workloads: `<service>.<namespace>.weft` resolves to the virtual addresses of that service
 * on this node, and everything else is passed on untouched to the resolver it was meant for. One server a listener.
 * @module
 */
import { isIPv6 } from 'node:net';
import type { Logger } from 'pino';
import { DNS_LIMITS, type DnsLimits } from './config.ts';
import type { DnsSockets } from './sockets.ts';
import type { DnsStats } from './stats.ts';
import { TcpListener } from './tcp.ts';
import { UdpListener } from './udp.ts';
import type { DnsLookup } from './zone.ts';

/** The part of a proxy's listener that a DNS server needs. */
export interface DnsListenerSpec {
  readonly id: string;
  readonly unit: string;
  readonly transport: 'tcp' | 'udp';
  /** An inherited descriptor, bound (udp) or listening (tcp). */
  readonly fd?: number;
  /** What to bind without a descriptor; with one, what it is bound to. Its family is the family of the socket. */
  readonly address?: string;
  readonly port?: number;
}

export interface DnsServerOptions {
  readonly spec: DnsListenerSpec;
  readonly lookup: DnsLookup;
  readonly sockets: DnsSockets;
  readonly stats: DnsStats;
  readonly log: Logger;
  readonly limits?: DnsLimits;
}

export class DnsServer implements AsyncDisposable {
  readonly #listener: UdpListener | TcpListener;

  private constructor(listener: UdpListener | TcpListener) {
    this.#listener = listener;
  }

  /** Rejects when the address can not be bound. */
  static async start({ spec, log, limits, ...rest }: DnsServerOptions): Promise<DnsServer> {
    const address = spec.address ?? '127.0.0.1';
    const bind = spec.fd === undefined ? { address, port: spec.port ?? 0 } : { fd: spec.fd };
    const options = {
      ...rest,
      bind,
      unit: spec.unit,
      limits: limits ?? DNS_LIMITS,
      log: log.child({ listener: spec.id }),
    };
    if (spec.transport === 'tcp') return new DnsServer(await TcpListener.start(options));
    return new DnsServer(await UdpListener.start(options, isIPv6(address) ? 6 : 4));
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Twice is fine. */
  close(): Promise<void> {
    return this.#listener.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What the proxy calls for each listener of role `dns`. */
export function dnsListeners(
  deps: Omit<DnsServerOptions, 'spec' | 'lookup'>,
): (spec: DnsListenerSpec, lookup: DnsLookup) => Promise<DnsServer> {
  return (spec, lookup) => DnsServer.start({ ...deps, spec, lookup });
}
