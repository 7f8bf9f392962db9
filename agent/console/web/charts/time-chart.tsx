/**
 * Figures over time, by uPlot: one crosshair for all charts of a page, events as dashed lines with a triangle, hatched where
 * nothing is known. Dragging narrows the time of the whole console; arrow keys move the crosshair; the same as a table.
 * @module
 */
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { setQuery } from '../app/router.tsx';
import { useRange, writeInstant, writeRange } from '../app/time.ts';
import { clock, clockSeconds } from '../format/times.ts';
import { onTheme } from '../theme/theme.ts';
import { IconButton } from '../ui/button.tsx';
import { Table } from '../ui/table.tsx';
import { instants } from './align.ts';
import { type ChartSpec, uplotOptions } from './uplot-options.ts';
import './time-chart.css';

export interface ChartLine {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** A token: `series1`, `bad-mark`, `p99`. */
  readonly color: string;
  readonly isDashed?: boolean;
}
export interface ChartEvent {
  readonly atMs: number;
  readonly title: string;
}

interface Props {
  readonly title: string;
  /** Beside the title: the figure of now. */
  readonly figure?: React.ReactNode;
  readonly startMs: number;
  readonly stepMs: number;
  readonly lines: readonly ChartLine[];
  readonly format: (value: number | null) => string;
  readonly events?: readonly ChartEvent[];
  /** Dashed grey: a limit or an objective. */
  readonly limit?: { readonly value: number; readonly name: string };
  /** The axis reaches at least so far: 0.01 for a share, so that 0.1 % is no mountain. */
  readonly leastTop?: number;
  readonly heightPx?: number;
}

export function TimeChart(props: Props) {
  const { title, startMs, stepMs, lines, format, events = [], heightPx = 104 } = props;
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const { zone } = useRange();
  const [isTable, setTable] = useState(false);
  const [at, setAt] = useState<number | null>(null);
  const id = useId();
  const xs = useMemo(() => instants(startMs, stepMs, lines[0]?.values.length ?? 0), [startMs, stepMs, lines]);
  const latest = useRef({ ...props, xs });
  latest.current = { ...props, xs };
  const shape = lines.map(({ name, color }) => `${name}/${color}`).join() + (props.limit?.name ?? '');
  useEffect(() => {
    const element = host.current;
    if (isTable || element === null || shape === '') return;
    const make = () => {
      chart.current?.destroy();
      const spec = (): ChartSpec => ({ events: [], ...latest.current });
      const options = uplotOptions(spec, {
        widthPx: element.clientWidth || 300,
        heightPx,
        zone,
        onCursor: setAt,
        onZoom,
      });
      chart.current = new uPlot(options, dataOf(latest.current.xs, latest.current.lines), element);
    };
    make();
    const sizes = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height: heightPx }));
    sizes.observe(element);
    const stop = onTheme(make);
    return () => {
      stop();
      sizes.disconnect();
      chart.current?.destroy();
      chart.current = undefined;
    };
  }, [isTable, heightPx, zone, shape]);
  useEffect(() => chart.current?.setData(dataOf(xs, lines)), [xs, lines]);
  const say =
    at === null || xs[at] === undefined
      ? ''
      : `${clockSeconds(xs[at] * 1000, zone)}: ${lines.map((line) => `${line.name} ${format(line.values[at] ?? null)}`).join(', ')}`;
  return (
    <section className="chart" aria-labelledby={id}>
      <header>
        <h3 id={id}>{title}</h3>
        {lines.length > 1 && (
          <ul className="chart-key">
            {lines.map(({ name, color, isDashed }) => (
              <li key={name}>
                <span className={isDashed ? 'is-dashed' : ''} style={{ color: `var(--${color})` }} />
                {name}
              </li>
            ))}
          </ul>
        )}
        <IconButton
          icon="table"
          label={`${title} as table`}
          aria-pressed={isTable}
          onClick={() => setTable(!isTable)}
        />
      </header>
      {props.figure}
      {isTable ? (
        <ChartTable {...props} xs={xs} zone={zone} />
      ) : (
        // biome-ignore lint/a11y/useSemanticElements: a canvas that is moved through by keys
        <div
          ref={host}
          className="chart-plot"
          role="group"
          aria-label={`${title}, left and right move through time`}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: moved through by keys
          tabIndex={0}
          onKeyDown={(event) => {
            const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
            const plot = chart.current;
            if (step === 0 || plot === undefined) return;
            event.preventDefault();
            const next = Math.max(0, Math.min(xs.length - 1, (at ?? xs.length) + step));
            plot.setCursor({ left: plot.valToPos(xs[next]!, 'x'), top: 10 });
          }}
        />
      )}
      <p className="chart-said" aria-live="polite">
        {say}
      </p>
      {events.length > 0 && (
        <p className="unseen">{events.map((event) => `${clock(event.atMs, zone)} ${event.title}`).join('; ')}</p>
      )}
    </section>
  );
}

/** `t` and `at` of the whole console. */
function onZoom(fromMs: number, toMs: number): void {
  const ms = Math.max(10_000, Math.round((toMs - fromMs) / 10_000) * 10_000);
  setQuery({ t: writeRange(ms), at: writeInstant(toMs) }, { replace: false });
}

function dataOf(xs: readonly number[], lines: readonly ChartLine[]): uPlot.AlignedData {
  return [xs, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;
}

function ChartTable({
  title,
  lines,
  format,
  xs,
  zone,
}: Props & { readonly xs: readonly number[]; readonly zone: 'local' | 'utc' }) {
  return (
    <Table
      name={title}
      isCompact
      isPlain
      rows={xs.map((x, i) => ({ x, i })).reverse()}
      rowKey={({ x }) => String(x)}
      columns={[
        { id: 'at', head: 'At', cell: ({ x }) => clockSeconds(x * 1000, zone) },
        ...lines.map(({ name, values }) => ({
          id: name,
          head: name,
          align: 'end' as const,
          cell: ({ i }: { i: number }) => format(values[i] ?? null),
        })),
      ]}
    />
  );
}
