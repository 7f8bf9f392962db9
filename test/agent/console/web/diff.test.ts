import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countChanges, type DiffLine, diff } from '../../../../agent/console/web/editor/diff.ts';

test('what stays far from a change is folded', () => {
  const before = Array.from({ length: 20 }, (_, i) => `line ${i}`).join('\n');
  const lines = diff(before, before.replace('line 10', 'line ten'));
  expect(lines.map((line) => line.mark).join('')).toBe('fold   -+   fold');
  expect(countChanges(lines)).toBe(2);
  expect(lines.find((line) => line.mark === '+')).toMatchObject({ text: 'line ten', before: null, after: 11 });
});

test('equal texts have no change', () => {
  expect(countChanges(diff('a\nb\n', 'a\nb\n'))).toBe(0);
});

test('old and new text can be read from what is shown', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 7 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const lines = diff(a.join('\n'), b.join('\n')).filter((line): line is DiffLine => line.mark !== 'fold');
      for (const line of lines) {
        if (line.before !== null) expect(a[line.before - 1]).toBe(line.text);
        if (line.after !== null) expect(b[line.after - 1]).toBe(line.text);
      }
      const [gone, came] = ['-', '+'].map((mark) => lines.filter((line) => line.mark === mark).length);
      expect(a.length - gone! + came!).toBe(b.length);
    }),
  );
});
