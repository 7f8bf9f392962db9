/**
 * The figures of one row, step by step, as bytes: only steps in which something was counted, of these only figures that are
 * not zero, and latencies from the first bucket that holds any to the last. Some 30 bytes a step of a busy service.
 * @module
 */
import { BUCKETS } from '../../proxy/telemetry/histogram.ts';
import { ByteReader, type ByteWriter } from './bytes.ts';
import { SCALAR, SCALARS } from './rows.ts';

/** Those of all steps one after the other: SCALARS of each, and BUCKETS of each. */
export interface Cells {
  readonly scalars: Float64Array;
  readonly latency: Float64Array;
}

export function emptyCells(steps: number): Cells {
  return { scalars: new Float64Array(steps * SCALARS), latency: new Float64Array(steps * BUCKETS) };
}

/** @param added by step: how many times it was added to; what was in flight becomes the mean of these */
export function writeCells(writer: ByteWriter, { scalars, latency }: Cells, added: Uint32Array): void {
  let last = 0;
  for (let step = 0; step < added.length; step++) {
    const at = step * SCALARS;
    let mask = 0;
    for (let i = 0; i < SCALARS; i++) if (scalars[at + i]! > 0) mask |= 1 << i;
    if (mask === 0) continue;
    writer.number(step - last);
    writer.number(mask);
    for (let i = 0; i < SCALARS; i++) {
      if ((mask & (1 << i)) === 0) continue;
      const value = scalars[at + i]!;
      writer.number(i === SCALAR.inFlight ? value / Math.max(1, added[step]!) : value);
    }
    writeLatency(writer, latency, step * BUCKETS);
    last = step;
  }
}

/**
 * Adds what `writeCells` wrote.
 *
 * @param into of as many steps as the question has
 * @throws RangeError for bytes that are none
 */
export function addCells(bytes: Uint8Array, { scalars, latency }: Cells): void {
  const reader = new ByteReader(bytes);
  let step = 0;
  while (!reader.isAtEnd) {
    step += reader.number();
    const scalarsAt = step * SCALARS;
    if (scalarsAt >= scalars.length) throw new RangeError('a step that was not asked for');
    let rest = reader.number();
    if (rest >= 1 << SCALARS) throw new RangeError('a figure that this version does not know');
    for (; rest !== 0; rest &= rest - 1) scalars[scalarsAt + 31 - Math.clz32(rest & -rest)]! += reader.number();
    const filled = reader.number();
    if (filled === 0) continue;
    const first = step * BUCKETS + reader.number();
    if (first + filled > (step + 1) * BUCKETS) throw new RangeError('more buckets of latency than there are');
    let at = reader.at;
    for (let i = first; i < first + filled; i++) {
      let value = bytes[at++] ?? 0; // beyond the end: said below
      if (value >= 0x80) {
        reader.at = at - 1;
        value = reader.number();
        at = reader.at;
      }
      latency[i]! += value;
    }
    reader.at = at;
  }
  if (reader.at > bytes.length) throw new RangeError('cut short');
}

function writeLatency(writer: ByteWriter, latency: Float64Array, at: number): void {
  let first = 0;
  let end = BUCKETS;
  while (first < end && latency[at + first]! <= 0) first++;
  while (end > first && latency[at + end - 1]! <= 0) end--;
  writer.number(end - first);
  if (end === first) return;
  writer.number(first);
  for (let i = first; i < end; i++) writer.number(latency[at + i]!);
}
