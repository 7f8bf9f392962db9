/** A line diff for people: what goes, what comes, and a little of what stays around it. @module */

const CONTEXT = 3;
/** Beyond this many lines on either side the two are shown one after the other: the table below grows with the product. */
const MAX_LINES = 3_000;

interface Line {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
}

/** @returns '' when the texts are equal */
export function lineDiff(before: string, after: string): string {
  const lines = compare(toLines(before), toLines(after));
  const isNear = (i: number): boolean =>
    lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some((line) => line.mark !== ' ');
  const shown: string[] = [];
  let wasShown = true;
  for (const [i, { mark, text }] of lines.entries()) {
    const isShown = isNear(i);
    if (isShown && !wasShown) shown.push('  ...');
    if (isShown) shown.push(`${mark} ${text}`.trimEnd());
    wasShown = isShown;
  }
  return shown.map((line) => `${line}\n`).join('');
}

function toLines(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** The longest common subsequence, by the textbook: documents are short. */
function compare(a: readonly string[], b: readonly string[]): readonly Line[] {
  if (a.length > MAX_LINES || b.length > MAX_LINES) {
    return [...a.map((text): Line => ({ mark: '-', text })), ...b.map((text): Line => ({ mark: '+', text }))];
  }
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ mark: ' ', text: a[i++]! });
      j++;
    } else if (i < a.length && (j === b.length || common[(i + 1) * width + j]! >= common[i * width + j + 1]!)) {
      lines.push({ mark: '-', text: a[i++]! });
    } else {
      lines.push({ mark: '+', text: b[j++]! });
    }
  }
  return lines;
}
