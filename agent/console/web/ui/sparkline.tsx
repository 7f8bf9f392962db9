/** A small line without axes beside its figure; its trend in words is the title. Gaps are gaps. @module */
import './sparkline.css';

const WIDTH = 84;
const HEIGHT = 20;

interface Props {
  readonly values: readonly (number | null)[];
  readonly tone?: 'plain' | 'bad' | 'warn' | 'mesh';
}

export function Sparkline({ values, tone = 'plain' }: Props) {
  return (
    <span className="sparkline-box" title={trendWords(values)}>
      <svg className={`sparkline sparkline-${tone}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
        <path d={pathOf(values)} />
      </svg>
    </span>
  );
}

/** From zero up to the largest value. */
export function pathOf(values: readonly (number | null)[]): string {
  const top = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE);
  const step = WIDTH / Math.max(1, values.length - 1);
  let path = '';
  let isDown = false;
  for (const [i, value] of values.entries()) {
    if (value === null) {
      isDown = false;
      continue;
    }
    path += `${isDown ? 'L' : 'M'}${(i * step).toFixed(1)} ${(HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1)}`;
    isDown = true;
  }
  return path;
}

/** By the means of the first and last third: more than a quarter apart is a trend. */
export function trendWords(values: readonly (number | null)[]): string {
  const third = Math.max(1, Math.floor(values.length / 3));
  const before = mean(values.slice(0, third));
  const now = mean(values.slice(-third));
  if (before === undefined || now === undefined) return 'not known for the whole range';
  if (before === 0 && now === 0) return 'zero throughout';
  if (before === 0 || now > before * 1.25) return 'rising';
  return now < before * 0.8 ? 'falling' : 'steady';
}

function mean(values: readonly (number | null)[]): number | undefined {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
}
