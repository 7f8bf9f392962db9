/**
 * How many connections the listeners of a worker may hold, and whose they may be.
 *
 * Anybody may use what nobody else needs. The last eighth is for units that have less than an equal share of the whole, so
 * a workload that floods, or is flooded, finds its end there and the others do not notice.
 * @module
 */

const RESERVED_RATIO = 1 / 8;

export class ConnectionBudget {
  readonly #max: number;
  #open = 0;
  /** Open connections by unit; none stand for nothing. */
  readonly #byUnit = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  get open(): number {
    return this.#open;
  }

  /** Takes a place for a connection of a unit. False: there is none for it. */
  take(unit: string): boolean {
    const own = this.#byUnit.get(unit) ?? 0;
    if (this.#open >= this.#max) return false;
    const units = this.#byUnit.size + (own === 0 ? 1 : 0);
    const isCrowded = this.#open >= this.#max * (1 - RESERVED_RATIO);
    if (isCrowded && own >= this.#max / Math.max(units, 2)) return false;
    this.#open++;
    this.#byUnit.set(unit, own + 1);
    return true;
  }

  release(unit: string): void {
    const own = this.#byUnit.get(unit);
    if (own === undefined) return;
    this.#open--;
    if (own > 1) this.#byUnit.set(unit, own - 1);
    else this.#byUnit.delete(unit);
  }
}
