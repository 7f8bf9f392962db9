/** What `<service>.<namespace>.weft` means, and the bounds of the server that answers it. @module */

/** The top-level name whose names the mesh answers itself. */
export const MESH_ZONE = 'weft';
/** Where Kubernetes keeps its services. */
export const KUBERNETES_ZONE = 'svc.cluster.local';

/** Seconds an answer, or its absence, may be kept. Addresses are stable, so this only bounds how long a new service stays unseen. */
export const TTL_S = 5;

export interface DnsLimits {
  /** Queries passed on and not answered yet, a listener. One more, and the oldest is given up. */
  readonly maxPending: number;
  /** How long a resolver may take. Clients ask again after 5 s. */
  readonly answerTimeoutMs: number;
  /** TCP connections a listener holds open. One more is reset. */
  readonly maxConnections: number;
  /** How long a TCP connection may be silent. */
  readonly idleTimeoutMs: number;
}

export const DNS_LIMITS: DnsLimits = {
  maxPending: 512,
  answerTimeoutMs: 5_000,
  maxConnections: 256,
  idleTimeoutMs: 30_000,
};
