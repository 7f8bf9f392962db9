/** Which steps a question is about. @module */
import type { Dimension, FiguresQuestion } from './figures.ts';
import type { RowLabels } from './rows.ts';
import { COARSE_MS, DETAIL_MS } from './store.ts';

const MAX_STEPS = 10_000;
/** A single step over less than this is made of steps of 10 s. */
const COARSE_FROM_MS = 2 * 3_600_000;

export interface FiguresPlan {
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
  /** Whether blocks of 5 min will do. */
  readonly isCoarse: boolean;
}

/** @throws RangeError naming the field and what it may be */
export function planOf({ fromMs, toMs, stepMs }: FiguresQuestion): FiguresPlan {
  if (!(toMs > fromMs) || fromMs < 0) throw new RangeError('toMs: an instant after fromMs, both ms since 1970');
  if (stepMs === null) {
    const startMs = Math.floor(fromMs / DETAIL_MS) * DETAIL_MS;
    const wholeMs = Math.ceil((toMs - startMs) / DETAIL_MS) * DETAIL_MS;
    return { startMs, stepMs: wholeMs, steps: 1, isCoarse: wholeMs >= COARSE_FROM_MS };
  }
  if (stepMs <= 0 || stepMs % DETAIL_MS !== 0)
    throw new RangeError(`stepMs: ${DETAIL_MS} times a whole number, or null`);
  const startMs = Math.floor(fromMs / stepMs) * stepMs;
  const steps = Math.ceil((toMs - startMs) / stepMs);
  if (steps > MAX_STEPS) throw new RangeError(`stepMs: ${steps} steps are more than ${MAX_STEPS}; take longer ones`);
  return { startMs, stepMs, steps, isCoarse: stepMs % COARSE_MS === 0 };
}

/** Whether the question is about rows of these labels. */
export function isAsked(
  labels: RowLabels,
  { service, direction }: Pick<FiguresQuestion, 'service' | 'direction'>,
): boolean {
  if (labels.direction !== direction) return false;
  return service === null || labels.destination === service || labels.sourceService === service;
}

/** Values of the dimensions asked for, in that order. */
export function groupOf(labels: RowLabels, by: readonly Dimension[], node: string): string[] {
  return by.map((dimension) => (dimension === 'node' ? node : labels[dimension]));
}

/** Rows of connections hold the bytes of their requests too: each byte is counted once, by whichever rows can be told apart. */
export function countsBytes({ route }: RowLabels, by: readonly Dimension[]): boolean {
  const isByRequest = by.includes('route') || by.includes('method') || by.includes('version');
  return isByRequest ? route !== '' : route === '';
}
