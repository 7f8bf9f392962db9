/**
 * How much of a service one caller may use at a time: connections, waiting requests, open requests and repeats, counted over
 * all workers of the node. What is over is refused at once, so that a slow service does not fill its callers up.
 * @module
 */

import type { CircuitLimits, RetryBudget } from '../traffic/rules.ts';
import { RECENT_CELLS, RecentCounts } from './recent-counts.ts';
import { retryAllowance } from './retry-budget.ts';
import type { SharedSlot } from './shared-slot.ts';
import type { SharedTable } from './shared-table.ts';

export type CircuitKind = 'connections' | 'pending' | 'requests' | 'retries';

const LIMIT = {
  connections: 'maxConnections',
  pending: 'maxPending',
  requests: 'maxRequests',
  retries: 'maxRetries',
} as const satisfies Record<CircuitKind, keyof CircuitLimits>;

const KINDS = Object.keys(LIMIT) as readonly CircuitKind[];

/** Of one caller and one port of a service. Whoever makes it closes it, when nothing is open any more. */
export class Circuit {
  readonly #table: SharedTable;
  readonly #key: string;
  readonly #slot: SharedSlot;
  readonly #requests: RecentCounts;
  readonly #retries: RecentCounts;

  /**
   * @param caller SPIFFE id of the calling workload
   * @param service 'namespace/service'
   */
  constructor(table: SharedTable, caller: string, service: string, port: number) {
    this.#table = table;
    this.#key = `circuit ${caller} ${service} ${port}`;
    this.#slot = table.claim(this.#key);
    const { cells, first } = this.#slot;
    this.#requests = new RecentCounts(cells, first);
    this.#retries = new RecentCounts(cells, first + RECENT_CELLS);
  }

  /** Takes a place; where this is true, `release` gives it back. */
  tryAcquire(kind: CircuitKind, limits: CircuitLimits): boolean {
    return this.#slot.tryHold(kind, limits[LIMIT[kind]]);
  }

  release(kind: CircuitKind): void {
    this.#slot.hold(kind, -1);
  }

  /** How many places are taken, by all workers. */
  active(kind: CircuitKind): number {
    return this.#slot.held(kind);
  }

  /** Every request, once, however often it is tried: what the budget for repeats is a share of. */
  countRequest(nowMs: number, { windowMs }: RetryBudget): void {
    this.#requests.add(nowMs, windowMs);
  }

  /** Whether the budget allows one more repeat, which is then counted. */
  trySpendRetry(nowMs: number, budget: RetryBudget): boolean {
    const { windowMs } = budget;
    this.#retries.add(nowMs, windowMs); // first, so that several workers together do not go over it
    if (this.#retries.total(nowMs, windowMs) <= retryAllowance(this.#requests.total(nowMs, windowMs), budget))
      return true;
    this.#retries.remove(nowMs, windowMs);
    return false;
  }

  /** Whether this worker holds no place. */
  get isIdle(): boolean {
    return KINDS.every((kind) => this.#slot.own(kind) === 0);
  }

  close(): void {
    this.#table.release(this.#key);
  }
}
