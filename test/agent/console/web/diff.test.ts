/** The diff turns one text into the other, with few edits, and marks what changed inside a line. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diffLines, fold } from '../../../../agent/console/web/ui/diff-lines.ts';
import { edits } from '../../../../agent/console/web/ui/myers.ts';

const list = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 30 });

/** Longest common subsequence, by the table. */
function common(a: readonly string[], b: readonly string[]): number {
  const rows = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i += 1)
    for (let j = 1; j <= b.length; j += 1)
      rows[i]![j] = a[i - 1] === b[j - 1] ? rows[i - 1]![j - 1]! + 1 : Math.max(rows[i - 1]![j]!, rows[i]![j - 1]!);
  return rows[a.length]![b.length]!;
}

test('edits lead from left to right, and none fewer would do', () => {
  fc.assert(
    fc.property(list, list, (left, right) => {
      const found = edits(left, right);
      expect(found.filter(({ kind }) => kind !== 'new').map((edit) => left[edit.left])).toEqual(left);
      expect(found.filter(({ kind }) => kind !== 'gone').map((edit) => right[edit.right])).toEqual(right);
      for (const edit of found) if (edit.kind === 'same') expect(left[edit.left]).toBe(right[edit.right]);
      expect(found.filter(({ kind }) => kind === 'same').length).toBe(common(left, right));
    }),
  );
});

test('a changed line shows what changed inside it, and what is alike is folded', () => {
  const left = [...Array.from({ length: 20 }, (_, i) => `line ${i}`), '- weight: 1'].join('\n');
  const lines = diffLines(left, left.replace('weight: 1', 'weight: 10'));
  const changed = lines.filter(({ kind }) => kind !== 'same');
  expect(changed).toHaveLength(1);
  expect(changed[0]!.left.filter((piece) => piece.isChanged)).toEqual([{ text: '1', isChanged: true }]);
  expect(changed[0]!.right.filter((piece) => piece.isChanged)).toEqual([{ text: '10', isChanged: true }]);
  expect(fold(lines).map(({ kind, lines: some }) => [kind, some.length])).toEqual([
    ['fold', 17],
    ['lines', 4],
  ]);
});
