/**
 * Metrics as Prometheus reads them, written piece by piece: a page of many series is megabytes, and whoever else waits for the
 * control thread gets a turn in between. @module
 */

/** What is written of one series; buckets are not added up, and one more than there are bounds. */
export type Value = number | { readonly counts: readonly number[]; readonly sum: number };

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram';
  /** In the order in which they are written. */
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, rising. */
  readonly bounds?: readonly number[];
}

/** Lines that are written in one turn; some 10 ms. */
const LINES_A_TURN = 4_000;

/** Values by the text of their labels. */
export type Samples = ReadonlyMap<string, Value>;

/** `a="b",c="d"`, as it stands between braces. */
export function labelText(names: readonly string[], values: readonly string[]): string {
  let text = '';
  for (let i = 0; i < names.length; i++) {
    text += `${i === 0 ? '' : ','}${names[i]}="${escaped(values[i]!)}"`;
  }
  return text;
}

/** The text of one family in pieces; after each the reader should let others have a turn. */
export function* writeFamily({ name, help, type, bounds = [] }: Family, samples: Samples): Generator<string> {
  let piece = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  let lines = 0;
  const limits = [...bounds.map(String), '+Inf'];
  for (const [labels, value] of samples) {
    if (typeof value === 'number') {
      piece += `${name}{${labels}} ${value}\n`;
      lines++;
    } else {
      let below = 0;
      for (let i = 0; i < limits.length; i++) {
        below += value.counts[i] ?? 0;
        piece += `${name}_bucket{${labels},le="${limits[i]}"} ${below}\n`;
      }
      piece += `${name}_sum{${labels}} ${value.sum}\n${name}_count{${labels}} ${below}\n`;
      lines += limits.length + 2;
    }
    if (lines < LINES_A_TURN) continue;
    yield piece;
    piece = '';
    lines = 0;
  }
  yield piece;
}

function escaped(value: string): string {
  return /["\\\n]/.test(value) ? value.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n') : value;
}
