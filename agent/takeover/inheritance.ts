/**
 * What a running agent tells the one that is about to take over: enough to serve all of its workloads before anything is
 * let go. Who asked is its own user, over the admin socket, so nothing of it is checked again.
 * @module
 */
import type { RevocationEntry } from '../../certs/revocation.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { AccessRules } from '../../proxy/access/policy.ts';
import type { AgentConfig } from '../config.ts';

/** Raised whenever a field changes its meaning, access rules included: between two formats, restart. */
export const FORMAT = 1;

export interface Inheritance {
  readonly format: number;
  readonly node: string;
  readonly trustDomain: string;
  readonly pid: number;
  /** What it listens on outside the data plane, by setting. */
  readonly listens: Listens;
  /** Of the whole mesh, this node included. */
  readonly endpoints: readonly Endpoint[];
  readonly access: AccessRules;
  readonly revocations: readonly RevocationEntry[];
}

export type Listens = Readonly<Record<string, string>>;

export function listensOf({ admin, metrics, certs, gossip }: AgentConfig): Listens {
  return {
    'admin.listen': admin.listen,
    'metrics.listen': metrics.listen,
    'gossip.listen': gossip.listen,
    ...(certs.issuerDirectory === undefined || certs.join.listen === ''
      ? {}
      : { 'certs.join.listen': certs.join.listen }),
  };
}
