/** Order and text of a table's rows; pure. @module */
export interface Sort {
  readonly column: string;
  readonly isDown: boolean;
}
export interface Valued<R> {
  readonly id: string;
  readonly head: string;
  readonly value?: (row: R) => string | number | null;
}

/** Rows of the same value keep their order; what is not known comes last, whichever way. */
export function sortRows<R>(rows: readonly R[], columns: readonly Valued<R>[], sort: Sort | undefined): readonly R[] {
  const value = columns.find(({ id }) => id === sort?.column)?.value;
  if (sort === undefined || value === undefined) return rows;
  const sign = sort.isDown ? -1 : 1;
  return rows.toSorted((a, b) => {
    const left = value(a);
    const right = value(b);
    if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1;
    return sign * compare(left, right);
  });
}

export function toTsv<R>(rows: readonly R[], columns: readonly Valued<R>[]): string {
  return lines(rows, columns, (text) => text.replaceAll(/[\t\r\n]+/g, ' '), '\t');
}

/** RFC 4180; a cell that a spreadsheet would take for a formula begins with an apostrophe. */
export function toCsv<R>(rows: readonly R[], columns: readonly Valued<R>[]): string {
  const quoted = (text: string) => {
    const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return lines(rows, columns, quoted, ',');
}

function lines<R>(
  rows: readonly R[],
  columns: readonly Valued<R>[],
  write: (text: string) => string,
  between: string,
): string {
  const used = columns.filter(({ value }) => value !== undefined);
  const head = used.map(({ head }) => write(head)).join(between);
  const body = rows.map((row) => used.map(({ value }) => write(String(value?.(row) ?? ''))).join(between));
  return [head, ...body].join('\r\n');
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}
