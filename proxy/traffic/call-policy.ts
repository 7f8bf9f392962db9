/** What holds for all calls of one caller to one service under one rule: settings, and the counts they are held against. @module */

import type { CallPolicy } from '../http/plan.ts';
import type { ReasonCode } from '../reasons.ts';
import type { Circuit } from '../resilience/circuit.ts';
import type { SharedTable } from '../resilience/shared-table.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import type { CircuitLimits, Retries, RetryBudget, Timeouts } from './rules.ts';

export interface CallSettings {
  readonly timeouts: Timeouts;
  readonly retries: Retries;
  readonly retryBudget: RetryBudget;
  readonly circuit: CircuitLimits;
}

export class MeteredCalls implements CallPolicy {
  readonly timeouts: Timeouts;
  readonly retries: Retries;
  readonly #budget: RetryBudget;
  readonly #limits: CircuitLimits;
  readonly #circuit: Circuit;
  readonly #shared: SharedTable;
  readonly #stats: StatsWriter;

  constructor(
    { timeouts, retries, retryBudget, circuit: limits }: CallSettings,
    circuit: Circuit,
    { shared, stats }: { readonly shared: SharedTable; readonly stats: StatsWriter },
  ) {
    this.timeouts = timeouts;
    this.retries = retries;
    this.#budget = retryBudget;
    this.#limits = limits;
    this.#circuit = circuit;
    this.#shared = shared;
    this.#stats = stats;
  }

  enter(nowMs: number): ReasonCode | undefined {
    if (!this.#circuit.tryAcquire('requests', this.#limits)) {
      this.#stats.count('circuitOverflows');
      return 'overflow';
    }
    this.#circuit.countRequest(this.#shared.sharedMs(nowMs), this.#budget);
    return undefined;
  }

  leave(): void {
    this.#circuit.release('requests');
  }

  beginWait(): boolean {
    if (this.#circuit.tryAcquire('pending', this.#limits)) return true;
    this.#stats.count('circuitOverflows');
    return false;
  }

  endWait(): void {
    this.#circuit.release('pending');
  }

  beginRetry(nowMs: number): boolean {
    if (!this.#circuit.tryAcquire('retries', this.#limits)) return false;
    if (this.countRetry(nowMs)) return true;
    this.endRetry();
    return false;
  }

  countRetry(nowMs: number): boolean {
    if (this.#circuit.trySpendRetry(this.#shared.sharedMs(nowMs), this.#budget)) return true;
    this.#stats.count('retryBudgetSpent');
    return false;
  }

  endRetry(): void {
    this.#circuit.release('retries');
  }
}
