/** Two texts as rows of a diff: lines that belong together side by side, what differs inside them marked, the rest folded. @module */
import { type Edit, edits } from './myers.ts';

export interface Piece {
  readonly text: string;
  readonly isChanged: boolean;
}
export interface DiffLine {
  readonly kind: 'same' | 'gone' | 'new' | 'changed';
  /** From 1; 0 where there is none. */
  readonly leftLine: number;
  readonly rightLine: number;
  readonly left: readonly Piece[];
  readonly right: readonly Piece[];
}
export type DiffPart =
  | { readonly kind: 'lines'; readonly lines: readonly DiffLine[] }
  | { readonly kind: 'fold'; readonly lines: readonly DiffLine[] };

const CONTEXT = 3;

export function diffLines(left: string, right: string): DiffLine[] {
  const a = left.split('\n');
  const b = right.split('\n');
  const lines: DiffLine[] = [];
  let gone: Edit[] = [];
  let fresh: Edit[] = [];
  const flush = () => {
    for (let i = 0; i < Math.max(gone.length, fresh.length); i += 1) lines.push(pair(a, b, gone[i], fresh[i]));
    gone = [];
    fresh = [];
  };
  for (const edit of edits(a, b)) {
    if (edit.kind === 'gone') gone.push(edit);
    else if (edit.kind === 'new') fresh.push(edit);
    else {
      flush();
      const same = [{ text: a[edit.left]!, isChanged: false }];
      lines.push({ kind: 'same', leftLine: edit.left + 1, rightLine: edit.right + 1, left: same, right: same });
    }
  }
  flush();
  return lines;
}

/** What is alike for longer than twice the context is folded. */
export function fold(lines: readonly DiffLine[]): DiffPart[] {
  const isNear = lines.map((_, i) =>
    lines.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some(({ kind }) => kind !== 'same'),
  );
  const parts: { kind: 'lines' | 'fold'; lines: DiffLine[] }[] = [];
  for (const [i, line] of lines.entries()) {
    const kind = isNear[i] ? 'lines' : 'fold';
    const last = parts.at(-1);
    if (last?.kind === kind) last.lines.push(line);
    else parts.push({ kind, lines: [line] });
  }
  return parts;
}

/** Lines that differ, added and removed; a changed line counts once. */
export function differing(lines: readonly DiffLine[]): number {
  return lines.filter(({ kind }) => kind !== 'same').length;
}

function pair(a: readonly string[], b: readonly string[], gone: Edit | undefined, fresh: Edit | undefined): DiffLine {
  const leftText = gone === undefined ? undefined : a[gone.left]!;
  const rightText = fresh === undefined ? undefined : b[fresh.right]!;
  const numbers = {
    leftLine: gone === undefined ? 0 : gone.left + 1,
    rightLine: fresh === undefined ? 0 : fresh.right + 1,
  };
  if (leftText !== undefined && rightText !== undefined) {
    const marks = wordMarks(leftText, rightText);
    return { kind: 'changed', ...numbers, ...marks };
  }
  const plain = (text: string | undefined): Piece[] => (text === undefined ? [] : [{ text, isChanged: false }]);
  return { kind: leftText === undefined ? 'new' : 'gone', ...numbers, left: plain(leftText), right: plain(rightText) };
}

function wordMarks(left: string, right: string): { left: Piece[]; right: Piece[] } {
  const a = left.match(/\w+|\s+|./g) ?? [];
  const b = right.match(/\w+|\s+|./g) ?? [];
  const out = { left: [] as Piece[], right: [] as Piece[] };
  for (const edit of edits(a, b)) {
    if (edit.kind !== 'new') add(out.left, a[edit.left]!, edit.kind === 'gone');
    if (edit.kind !== 'gone') add(out.right, b[edit.right]!, edit.kind === 'new');
  }
  return out;
}

function add(pieces: Piece[], text: string, isChanged: boolean): void {
  const last = pieces.at(-1);
  if (last !== undefined && last.isChanged === isChanged)
    pieces[pieces.length - 1] = { text: last.text + text, isChanged };
  else pieces.push({ text, isChanged });
}
