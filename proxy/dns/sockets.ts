/** What the DNS server needs of the network namespace it serves. Declared here, implemented by the agent's capture. @module */
import type { Socket } from 'node:net';

export interface ResolverAddress {
  readonly address: string;
  readonly port: number;
}

/** A datagram that was redirected, as the socket that received it sees it. */
export interface DatagramFlow {
  readonly family: 4 | 6;
  /** What the receiving socket is bound to. */
  readonly local: ResolverAddress;
  readonly client: ResolverAddress;
}

export interface DnsSockets {
  /**
   * A fresh, unconnected TCP socket (allowHalfOpen) in the unit's namespace that capture leaves alone. Throws on EMFILE
   * and the like.
   */
  open(unit: string, family: 4 | 6): Socket;
  /** Where a redirected TCP connection was going; undefined when it was not redirected. */
  originalDestination(socket: Socket): ResolverAddress | undefined;
  /** Descriptor of a fresh, unbound UDP socket in the unit's namespace that capture leaves alone. Throws on EMFILE and the like. */
  openUdp(unit: string, family: 4 | 6): number;
  /** Where a redirected datagram was going; undefined when it was not redirected. Throws when the kernel can not be asked. */
  originalUdpDestination(unit: string, flow: DatagramFlow): ResolverAddress | undefined;
}
