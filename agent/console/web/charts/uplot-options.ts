/** How uPlot draws our charts: colours of the tokens, three lines of grid, hatch for gaps, triangles for events. @module */
import uPlot from 'uplot';
import { clock, type Zone } from '../format/times.ts';
import { token } from '../theme/theme.ts';
import { gaps, niceTop } from './align.ts';

export interface ChartSpec {
  readonly lines: readonly {
    readonly name: string;
    readonly values: readonly (number | null)[];
    readonly color: string;
    readonly isDashed?: boolean;
  }[];
  readonly xs: readonly number[];
  readonly format: (value: number | null) => string;
  readonly events: readonly { readonly atMs: number; readonly title: string }[];
  readonly limit?: { readonly value: number; readonly name: string } | undefined;
  readonly leastTop?: number | undefined;
}

interface Place {
  readonly widthPx: number;
  readonly heightPx: number;
  readonly zone: Zone;
  readonly onCursor: (place: number | null) => void;
  readonly onZoom: (fromMs: number, toMs: number) => void;
}

/** `spec` is read at each drawing, so that new figures need no new chart. */
export function uplotOptions(spec: () => ChartSpec, place: Place): uPlot.Options {
  const { lines } = spec();
  const axis = { stroke: token('text3'), font: `11px ${token('sans')}`, ticks: { show: false } };
  const isSingle = lines.length === 1;
  return {
    width: place.widthPx,
    height: place.heightPx,
    padding: [10, 4, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: 'weft' }, y: false, points: { size: 6 }, drag: { x: true, y: false, setScale: false } },
    scales: {
      x: { time: true },
      y: {
        range: (_plot, _min, max) => [
          0,
          niceTop(Math.max(max ?? 0, spec().limit?.value ?? 0), spec().leastTop ?? 1e-3),
        ],
      },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 22,
        values: (_plot, splits) => splits.map((split) => clock(split * 1000, place.zone)),
      },
      {
        ...axis,
        size: 52,
        grid: { stroke: token('border'), width: 1 },
        splits: (_plot, _axis, _min, max) => [0, max / 3, (2 * max) / 3, max],
        values: (_plot, splits) => splits.map((split) => spec().format(split)),
      },
    ],
    series: [
      {},
      ...lines.map(
        ({ name, color, isDashed }): uPlot.Series => ({
          label: name,
          stroke: token(color),
          width: 1.5,
          spanGaps: false,
          points: { show: false },
          ...(isDashed ? { dash: [4, 3] } : {}),
          ...(isSingle ? { fill: faint(token(color)) } : {}),
        }),
      ),
    ],
    hooks: {
      drawClear: [(plot) => hatch(plot, spec())],
      draw: [(plot) => marks(plot, spec())],
      setCursor: [(plot) => place.onCursor(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return;
          const at = (left: number) => plot.posToVal(left, 'x') * 1000;
          place.onZoom(at(plot.select.left), at(plot.select.left + plot.select.width));
        },
      ],
    },
  };
}

/** At 12 %; tokens are six hex digits. */
function faint(color: string): string {
  return `${color}1f`;
}

function hatch(plot: uPlot, { xs, lines }: ChartSpec): void {
  const { ctx, bbox } = plot;
  for (const [from, to] of gaps(
    xs,
    lines.map(({ values }) => values),
  )) {
    const left = Math.max(bbox.left, plot.valToPos(from, 'x', true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, 'x', true));
    if (right <= left) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, right - left, bbox.height);
    ctx.clip();
    ctx.strokeStyle = token('border-strong');
    ctx.globalAlpha = 0.6;
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (let x = left - bbox.height; x < right; x += 8) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }
}

function marks(plot: uPlot, { events, limit }: ChartSpec): void {
  const { ctx, bbox } = plot;
  const unit = uPlot.pxRatio;
  ctx.save();
  ctx.lineWidth = unit;
  ctx.setLineDash([3 * unit, 3 * unit]);
  if (limit !== undefined) {
    const y = Math.round(plot.valToPos(limit.value, 'y', true)) + 0.5;
    ctx.strokeStyle = token('edge');
    line(ctx, bbox.left, y, bbox.left + bbox.width, y);
  }
  ctx.strokeStyle = token('accent');
  ctx.fillStyle = token('accent');
  for (const { atMs } of events) {
    const x = Math.round(plot.valToPos(atMs / 1000, 'x', true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    line(ctx, x, bbox.top, x, bbox.top + bbox.height);
    ctx.beginPath();
    ctx.moveTo(x - 4 * unit, bbox.top - 7 * unit);
    ctx.lineTo(x + 4 * unit, bbox.top - 7 * unit);
    ctx.lineTo(x, bbox.top);
    ctx.fill();
  }
  ctx.restore();
}

function line(ctx: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}
