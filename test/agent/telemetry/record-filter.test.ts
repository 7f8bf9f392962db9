/** The language that logs, traces and taps are searched by. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldTerm, fits, parseFilter, withUsers } from '../../../agent/telemetry/record-filter.ts';
import { record } from './records.ts';

const FAILED = { sampled: false, failed: true, slow: true, tapped: false };
const subject = record({ status: 503, reason: 'no-endpoint', kept: FAILED, tookMs: 120, user: 'u1' });

const found = (text: string): boolean => {
  const parsed = parseFilter(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return fits(subject, parsed.terms);
};

test.each([
  ['', true],
  ['service:cart', true],
  ['service:shop/web', true],
  ['service:web,other to:cart', true],
  ['from:cart', false],
  ['from:spiffe://lab.example/ns/shop/sa/web', true],
  ['ns:shop -ns:pay', true],
  ['status:503', true],
  ['status:5xx,404', true],
  ['status:4xx', false],
  ['-status:5xx', false],
  ['path:/v1/carts/7', true],
  ['path:/v1/*', true],
  ['path:/v1', false],
  ['path:*carts*7', true],
  ['path:*carts*77', false],
  ['route:/v1/carts/{id}', true],
  ['reason:no-*', true],
  ['method:get', true],
  ['user:u1', true],
  ['user:u2', false],
  ['failed slow', true],
  ['is:failed', true],
  ['-failed', false],
  ['duration>100ms', true],
  ['duration>1s', false],
  ['duration<0.2s', true],
  ['carts', true],
  ['/v1/carts', true],
  ['pay', false],
  ['proto:http version:v2 endpoint:10.1.* direction:outbound', true],
])('%s', (text, isFound) => {
  expect(found(text)).toBe(isFound);
});

test.each([
  ['colour:red', 'no such field'],
  ['status:', 'a value is missing'],
  ['duration>1h', 'write duration>100ms'],
  [Array(40).fill('a').join(' '), 'at most 32 terms'],
])('%s is refused with what is wrong', (text, problem) => {
  const parsed = parseFilter(text);
  expect(parsed.ok ? '' : parsed.problem).toContain(problem);
});

test('a caller of which only the identity is known is found by what that names', () => {
  const inbound = record({ direction: 'inbound', sourceService: '' });
  for (const from of ['web', 'shop/web', inbound.source]) expect(fits(inbound, [fieldTerm('from', from)])).toBe(true);
  expect(fits(inbound, [fieldTerm('from', 'cart')])).toBe(false);
});

test('users are found by what records have instead of them', () => {
  expect(
    fits(
      subject,
      withUsers([fieldTerm('user', 'ada')], () => 'u1'),
    ),
  ).toBe(true);
  expect(
    fits(
      subject,
      withUsers([fieldTerm('user', 'ada')], () => 'u2'),
    ),
  ).toBe(false);
});

test('a pattern with stars matches what a naive search finds', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', '*'), { maxLength: 8 }).map((all) => all.join(''));
  const texts = fc.array(fc.constantFrom('a', 'b'), { maxLength: 8 }).map((all) => all.join(''));
  fc.assert(
    fc.property(
      letters.filter((pattern) => pattern.includes('*')),
      texts,
      (pattern, path) => {
        const naive = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(path);
        expect(fits(record({ path }), [fieldTerm('path', pattern)])).toBe(naive);
      },
    ),
    { seed: 7 },
  );
});
