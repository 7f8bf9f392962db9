/** What a listener is told to be. @module */

export type ListenerRole = 'outbound' | 'inbound' | 'tunnel' | 'explicit' | 'dns';

export interface ListenerSpec {
  readonly id: string;
  readonly role: ListenerRole;
  /** The capture unit it listens for. */
  readonly unit: string;
  /** Id of the workload whose connections arrive here: outbound, explicit and dns listeners belong to one. */
  readonly workload?: string;
  /** explicit only: where all its connections lead. */
  readonly target?: { readonly service: string /* 'namespace/service' */; readonly port: number };
  readonly transport: 'tcp' | 'udp';
  /** An inherited descriptor, already listening or bound; or else an address to bind. */
  readonly fd?: number;
  readonly address?: string;
  readonly port?: number;
  /** Whether other workers bind the same address. Without it a taken port is an error. */
  readonly reusePort?: boolean;
}
