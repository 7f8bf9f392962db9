/** What a chart draws, worked out from series of the API; pure. @module */

/** Instants in seconds, as uPlot wants them. */
export function instants(startMs: number, stepMs: number, steps: number): number[] {
  return Array.from({ length: steps }, (_, i) => (startMs + i * stepMs) / 1000);
}

/** Stretches in which no column has a value: nodes were missing, or nothing is known yet. In seconds. */
export function gaps(xs: readonly number[], columns: readonly (readonly (number | null)[])[]): [number, number][] {
  const half = xs.length > 1 ? (xs[1]! - xs[0]!) / 2 : 0;
  const found: [number, number][] = [];
  let from: number | undefined;
  for (const [i, x] of xs.entries()) {
    const isGap = columns.every((column) => (column[i] ?? null) === null);
    if (isGap) from ??= x - half;
    else if (from !== undefined) {
      found.push([from, x - half]);
      from = undefined;
    }
  }
  if (from !== undefined && xs.length > 0) found.push([from, xs.at(-1)! + half]);
  return found;
}

/** Top of an axis: 1, 2, 2.5 or 5 times a power of ten, so that three lines of the grid are round. */
export function niceTop(largest: number, least: number): number {
  const wanted = Math.max(largest, least);
  const step = wanted / 3;
  const power = 10 ** Math.floor(Math.log10(step));
  const nice = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= step * 0.9999)! * power;
  return nice * 3;
}
