/**
 * The layout of the state that all workers of a node share: a head, then slots, all of 32-bit cells.
 *
 * A slot has cells that everybody writes, and columns in which each worker has a cell of its own: what is held at the moment
 * is counted there, so that what a dead worker held can be given back exactly.
 * @module
 */

/** Cells of a slot that all workers write, by `Atomics`. What they mean is up to who claims the slot. */
export const CELLS = 32;

/** Columns of a slot. The first says which workers use it. */
export const COLUMN = { users: 0, connections: 1, pending: 2, requests: 3, retries: 4 } as const;
export type Column = keyof typeof COLUMN;
const COLUMNS = 5;

/** Cells of the head. */
export const HEAD = {
  /** Who changes which slot belongs to whom: index of a thread and one more; 0 for nobody. */
  lock: 0,
  workers: 1,
  slots: 2,
  /** Raised whenever the health of an endpoint changes, for those who prepare choices. */
  health: 3,
  /** Slots that did not fit. */
  overflows: 4,
  /** Two cells: a double, the instant of the monotonic clock that shared instants count from. */
  originMs: 6,
} as const;
export const HEAD_CELLS = 16;

/** Within a slot, before its cells. */
export const SLOT = { state: 0, keyHigh: 1, keyLow: 2, idle: 3, cells: 4 } as const;
/** States of a slot. One that was given up does not end a search. */
export const STATE = { free: 0, used: 1, gone: 2 } as const;

/** Cells from one slot to the next. The control thread counts as one more worker. */
export function strideOf(workers: number): number {
  return SLOT.cells + CELLS + COLUMNS * (workers + 1);
}

/** First cell of a column, counted from the first cell of its slot. */
export function columnStart(column: number, workers: number): number {
  return SLOT.cells + CELLS + column * (workers + 1);
}
