/** The index of patterns against trying each. @module */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Pattern, PatternIndex, parsePattern } from '../../../proxy/access/patterns.ts';

const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '😀'), maxLength: 6 });
const pattern = fc
  .tuple(text, fc.constantFrom('exact', 'prefix', 'suffix'))
  .map(([of, kind]) => ({ kind, text: of }) as Pattern);

test('the index finds every pattern that matches, and no other', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 30 }), text, (patterns, asked) => {
      const index = new PatternIndex(patterns.map((one, i) => [one, i]));
      const found: number[] = [];
      index.collect(asked, found);
      const expected = patterns.flatMap(({ kind, text: of }, i) => {
        const fits = kind === 'exact' ? asked === of : kind === 'prefix' ? asked.startsWith(of) : asked.endsWith(of);
        return fits ? [i] : [];
      });
      expect(found.sort((a, b) => a - b)).toEqual(expected);
      expect(index.has(asked)).toBe(expected.length > 0);
    }),
    { numRuns: 3_000, seed: 4 },
  );
});

test.each([
  ['a', { kind: 'exact', text: 'a' }],
  ['a*', { kind: 'prefix', text: 'a' }],
  ['*a', { kind: 'suffix', text: 'a' }],
  ['*', { kind: 'prefix', text: '' }],
  ['a*b', undefined],
  ['*a*', undefined],
])('%s is read', (written, expected) => {
  expect(parsePattern(written)).toEqual(expected);
});
