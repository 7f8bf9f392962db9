/** What balancers choose from, and what they are asked. @module */

import type { PeakEwma } from './peak-ewma.ts';

/** `address:port` and version of what requests are sent to. */
export interface Answerer {
  readonly endpoint: string;
  readonly version: string;
}

export interface Balanced {
  /** 0 or more. */
  readonly weight: number;
  /** What it can bear, where that is not its weight: a new one is drawn less often, and judged like the others. */
  readonly capacity?: number;
  /** Requests and connections on their way there right now. */
  outstanding: number;
  /** How long it took to answer lately, for who compares that. */
  readonly latency?: PeakEwma;
  /** Whether no agent of this mesh speaks for it, so that nobody vouches for what its answers say about the mesh. */
  readonly isForeign?: boolean;
  /** As records call it. Not for the hot path. */
  readonly answerer?: Answerer;
  /** What runs there, as statistics keep it apart. */
  readonly version?: string;
}

export interface Candidate extends Balanced {
  /** The same wherever it is known, so that all who choose by hash agree. */
  readonly name: string;
  readonly latency: PeakEwma;
}

/** What a choice may depend on. One object serves all choices of a connection. */
export interface Chooser {
  /** 32 bits that stand for who calls: balancers that hash send the same caller to the same endpoint. */
  readonly key: number;
  /** From 0 up to, but not including, 1. */
  random(): number;
}

/** Endpoints prepared for picking; made anew when the set changes, never on the hot path. */
export interface Balancer<T extends Candidate> {
  /** @returns undefined where there are none */
  pick(chooser: Chooser): T | undefined;
  /** Another pick, without those that failed. Not the hot path. */
  pickOther(chooser: Chooser, tried: readonly Balanced[]): T | undefined;
}
