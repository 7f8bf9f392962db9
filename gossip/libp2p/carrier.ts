/** What carries connections between nodes: TCP, or whatever a simulation has in its place. @module */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { PeerId, Transport } from '@libp2p/interface';
import { type TCPComponents, type TCPOptions, tcp } from '@libp2p/tcp';
import type { HostPort } from '../edge/address.ts';
import { probe } from '../edge/probe.ts';
import type { ProbeOutcome } from '../effects.ts';

export interface Carrier {
  /** Of libp2p; it is given addresses of TCP. */
  readonly transport: (components: TCPComponents & { readonly peerId: PeerId }) => Transport;
  /** Rejects when another process listens there, even one that would share. Absent where nothing can be shared. */
  readonly checkFree?: (listen: HostPort) => Promise<void>;
  /** Asks whether anybody listens at an address, without a word to who does. Never rejects. */
  readonly probe: (target: HostPort, signal: AbortSignal) => Promise<ProbeOutcome>;
}

export function tcpCarrier(): Carrier {
  const transport = tcp({
    // Links carry a ping twice a second, or yamux's keep-alive.
    inboundSocketInactivityTimeout: 15_000,
    outboundSocketInactivityTimeout: 15_000,
    backlog: 1_024,
    // A successor of this agent listens before it lets go (docs/adr/0016). libp2p hands this on, and its type lacks it.
    listenOpts: { reusePort: true } as NonNullable<TCPOptions['listenOpts']>,
  });
  return { transport, checkFree, probe };
}

/** Binds without sharing, for a moment. */
async function checkFree({ host, port }: HostPort): Promise<void> {
  if (port === 0) return;
  const server = createServer().listen({ host, port, exclusive: true });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}
