/** One small language narrows everything. */
import { expect, test } from 'vitest';
import { type Fields, fits, parseFilter } from '../../../../agent/console/web/filter/filter.ts';
import { completions } from '../../../../agent/console/web/pages/topology/words.ts';

const ledger: Fields = {
  words: { ns: ['pay'], health: ['bad'], owner: ['team pay'], protocol: ['grpc', 'http'], kind: ['service'] },
  numbers: { p99: 1_180, failed: 0.042, rate: 138, endpoints: null },
  text: 'pay/ledger',
};

test.each([
  ['', true],
  ['ledger', true],
  ['LEDGER', true],
  ['cart', false],
  ['-cart', true],
  ['ns:pay', true],
  ['ns:shop,pay', true],
  ['ns:shop', false],
  ['-ns:pay', false],
  ['namespace:pa*', true],
  ['proto:grpc', true],
  ['p99>500ms', true],
  ['p99>1.5s', false],
  ['failed>1%', true],
  ['failed<=4%', false],
  ['rate>=138/s', true],
  ['rate>0.1k', true],
  ['owner:"team pay"', true],
  ['ns:pay health:bad p99>500 -kind:outside', true],
  ['ns:pay health:ok', false],
])('%s', (text, wanted) => {
  const filter = parseFilter(text);
  expect(filter.problems).toEqual([]);
  expect(fits(filter, ledger)).toBe(wanted);
});

test('what is not known fits no comparison, either way', () => {
  expect(fits(parseFilter('endpoints>1'), ledger)).toBe(false);
  expect(fits(parseFilter('endpoints<1'), ledger)).toBe(false);
});

test('what is not understood is said and left out', () => {
  const { terms, problems } = parseFilter('p99>fast ns: ledger');
  expect(problems).toHaveLength(2);
  expect(problems[0]).toContain('p99>fast');
  expect(terms).toEqual([{ kind: 'text', text: 'ledger', isNot: false }]);
});

test('the word that is being written is completed, and what stands before it stays', () => {
  const terms = ['health:bad', 'ns:pay', 'ns:shop', 'p99>500ms'];
  expect(completions('', terms)).toEqual(terms);
  expect(completions('ns:pay n', terms)).toEqual(['ns:pay ns:shop']);
  expect(completions('-heal', terms)).toEqual(['-health:bad']);
  expect(completions('ns:pay', terms)).toEqual([]);
  expect(completions('nothing like that', terms)).toEqual([]);
});
