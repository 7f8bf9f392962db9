/** What carries connections between nodes: TCP, or whatever a simulation has in its place. @module */
import type { PeerId, Transport } from '@libp2p/interface';
import { type TCPComponents, tcp } from '@libp2p/tcp';
import type { HostPort } from '../edge/address.ts';
import { probe } from '../edge/probe.ts';
import type { ProbeOutcome } from '../effects.ts';

export interface Carrier {
  /** Of libp2p; it is given addresses of TCP. */
  readonly transport: (components: TCPComponents & { readonly peerId: PeerId }) => Transport;
  /** Asks whether anybody listens at an address, without a word to who does. Never rejects. */
  readonly probe: (target: HostPort, signal: AbortSignal) => Promise<ProbeOutcome>;
}

export function tcpCarrier(): Carrier {
  const transport = tcp({
    // Links carry a ping twice a second, or yamux's keep-alive.
    inboundSocketInactivityTimeout: 15_000,
    outboundSocketInactivityTimeout: 15_000,
    backlog: 1_024,
  });
  return { transport, probe };
}
