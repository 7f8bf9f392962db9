/**
 * Where the demo's nodes and pods stand: in network namespaces with real capture, or, without root, side by side on
 * loopback addresses without it. The rest of the demo does not care which.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import type { Capture } from '../lab/capture.ts';
import type { SpawnOptions } from '../lab/processes.ts';
import type { Call, NodeSpec, PodSpec } from './topology.ts';

export interface Ground extends AsyncDisposable {
  readonly captureMode: 'namespace' | 'none';
  /** In a few words, for the headline. */
  readonly description: string;
  /** What this ground cannot show, a sentence each. */
  readonly cannotShow: readonly string[];
  nodePlace(node: NodeSpec): NodePlace;
  podPlace(pod: PodSpec): PodPlace;
  runOnNode(node: NodeSpec, argv: readonly string[], options: SpawnOptions): ChildProcess;
  runInPod(pod: PodSpec, argv: readonly string[], options: SpawnOptions): ChildProcess;
  /** Runs a program of somebody who belongs to no node, but can reach them all. */
  runOutside(argv: readonly string[], options: SpawnOptions): ChildProcess;
  /** Records what nodes say to each other; undefined where that cannot be seen. */
  captureFabric(filter: string): Promise<Capture | undefined>;
  /** Shell scripts for whoever watches, by name; none where nodes and pods have no network of their own. */
  scripts(resolvConfPath: string): Readonly<Record<string, string>>;
}

export interface NodePlace {
  /** Where other nodes reach it. */
  readonly address: string;
  /** Where its listeners for this machine only go, free of other nodes. */
  readonly loopback: string;
  /** Whether `loopback` can be reached from where the demo itself runs. */
  readonly isReachable: boolean;
}

export interface PodPlace {
  readonly address: string;
  /** What its program binds. */
  readonly bind: string;
  /** `spec.runs` of its Workload. */
  readonly runs: Readonly<Record<string, unknown>>;
  reach(call: Call): Reach;
}

/** How a pod's program gets to a service. */
export interface Reach {
  readonly url: string;
  /** The agent's explicit listener behind the URL; undefined where capture makes one needless. */
  readonly listen: string | undefined;
}
