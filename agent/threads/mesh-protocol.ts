/** What the control thread and the mesh thread say to each other. Plain data: it crosses by structured clone. @module */
import type { GossipConfig } from '../../gossip/config.ts';
import type { EndpointDelta, GossipStats, Member } from '../../gossip/gossip.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';
import type { LogLevel } from '../log.ts';

/** What the thread is born with. It loads its own keys: they cross no thread boundary. */
export interface MeshWorkerData {
  readonly config: GossipConfig;
  readonly nodeBundleDirectory: string;
  readonly logLevel: LogLevel;
}

export type ToMesh =
  | { readonly kind: 'publish'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'stats'; readonly request: number }
  | { readonly kind: 'close' };

export type FromMesh =
  | { readonly kind: 'started'; readonly name: string; readonly address: string }
  /** It could not start; the thread ends after this. */
  | { readonly kind: 'refused'; readonly error: Error }
  | { readonly kind: 'members'; readonly members: readonly Member[] }
  | { readonly kind: 'endpoints'; readonly delta: EndpointDelta }
  | { readonly kind: 'stats'; readonly request: number; readonly stats: GossipStats };
