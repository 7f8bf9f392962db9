/**
 * One look at whether an endpoint's agent can be reached: a TCP connection to its tunnel port, and where this node runs a
 * workload, from there and in its name a TLS handshake in which the other side proves that it is the endpoint's identity.
 * No request is sent: whether the application answers is what its own node finds out, and says by the endpoint's state.
 * @module
 */
import { once } from 'node:events';
import { isIP, Socket } from 'node:net';
import tls from 'node:tls';
import type { Revocations } from '../../certs/revocation.ts';
import type { TrustBundle } from '../../certs/trust-bundle.ts';
import { verifyPeer } from '../../certs/verify.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import { ALPN, endpointServerName } from '../../proxy/snapshot.ts';
import { secureContext, TLS_OPTIONS } from '../../proxy/tls.ts';
import { formatSocketAddress } from '../addresses.ts';
import { messageOf } from '../errors.ts';
import type { OpenSocket, ProbeResult } from '../workloads/probe.ts';

/** In whose name, and from where. */
export interface Prober {
  readonly unit: string;
  readonly svid: { readonly certificateChainPem: string; readonly privateKeyPem: string };
}

export interface ReachOptions {
  readonly open: OpenSocket;
  /** undefined where this node runs no workload. */
  readonly prober: Prober | undefined;
  readonly trust: TrustBundle;
  readonly revocations: Revocations;
}

export type Reached = Pick<Endpoint, 'address' | 'tunnelPort' | 'port' | 'service' | 'namespace' | 'identity'>;

/** Never rejects: whatever goes wrong is a failed try. Ends within `timeoutMs`, or when `signal` aborts. */
export async function probeReach(
  endpoint: Reached,
  options: ReachOptions,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<ProbeResult> {
  const { address, tunnelPort: port } = endpoint;
  const where = formatSocketAddress({ address, port });
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  let socket: Socket | undefined;
  try {
    const { prober } = options;
    socket = prober === undefined ? new Socket() : options.open(prober.unit, isIP(address) === 6 ? 6 : 4);
    socket.on('error', () => {}); // also after we have let go of it
    socket.connect(port, address);
    await once(socket, 'connect', { signal: deadline });
    if (prober === undefined) return { ok: true };
    return await shakeHands(socket, endpoint, { ...options, prober }, deadline);
  } catch (err) {
    const detail = deadline.aborted ? `took longer than ${timeoutMs} ms` : messageOf(err);
    return { ok: false, detail: `${where}: ${detail}` };
  } finally {
    socket?.destroy();
  }
}

async function shakeHands(
  transport: Socket,
  { port, service, namespace, identity }: Reached,
  { prober, trust, revocations }: ReachOptions & { readonly prober: Prober },
  signal: AbortSignal,
): Promise<ProbeResult> {
  const socket = tls.connect({
    ...TLS_OPTIONS,
    socket: transport,
    secureContext: secureContext(prober.svid),
    servername: endpointServerName(port, service, namespace),
    ALPNProtocols: [ALPN.tunnel],
    checkServerIdentity: () => undefined, // verifyPeer below is the judge
  });
  socket.on('error', () => {}); // also after we have let go of it
  try {
    await once(socket, 'secureConnect', { signal });
    const options = { trust, revocations, role: 'workload', nowMs: Date.now(), expected: identity } as const;
    const verdict = verifyPeer(socket, options);
    return verdict.ok ? { ok: true } : { ok: false, detail: `not ${identity}: ${verdict.reason}` };
  } finally {
    socket.destroy();
  }
}
