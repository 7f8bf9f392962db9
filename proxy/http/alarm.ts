/**
 * The clock of an exchange: when all attempts must be over, when this one must, how long it may be silent, and when to go on
 * after a pause. Costs nothing while none is set.
 * @module
 */

import { performance } from 'node:perf_hooks';
import type { Deadlines, Timed } from '../deadlines.ts';

/** What an alarm tells. At most one of them is called at a time, and the others are looked at afterwards. */
export interface AlarmOwner {
  requestOverdue(): void;
  attemptOverdue(): void;
  /** No byte came in either direction for as long as that may be. */
  fellSilent(): void;
  /** The pause is over. */
  woken(): void;
}

const NEVER = Number.POSITIVE_INFINITY;

export class Alarm implements Timed {
  deadlineMs = NEVER;
  readonly #owner: AlarmOwner;
  readonly #alarms: Deadlines;
  #requestMs = NEVER;
  #attemptMs = NEVER;
  #silentMs = NEVER;
  #wakeMs = NEVER;

  constructor(owner: AlarmOwner, alarms: Deadlines) {
    this.#owner = owner;
    this.#alarms = alarms;
  }

  /** The instant by which all attempts must be over. */
  get requestMs(): number {
    return this.#requestMs;
  }

  get isPausing(): boolean {
    return this.#wakeMs !== NEVER;
  }

  /** @param atMs instants on the clock of `performance.now()`, Infinity for never */
  setRequest(atMs: number): void {
    this.#requestMs = atMs;
    this.#arm();
  }

  setAttempt(atMs: number): void {
    this.#attemptMs = atMs;
    this.#arm();
  }

  setSilent(atMs: number): void {
    this.#silentMs = atMs;
    this.#arm();
  }

  wakeAt(atMs: number): void {
    this.#wakeMs = atMs;
    this.#arm();
  }

  clear(): void {
    if (this.deadlineMs === NEVER) return;
    this.deadlineMs = NEVER;
    this.#requestMs = NEVER;
    this.#attemptMs = NEVER;
    this.#silentMs = NEVER;
    this.#wakeMs = NEVER;
    this.#alarms.delete(this);
  }

  onDeadline(): void {
    const nowMs = performance.now();
    if (nowMs >= this.#requestMs) {
      this.setRequest(NEVER);
      this.#owner.requestOverdue();
    } else if (nowMs >= this.#attemptMs) {
      this.setAttempt(NEVER);
      this.#owner.attemptOverdue();
    } else if (nowMs >= this.#silentMs) {
      this.setSilent(NEVER);
      this.#owner.fellSilent();
    } else if (nowMs >= this.#wakeMs) {
      this.wakeAt(NEVER);
      this.#owner.woken();
    }
  }

  #arm(): void {
    const wasSet = this.deadlineMs !== NEVER;
    this.deadlineMs = Math.min(this.#requestMs, this.#attemptMs, this.#silentMs, this.#wakeMs);
    if (this.deadlineMs === NEVER) {
      if (wasSet) this.#alarms.delete(this);
    } else if (!wasSet) this.#alarms.add(this);
  }
}
