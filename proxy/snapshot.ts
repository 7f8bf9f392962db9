/**
 * What the control thread tells a data-plane worker: plain data, structured-cloneable, sent as versioned deltas.
 * @module
 */
import type { ForeignIssuerSpec } from '../certs/foreign-issuer.ts';
import type { RevocationEntry } from '../certs/revocation.ts';
import type { AccessRules } from './access/policy.ts';
import type { BalancerName } from './balancer/balancer.ts';
import type { TrafficRules } from './traffic/rules.ts';

/** What an application speaks: HTTP/1.1, HTTP/2 with prior knowledge, bytes, or what its callers' first bytes say. */
export type Protocol = 'http' | 'http2' | 'tcp' | 'auto';

export interface Delta<T> {
  readonly upsert: readonly T[];
  /** Ids. */
  readonly remove: readonly string[];
}

/** A workload of this node. */
export interface LocalWorkload {
  readonly id: string;
  /** Capture unit: one network namespace; the processes of the host share 'host'. */
  readonly unit: string;
  readonly namespace: string;
  readonly service: string;
  /** SPIFFE id. */
  readonly identity: string;
  /** Left out or empty: none. */
  readonly version?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where its connections to other nodes come from; undefined where only the connection can tell. */
  readonly address?: string;
  readonly ports: readonly LocalPort[];
  readonly svid: LocalSvid;
}

export interface LocalPort {
  readonly endpointId: string;
  readonly name: string;
  /** Where the application listens. */
  readonly port: number;
  /** What callers dial. */
  readonly servicePort: number;
  readonly protocol: Protocol;
  /** Where the application is reached from inside its namespace. */
  readonly address: string;
  /** The header that the application reads at the beginning of each connection; undefined for none. */
  readonly proxyProtocol?: 'v2';
}

export interface LocalSvid {
  readonly certificateChainPem: string;
  readonly privateKeyPem: string;
  readonly expiresAtMs: number;
}

export interface Service {
  /** 'namespace/service'. */
  readonly id: string;
  readonly namespace: string;
  readonly service: string;
  /** Virtual addresses of this node, v4 and v6 literals. */
  readonly vips: readonly string[];
  readonly ports: readonly ServicePort[];
  /** Labels of its endpoints, which are workloads of its namespace; left out: those that name the service themselves. */
  readonly selector?: Readonly<Record<string, string>>;
  /** How its endpoints are picked. Default: peak-ewma. */
  readonly balancer?: BalancerName;
}

export interface ServicePort {
  /** What callers dial. */
  readonly port: number;
  readonly protocol: Protocol;
  /** With a selector: the port of the workloads, by number or name. Left out: the same number. */
  readonly targetPort?: number | string;
}

/** One address and port behind a service. What gossip publishes fits; the data plane reads only these fields. */
export interface Endpoint {
  readonly id: string;
  readonly node: string;
  readonly namespace: string;
  readonly service: string;
  /** SPIFFE id the endpoint must present. */
  readonly identity: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly address: string;
  readonly port: number;
  readonly servicePort: number;
  readonly portName: string;
  readonly protocol: Protocol;
  /** Where its agent accepts mTLS. */
  readonly tunnelPort: number;
  readonly weight: number;
  readonly version: string;
  /** Failure domain: `region/zone`, or a zone of no region. */
  readonly zone: string;
  readonly state: 'ready' | 'unready' | 'draining';
}

export interface TrustData {
  readonly trustDomain: string;
  readonly rootsPem: readonly string[];
  /** Those of other meshes under these roots; left out for none. */
  readonly foreignIssuers?: readonly ForeignIssuerSpec[];
}

export interface SnapshotUpdate {
  readonly version: number;
  readonly trust?: TrustData;
  readonly workloads?: Delta<LocalWorkload>;
  readonly services?: Delta<Service>;
  readonly endpoints?: Delta<Endpoint>;
  /** All that are in force. */
  readonly revocations?: readonly RevocationEntry[];
  /** All that are in force; replaces those before as a whole. */
  readonly access?: AccessRules;
  /** All that is in force; replaces what was before as a whole. */
  readonly traffic?: TrafficRules;
}

/** The label by which an endpoint says that it is called over HBONE; labels travel with endpoints as they are. */
export const TUNNEL_LABEL = 'weft.dev/tunnel';
export const HBONE = 'hbone';

/** The TLS server name of an endpoint: application port, service and namespace. */
export function endpointServerName(port: number, service: string, namespace: string): string {
  return `${port}.${service}.${namespace}.weft`;
}

/** What agents agree to speak after the handshake; docs/tunnel.md describes the first. */
export const ALPN = {
  tunnel: 'weft/1',
  http2: 'h2',
  http1: 'http/1.1',
  tcp: 'weft-tcp/1',
  /** The same, but it begins with a byte that says so: it may be made ahead. */
  tcpAhead: 'weft-tcp/2',
  /** A tunnel whose streams are such connections. */
  tcpStreams: 'weft-tcp/3',
} as const;
export type Alpn = (typeof ALPN)[keyof typeof ALPN];
