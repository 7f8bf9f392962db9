/** A workload of this node as the rest of the agent sees it: checked, every default filled in. @module */
import type { SocketAddress } from '../addresses.ts';
import type { Protocol } from './app-protocol.ts';

export interface Workload {
  /** `namespace/name`, unique on this node. */
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly service: string;
  readonly serviceAccount: string;
  readonly version: string;
  /** Empty: that of the node. */
  readonly zone: string;
  readonly weight: number;
  readonly runs: RunsIn;
  /** Where others reach it, when the file says so; otherwise it is read from the workload's network namespace. */
  readonly address: string | undefined;
  readonly ports: readonly WorkloadPort[];
  readonly healthCheck: HealthCheck | undefined;
  readonly upstreams: readonly Upstream[];
  readonly exclude: CaptureExclusions;
}

/** How the workload's processes are recognised. */
export type RunsIn =
  | { readonly kind: 'netns'; readonly path: string }
  | { readonly kind: 'pid'; readonly pid: number }
  | { readonly kind: 'host'; readonly uid: number | undefined };

export interface WorkloadPort {
  readonly name: string;
  /** Where the application listens. */
  readonly port: number;
  /** What callers dial. */
  readonly servicePort: number;
  readonly protocol: Protocol;
  /** The header that the application reads at the beginning of each connection; undefined for none. */
  readonly proxyProtocol?: 'v2';
}

export type HealthCheck = HealthCheckTiming &
  ({ readonly kind: 'tcp' } | { readonly kind: 'http'; readonly path: string });

export interface HealthCheckTiming {
  readonly port: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Successes in a row that make an unready workload ready again. */
  readonly healthyAfter: number;
  /** Failures in a row that make a ready workload unready. */
  readonly unhealthyAfter: number;
}

/** A listener of the workload's own for one service: the way out where traffic is not captured. */
export interface Upstream {
  /** `namespace/service`. */
  readonly service: string;
  readonly port: number;
  readonly listen: SocketAddress;
}

/** Traffic that capture leaves alone. */
export interface CaptureExclusions {
  readonly outboundPorts: readonly number[];
  readonly outboundCidrs: readonly string[];
  readonly inboundPorts: readonly number[];
}

/** The capture unit of a workload: its network namespace. All processes of the host share the unit `host`. */
export function unitOf({ runs }: Workload): string {
  if (runs.kind === 'netns') return `netns:${runs.path}`;
  return runs.kind === 'pid' ? `pid:${runs.pid}` : 'host';
}

/** The path that opens the workload's network namespace; undefined for the host's. */
export function namespacePathOf({ runs }: Workload): string | undefined {
  if (runs.kind === 'netns') return runs.path;
  return runs.kind === 'pid' ? `/proc/${runs.pid}/ns/net` : undefined;
}
