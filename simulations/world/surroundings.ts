/** What a simulated process may use of its world, and must tell it. @module */
import type { EventQueue } from './event-queue.ts';
import type { Host } from './host.ts';
import type { Network } from './network.ts';
import type { ShownPage } from './pages.ts';
import type { Process } from './process.ts';

export interface Surroundings {
  readonly queue: EventQueue;
  readonly network: Network;
  hostAt(address: string): Host | undefined;
  /** The last process of the host, running or not. */
  processOn(host: Host): Process | undefined;
  hostNamed(name: string): Host | undefined;
  /** One step of a program: folded into the trace hash. */
  trace(process: Process, input: string, effects: number): void;
  sent(process: Process, kind: string, bytes: number): void;
  /** `viewer` holds `about` to be in `state` from now on. */
  sighted(viewer: Process, about: string, state: string): void;
  /** `viewer` routes to these endpoints of `owner` from now on. */
  showed(viewer: Process, owner: string, page: ShownPage | undefined, before: ShownPage | undefined): void;
  /** The step in which `viewer` sighted or showed something is over. */
  settled(viewer: Process): void;
  linked(opener: Process, accepter: Process): void;
}
