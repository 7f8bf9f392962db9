/** What is counted of one request: at the source, and at the destination as well where that is on this node. @module */

import { REASONS, type ReasonCode } from '../reasons.ts';
import type { StatsWriter } from '../telemetry/stats-writer.ts';
import type { Arrival } from './streams.ts';

export class RequestLedger {
  startedAtMs = 0;
  bytesIn = 0;
  bytesOut = 0;
  #tookMs = -1;
  readonly #stats: StatsWriter;

  constructor(stats: StatsWriter) {
    this.#stats = stats;
  }

  begin(bytesIn: number): void {
    this.startedAtMs = performance.now();
    this.#tookMs = -1;
    this.bytesIn = bytesIn;
    this.bytesOut = 0;
  }

  /** Until it was answered; until now where it was not. */
  get tookMs(): number {
    return this.#tookMs === -1 ? performance.now() - this.startedAtMs : this.#tookMs;
  }

  /** Refused by the mesh. Through another agent it would be an answer like others: the reason is told where it arose. */
  refused(row: number, arrival: Arrival | undefined, reason: ReasonCode): void {
    this.#stats.failure((arrival ?? { row }).row, reason);
  }

  /** Both ends of a hop notice a client that leaves and a response that breaks off. */
  failed(row: number, arrival: Arrival | undefined, reason: ReasonCode): void {
    this.#stats.failure(row, reason);
    if (arrival !== undefined) this.#stats.failure(arrival.row, reason);
  }

  answered(row: number, arrival: Arrival | undefined, status: number): void {
    const tookMs = performance.now() - this.startedAtMs;
    this.#tookMs = tookMs;
    this.#stats.request(row, status, tookMs);
    if (arrival === undefined) return;
    this.#stats.request(arrival.row, status, tookMs);
    this.#stats.bytes(arrival.row, this.bytesIn, this.bytesOut);
  }

  /**
   * An application of this node did not do, and there will be another attempt.
   *
   * @param status what it answered; 0 where it did not
   */
  passedOver({ row }: Arrival, reason: ReasonCode, status: number): void {
    if (status === 0) this.#stats.failure(row, reason);
    this.#stats.request(row, status || REASONS[reason].status, performance.now() - this.startedAtMs);
  }
}
