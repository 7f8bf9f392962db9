/** A claimed slot of the shared table: what its owner touches on the hot path, by index alone. @module */

import { COLUMN, type Column, columnStart, SLOT } from './shared-layout.ts';

export class SharedSlot {
  /** Of the whole table, or of this slot alone where the table had no room. */
  readonly cells: Int32Array;
  /** Index of the first of its `CELLS` cells. */
  readonly first: number;
  readonly #start: number;
  readonly #workers: number;
  readonly #worker: number;

  /** @param start index of the slot itself */
  constructor(cells: Int32Array, start: number, workers: number, worker: number) {
    this.cells = cells;
    this.first = start + SLOT.cells;
    this.#start = start;
    this.#workers = workers;
    this.#worker = worker;
  }

  /** Counts up or down what this worker holds. */
  hold(column: Column, by: number): void {
    Atomics.add(this.cells, this.#columnAt(column) + this.#worker, by);
  }

  /** What this worker holds. */
  own(column: Column): number {
    return Atomics.load(this.cells, this.#columnAt(column) + this.#worker);
  }

  /** What all workers hold together. */
  held(column: Column): number {
    const { cells } = this;
    const at = this.#columnAt(column);
    let sum = 0;
    for (let i = at; i <= at + this.#workers; i++) sum += Atomics.load(cells, i);
    return sum;
  }

  /**
   * Holds one more where all together then hold at most `limit`. Never too many; where several workers ask for the last
   * place in the same instant, it may happen that none of them gets it.
   */
  tryHold(column: Column, limit: number): boolean {
    const at = this.#columnAt(column);
    Atomics.add(this.cells, at + this.#worker, 1);
    if (this.held(column) <= limit) return true;
    Atomics.sub(this.cells, at + this.#worker, 1);
    return false;
  }

  #columnAt(column: Column): number {
    return this.#start + columnStart(COLUMN[column], this.#workers);
  }
}
