/**
 * A unit: the workloads that share a network namespace, and the listeners their traffic passes. With capture it is a
 * namespace with rules in it; without, a workload with addresses of its own that programs are told to dial.
 * @module
 */
import type { ListenerSpec } from '../../proxy/listeners/listener-spec.ts';
import type { Workload } from '../workloads/workload.ts';

export interface Unit {
  readonly id: string;
  /** Descriptor of the network namespace of its programs, while the unit is open. undefined: the agent does not enter any. */
  readonly namespace: number | undefined;
  /** Where other nodes reach each workload of the unit. */
  addressOf(workload: Workload): string;
  /** Carries these workloads from now on. Rejects when it cannot; everything is then as it was. */
  update(workloads: readonly Workload[]): Promise<void>;
  /** False once the namespace behind it is another one, or gone: the unit has to be made anew. */
  isCurrent(): boolean;
  /** What a restarted worker listens on. */
  reopen(worker: number): readonly ListenerSpec[];
  /** For people: such as `outbound 127.0.0.1:15001`. */
  listeners(): readonly string[];
  /** The rules in force, as nft prints them; empty without capture. */
  rules(): Promise<string>;
  /** After a takeover: the rules of the predecessor are ours from here on. */
  assume(workloads: readonly Workload[]): Promise<void>;
  /** A successor takes over the rules: `close` leaves them in place. */
  handOver(): void;
  /** Takes rules and listeners away. Connections that are open stay open. Twice is fine. */
  close(): Promise<void>;
}

/**
 * Makes the unit of these workloads, all of one namespace. Rejects with a reason for the operator, leaving nothing behind.
 *
 * @param opening called before its first listener is opened, when its workloads have addresses
 */
export type OpenUnit = (id: string, workloads: readonly Workload[], opening: (unit: Unit) => void) => Promise<Unit>;
