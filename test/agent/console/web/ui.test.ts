/** Pure parts of components: order and copies of tables, names found, YAML coloured, paths matched, axes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bestMatches } from '../../../../agent/console/web/app/fuzzy.ts';
import { gaps, niceTop } from '../../../../agent/console/web/charts/align.ts';
import { sortRows, toCsv, toTsv } from '../../../../agent/console/web/ui/table-rows.ts';
import { yamlTokens } from '../../../../agent/console/web/ui/yaml-tokens.ts';

const rows = [
  { name: 'ledger', p99: 1180 as number | null },
  { name: 'cart', p99: null },
  { name: 'auth', p99: 6 },
];
const columns = [
  { id: 'name', head: 'Name', value: (row: (typeof rows)[0]) => row.name },
  { id: 'p99', head: 'p99, ms', value: (row: (typeof rows)[0]) => row.p99 },
];
const names = (sorted: readonly { name: string }[]) => sorted.map(({ name }) => name);

test('what is not known is last, whichever way a table is sorted', () => {
  expect(names(sortRows(rows, columns, { column: 'p99', isDown: true }))).toEqual(['ledger', 'auth', 'cart']);
  expect(names(sortRows(rows, columns, { column: 'p99', isDown: false }))).toEqual(['auth', 'ledger', 'cart']);
});

test('a copy of a table quotes what needs it and is no formula', () => {
  const risky = [{ name: '=1+1,"x"', p99: -3 }];
  expect(toCsv(risky, columns)).toBe('Name,"p99, ms"\r\n"\'=1+1,""x""",-3');
  expect(toTsv([{ name: 'a\tb', p99: null }], columns)).toBe('Name\tp99, ms\r\na b\t');
});

test('a name that begins so is found before one that holds the letters', () => {
  const found = bestMatches(
    [{ name: 'pay/old-ledger-go' }, { name: 'pay/ledger' }, { name: 'fin/l-e-d' }, { name: 'shop/cart' }],
    'led',
    3,
  );
  expect(names(found)).toEqual(['pay/ledger', 'pay/old-ledger-go', 'fin/l-e-d']);
});

test('coloured YAML is the same text', () => {
  const yamlish = fc.string({
    unit: fc.constantFrom('a', ' ', ':', '-', '#', '"', "'", '[', '{', '|', '\n', '1', ',', '\\'),
  });
  fc.assert(
    fc.property(yamlish, (text) => {
      const back = yamlTokens(text).map((line) => line.map((token) => token.text).join(''));
      expect(back.join('\n')).toBe(text);
    }),
  );
});

test('YAML keys, numbers and comments are told apart', () => {
  const [line] = yamlTokens('  - weight: 10 # percent');
  expect(line!.map(({ kind, text }) => [kind, text.trim()])).toEqual([
    ['sign', '-'],
    ['key', 'weight'],
    ['sign', ':'],
    ['text', ''],
    ['number', '10'],
    ['comment', '# percent'],
  ]);
  expect(yamlTokens('a: |\n  - b: 1\nc: d')[1]![0]!.kind).toBe('string');
});

test('an axis ends at a round number at or above the largest value', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), (value) => {
      const top = niceTop(value, 1e-6);
      expect(top).toBeGreaterThanOrEqual(value * 0.9999);
      expect(top).toBeLessThanOrEqual(value * 2.51);
    }),
  );
});

test('only where no column knows anything is a gap', () => {
  expect(
    gaps(
      [0, 10, 20, 30],
      [
        [1, null, null, 4],
        [1, null, 3, 4],
      ],
    ),
  ).toEqual([[5, 15]]);
  expect(gaps([0, 10], [[1, null]])).toEqual([[5, 15]]);
});
