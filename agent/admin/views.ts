/**
 * What the admin API answers: the shapes that the CLI, the console and scripts read. Apart from the types inside the agent,
 * so that those may change. Instants are ISO 8601, lengths are numbers with their unit in the name. @module
 */

import type { CheckReport } from '../check/report.ts';
import type { CertificatesView } from '../identity/certificates.ts';
import type { Problem } from '../problem.ts';

export interface StatusView {
  readonly node: string;
  readonly zone: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly trustDomain: string;
  /** What the mesh says of itself in its MeshConfig; empty texts where it says nothing. */
  readonly mesh?: { readonly displayName: string; readonly contact: string };
  readonly certificateExpiresAt: string;
  /** How renewing goes, and who issues; absent in answers of older agents. */
  readonly certificates?: CertificatesView;
  readonly captureMode: string;
  readonly workers: number;
  readonly isReady: boolean;
  /** Why it is not ready; empty when it is. */
  readonly waitingFor: readonly string[];
  /** Members by state; states that nobody is in may be left out. */
  readonly members: Readonly<Record<string, number>>;
  /** Time since this node last had a peer; 0 while it has one, absent in answers of older agents. */
  readonly stateAgeMs?: number;
  /** Endpoints in use that are remembered from before the start; absent in answers of older agents. */
  readonly rememberedEndpoints?: number;
  readonly services: number;
  readonly endpoints: { readonly ready: number; readonly total: number };
  readonly workloads: { readonly ready: number; readonly total: number };
  /** Mistakes in workload files. */
  readonly problems: readonly Problem[];
}

export interface MemberView {
  readonly name: string;
  readonly state: string;
  readonly address: string;
  readonly endpoints: number;
  readonly since: string;
  readonly isSelf: boolean;
  /** The start of its process that this is, as a number that only rises. */
  readonly epoch: number;
  /** Times it refuted its death since. */
  readonly incarnation: number;
  /** Nodes that accuse it of being gone. */
  readonly accusers: number;
  /** These three only where the agent that is asked and that node ping each other. */
  readonly rttMs?: number;
  readonly heardAgoMs?: number;
  /** Its clock less that of the agent that is asked. */
  readonly clockSkewMs?: number;
}

export interface ServiceView {
  readonly namespace: string;
  readonly service: string;
  readonly vips: readonly string[];
  readonly ports: readonly { readonly port: number; readonly protocol: string }[];
  readonly endpoints: { readonly ready: number; readonly total: number };
}

export interface EndpointView {
  readonly namespace: string;
  readonly service: string;
  readonly workload: string;
  readonly node: string;
  readonly address: string;
  readonly port: number;
  readonly servicePort: number;
  readonly protocol: string;
  readonly state: string;
  readonly version: string;
  readonly zone: string;
  readonly weight: number;
  readonly identity: string;
}

export interface WorkloadView {
  readonly namespace: string;
  readonly name: string;
  readonly service: string;
  readonly version: string;
  readonly identity: string;
  /** The capture unit, such as `netns:/run/netns/web`. */
  readonly unit: string;
  readonly address: string;
  readonly ports: readonly string[];
  readonly state: string;
  /** Why it is not ready; empty when it is. */
  readonly detail: string;
  readonly certificateExpiresAt: string;
}

export interface WorkloadsView {
  readonly workloads: readonly WorkloadView[];
  readonly problems: readonly Problem[];
}

export interface CaptureView {
  readonly unit: string;
  readonly workloads: readonly string[];
  /** Such as `outbound 15001`. */
  readonly listeners: readonly string[];
  /** The rules in force, as nft prints them. */
  readonly rules: string;
}

/** What the admin server asks of the agent. Each function answers from what is in memory; none waits for a peer. */
export interface AdminSources {
  status(): StatusView | Promise<StatusView>;
  members(): readonly MemberView[] | Promise<readonly MemberView[]>;
  services(): readonly ServiceView[] | Promise<readonly ServiceView[]>;
  endpoints(): readonly EndpointView[] | Promise<readonly EndpointView[]>;
  workloads(): WorkloadsView | Promise<WorkloadsView>;
  capture(): readonly CaptureView[] | Promise<readonly CaptureView[]>;
  check(): CheckReport | Promise<CheckReport>;
  /** The configuration in force; the server removes secrets. */
  config(): unknown;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
  /** Begins an orderly stop; the answer is sent before it takes effect. */
  shutdown(): void;
}
