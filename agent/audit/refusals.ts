/**
 * Which refusals are worth an entry: anybody may send what will be refused, again and again, and must not be able to fill
 * the trail with it or to push out of it what matters.
 *
 * The same revision refused for the same reason is one entry. Others get one a second, after a first burst; how many
 * were left out is an entry as well. Pure but for its state: time comes in.
 * @module
 */
import type { AuditRecord } from './entry.ts';

const BURST = 60;
const REFILL_MS = 1_000;
const REMEMBERED = 1_000;

export class RefusalFilter {
  readonly #seen = new Set<string>();
  #allowance = BURST;
  #refilledAtMs = Number.NEGATIVE_INFINITY;
  #omitted = 0;

  /** What to record for a refusal: nothing, itself, or how many were left out and then itself. */
  pass(refusal: AuditRecord, nowMs: number): readonly AuditRecord[] {
    const what = `${refusal.revision} ${refusal.reason}`;
    if (refusal.revision !== undefined && this.#seen.has(what)) return [];
    if (!this.#take(nowMs)) {
      this.#omitted++;
      return [];
    }
    this.#remember(what);
    const omitted = this.#omitted;
    this.#omitted = 0;
    if (omitted === 0) return [refusal];
    return [
      { event: 'omitted', reason: 'rate', detail: `${omitted} refusals were left out: too many at a time` },
      refusal,
    ];
  }

  #take(nowMs: number): boolean {
    const refill = Math.floor((nowMs - this.#refilledAtMs) / REFILL_MS);
    if (refill > 0) {
      this.#allowance = Math.min(BURST, this.#allowance + refill);
      this.#refilledAtMs = nowMs;
    }
    if (this.#allowance === 0) return false;
    this.#allowance--;
    return true;
  }

  #remember(what: string): void {
    this.#seen.add(what);
    if (this.#seen.size <= REMEMBERED) return;
    const [oldest] = this.#seen;
    this.#seen.delete(oldest!);
  }
}
