/** What goes and what comes between two texts, by line, with what stays folded away. @module */

export interface DiffLine {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
  /** 1-based, of the old and of the new text; null where it has no such line. */
  readonly before: number | null;
  readonly after: number | null;
}
/** A run of lines that stay, left out. */
export interface Fold {
  readonly mark: 'fold';
  readonly lines: number;
}

const CONTEXT = 3;
/** Beyond this many lines on a side the two are shown one after the other: the table grows with the product. */
const MAX_LINES = 2_000;

export function diff(before: string, after: string): readonly (DiffLine | Fold)[] {
  return fold(compare(toLines(before), toLines(after)));
}

export function countChanges(lines: readonly (DiffLine | Fold)[]): number {
  return lines.filter((line) => line.mark === '+' || line.mark === '-').length;
}

/** The longest common subsequence, by the textbook: documents are short. */
function compare(a: readonly string[], b: readonly string[]): readonly DiffLine[] {
  const isLong = a.length > MAX_LINES || b.length > MAX_LINES;
  const width = b.length + 1;
  const common = new Uint16Array(isLong ? 0 : (a.length + 1) * width);
  if (!isLong) {
    for (let i = a.length - 1; i >= 0; i--) {
      for (let j = b.length - 1; j >= 0; j--) {
        common[i * width + j] =
          a[i] === b[j]
            ? common[(i + 1) * width + j + 1]! + 1
            : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
      }
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ mark: ' ', text: a[i]!, before: ++i, after: ++j });
    } else if (
      i < a.length &&
      (j === b.length || isLong || common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      lines.push({ mark: '-', text: a[i]!, before: ++i, after: null });
    } else {
      lines.push({ mark: '+', text: b[j]!, before: null, after: ++j });
    }
  }
  return lines;
}

function fold(lines: readonly DiffLine[]): readonly (DiffLine | Fold)[] {
  const out: (DiffLine | Fold)[] = [];
  const isNear = (at: number) =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some((line) => line.mark !== ' ');
  for (const [at, line] of lines.entries()) {
    const last = out.at(-1);
    if (isNear(at)) out.push(line);
    else if (last?.mark === 'fold') out[out.length - 1] = { mark: 'fold', lines: last.lines + 1 };
    else out.push({ mark: 'fold', lines: 1 });
  }
  return out;
}

function toLines(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}
