/** Charts as SVG text: no script, no fetch, readable in any browser and in ten years. @module */

export interface Series {
  readonly name: string;
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Values hold until the next one. */
  readonly isStepped?: boolean;
}

export interface Chart {
  readonly title: string;
  readonly xUnit: string;
  readonly yUnit: string;
  readonly series: readonly Series[];
  readonly marks?: readonly { readonly x: number; readonly text: string }[];
  readonly xMax?: number;
  readonly yMax?: number;
}

const WIDTH = 960;
const HEIGHT = 220;
const LEFT = 64;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 28;

export function lineChart(chart: Chart): string {
  const all = chart.series.flatMap(({ points }) => points);
  const xMax = chart.xMax ?? Math.max(1, ...all.map(([x]) => x));
  const yMax = chart.yMax ?? niceAbove(Math.max(1e-9, ...all.map(([, y]) => y)));
  const x = (value: number): number => LEFT + (value / xMax) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - (Math.min(value, yMax) / yMax) * (HEIGHT - TOP - BOTTOM);
  const lines = chart.series.map(({ name, color, points, isStepped }) => {
    const path = points
      .map(
        ([px, py], i) =>
          `${i === 0 ? 'M' : isStepped === true ? `H${x(px).toFixed(1)}V` : 'L'}${i > 0 && isStepped === true ? '' : `${x(px).toFixed(1)} `}${y(py).toFixed(1)}`,
      )
      .join('');
    return `<path d="${path}" fill="none" stroke="${color}" stroke-width="1.5"><title>${escape(name)}</title></path>`;
  });
  const legend = chart.series.length < 2 || chart.series.length > 10 ? '' : legendOf(chart.series);
  return figure(chart, `${axes({ xMax, yMax, x, y, chart })}${marks(chart, x)}${lines.join('')}`) + legend;
}

/** Areas on top of each other; all series share their x values. */
export function stackedChart(chart: Chart): string {
  const xs = chart.series[0]?.points.map(([x]) => x) ?? [];
  const sums = xs.map((_, i) => chart.series.reduce((sum, { points }) => sum + (points[i]?.[1] ?? 0), 0));
  const xMax = chart.xMax ?? Math.max(1, ...xs);
  const yMax = chart.yMax ?? niceAbove(Math.max(1, ...sums));
  const x = (value: number): number => LEFT + (value / xMax) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - (Math.min(value, yMax) / yMax) * (HEIGHT - TOP - BOTTOM);
  const below = xs.map(() => 0);
  const areas = chart.series.map(({ name, color, points }) => {
    const floor = xs.map((at, i) => `${x(at).toFixed(1)} ${y(below[i]!).toFixed(1)}`);
    for (const i of xs.keys()) below[i] = below[i]! + (points[i]?.[1] ?? 0);
    const top = xs.map((at, i) => `${x(at).toFixed(1)} ${y(below[i]!).toFixed(1)}`);
    return `<path d="M${top.join('L')}L${floor.reverse().join('L')}Z" fill="${color}"><title>${escape(name)}</title></path>`;
  });
  return (
    figure(chart, `${axes({ xMax, yMax, x, y, chart })}${areas.join('')}${marks(chart, x)}`) + legendOf(chart.series)
  );
}

export interface HeatMap {
  readonly title: string;
  readonly rows: readonly { readonly name: string; readonly cells: readonly string[] }[];
  readonly xMax: number;
  readonly xUnit: string;
  readonly marks: readonly { readonly x: number; readonly text: string }[];
}

/** One row for each node, one colour for each instant. */
export function heatMap(map: HeatMap): string {
  const rowHeight = Math.max(4, Math.min(14, 420 / Math.max(1, map.rows.length)));
  const height = TOP + BOTTOM + rowHeight * map.rows.length;
  const columns = map.rows[0]?.cells.length ?? 1;
  const cellWidth = (WIDTH - LEFT - RIGHT) / columns;
  const rows = map.rows.map(({ name, cells }, row) => {
    const top = TOP + row * rowHeight;
    const label =
      rowHeight >= 9 || row % 4 === 0
        ? `<text x="${LEFT - 6}" y="${(top + rowHeight - 1).toFixed(1)}" text-anchor="end">${escape(name)}</text>`
        : '';
    return `${label}${runs(cells)
      .map(
        ({ from, length, color }) =>
          `<rect x="${(LEFT + from * cellWidth).toFixed(1)}" y="${top.toFixed(1)}" width="${(length * cellWidth + 0.3).toFixed(1)}" height="${(rowHeight - 0.5).toFixed(1)}" fill="${color}"/>`,
      )
      .join('')}`;
  });
  const x = (value: number): number => LEFT + (value / map.xMax) * (WIDTH - LEFT - RIGHT);
  const ticks = ticksOf(map.xMax).map(
    (at) => `<text x="${x(at).toFixed(1)}" y="${height - 10}" text-anchor="middle">${at}</text>`,
  );
  const lines = map.marks.map(
    ({ x: at, text }) =>
      `<line x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="${TOP}" y2="${height - BOTTOM}" class="mark"><title>${escape(text)}</title></line>`,
  );
  return `<figure><figcaption>${escape(map.title)} <small>${escape(map.xUnit)}</small></figcaption><svg viewBox="0 0 ${WIDTH} ${height}" role="img">${rows.join('')}${ticks.join('')}${lines.join('')}</svg></figure>`;
}

export function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function figure(chart: Chart, inside: string): string {
  const units = `<small>${escape(chart.yUnit)} over ${escape(chart.xUnit)}</small>`;
  return `<figure><figcaption>${escape(chart.title)} ${units}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">${inside}</svg></figure>`;
}

function legendOf(series: readonly Series[]): string {
  return `<p class="legend">${series.map(({ name, color }) => `<span><i style="background:${color}"></i>${escape(name)}</span>`).join('')}</p>`;
}

function axes(plot: {
  xMax: number;
  yMax: number;
  x: (v: number) => number;
  y: (v: number) => number;
  chart: Chart;
}): string {
  const { xMax, yMax, x, y } = plot;
  const vertical = ticksOf(xMax).map(
    (at) => `<text x="${x(at).toFixed(1)}" y="${HEIGHT - 10}" text-anchor="middle">${label(at)}</text>`,
  );
  const horizontal = ticksOf(yMax, 4).map(
    (at) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(at).toFixed(1)}" y2="${y(at).toFixed(1)}" class="grid"/><text x="${LEFT - 6}" y="${(y(at) + 4).toFixed(1)}" text-anchor="end">${label(at)}</text>`,
  );
  return `${horizontal.join('')}${vertical.join('')}`;
}

function marks(chart: Chart, x: (value: number) => number): string {
  return (chart.marks ?? [])
    .map(
      ({ x: at, text }) =>
        `<line x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" class="mark"><title>${escape(text)}</title></line>`,
    )
    .join('');
}

function runs(cells: readonly string[]): { from: number; length: number; color: string }[] {
  const found: { from: number; length: number; color: string }[] = [];
  for (const [i, color] of cells.entries()) {
    const last = found.at(-1);
    if (last?.color === color) last.length++;
    else found.push({ from: i, length: 1, color });
  }
  return found;
}

function ticksOf(max: number, wanted = 8): number[] {
  const step = niceAbove(max / wanted);
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => Math.round(i * step * 1e6) / 1e6);
}

/** The next of 1, 2, 5 times a power of ten. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const factor of [1, 2, 5, 10]) if (factor * power >= value * 0.999) return factor * power;
  return 10 * power;
}

function label(value: number): string {
  if (value >= 1e6) return `${value / 1e6}M`;
  return value >= 1e4 ? `${value / 1e3}k` : String(value);
}
