/** What one caller of the Workload API may hold and ask for, so that a hostile workload takes nothing from the others. @module */
import { TokenBucket } from '../../gossip/libp2p/token-bucket.ts';

export const CALLER_LIMITS = {
  /** A process holds one or two; a pod has several processes. */
  connections: 16,
  /** Open calls over all its connections. */
  streams: 64,
  /** Connections and calls begun, together: clients that are told no come back after a second or more. */
  callsPerSecond: 10,
  burst: 100,
} as const;
/** Connections of all callers. */
export const MAX_CONNECTIONS = 512;
/** Callers remembered; more than connections, so that one who left and comes back finds its rate used up. */
const MAX_CALLERS = 2 * MAX_CONNECTIONS;

/** What one caller holds now. */
export class Caller {
  readonly key: string;
  connections = 0;
  streams = 0;
  /** Whether its refusal was logged: once is news, all others are noise. */
  isReported = false;
  readonly #rate: TokenBucket;

  constructor(key: string, nowMs: number) {
    this.key = key;
    this.#rate = new TokenBucket(CALLER_LIMITS.callsPerSecond, CALLER_LIMITS.burst, nowMs);
  }

  mayConnect(nowMs: number): boolean {
    return this.connections < CALLER_LIMITS.connections && this.#rate.take(nowMs);
  }

  /** The call that asks is among `streams`. */
  mayCall(nowMs: number): boolean {
    return this.streams <= CALLER_LIMITS.streams && this.#rate.take(nowMs);
  }
}

export class CallerTable {
  readonly #callers = new Map<string, Caller>();

  /** Makes room by forgetting the one who has been silent longest. */
  get(key: string, nowMs: number): Caller {
    const caller = this.#callers.get(key) ?? new Caller(key, nowMs);
    this.#callers.delete(key);
    this.#callers.set(key, caller);
    if (this.#callers.size > MAX_CALLERS) {
      const silent = this.#callers.values().find(({ connections }) => connections === 0);
      if (silent !== undefined) this.#callers.delete(silent.key);
    }
    return caller;
  }
}
