import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkGrant, grantCovers, grantProblem } from '../../certs/grant.ts';
import { SEEDED } from './properties.ts';

test.each([
  ['ns/shop/*', 'ns/shop/sa/web', true],
  ['ns/shop/sa/web', 'ns/shop/sa/web', true],
  ['ns/shop/sa/*', 'ns/shop/sa/web', true],
  ['ns/*/sa/web', 'ns/shop/sa/web', true],
  ['*', 'ns/shop/sa/web', true],
  ['ns/*', 'ns/shop/sa/web', true],
  ['ns/shop/sa/web', 'ns/shop/sa/web2', false],
  ['ns/shop/*', 'ns/shopping/sa/web', false],
  ['ns/sho*', 'ns/shop/sa/web', false],
  ['ns/shop/*', 'ns/shop', false],
  ['ns/shop', 'ns/shop/sa/web', false],
  ['ns/*/sa', 'ns/shop/sa/web', false],
  ['ns/*/sa/web', 'ns/shop/x/sa/web', false],
  ['*', 'node/a', false],
  ['*', 'operator/admin', false],
  ['node/*', 'node/a', false],
  ['*', 'ns', false],
  ['*', '', false],
  ['*', 'ns//sa/web', false],
  ['', 'ns/shop/sa/web', false],
])('the grant %j for %j is %j', (pattern, path, covers) => {
  expect(grantCovers([pattern], path)).toBe(covers);
});

test('no grant covers nothing', () => {
  expect(grantCovers([], 'ns/shop/sa/web')).toBe(false);
});

const segment = fc.constantFrom('ns', 'sa', 'shop', 'web', 'a.b');
const pattern = fc
  .array(fc.oneof(segment, fc.constant('*')), { maxLength: 4 })
  .map((rest) => ['ns', ...rest].join('/'));
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((rest) => ['ns', ...rest].join('/'));

test('patterns mean what the same pattern means as a regular expression', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 3 }), path, (grant, subject) => {
      const naive = grant.some((text) => {
        const parts = text.replace(/\*$/, '.+').split('/');
        const body = parts.map((part) => (part === '*' ? '[^/]+' : part.replace('a.b', 'a\\.b'))).join('/');
        return new RegExp(`^${body}$`).test(subject);
      });
      expect(grantCovers(grant, subject)).toBe(naive);
    }),
    { ...SEEDED, numRuns: 3_000 },
  );
});

test('one more pattern never takes an identity away, and no pattern ever covers a node or an operator', () => {
  const anyText = fc.oneof(pattern, fc.constant('*'), fc.string());
  fc.assert(
    fc.property(fc.array(anyText, { maxLength: 5 }), anyText, path, fc.string(), (grant, more, subject, name) => {
      expect(!grantCovers(grant, subject) || grantCovers([...grant, more], subject)).toBe(true);
      expect(grantCovers([...grant, more], `node/${name}`)).toBe(false);
      expect(grantCovers([...grant, more], `operator/${name}`)).toBe(false);
    }),
    SEEDED,
  );
});

test.each([
  [[], 'no pattern'],
  [['ns'], '"ns"'],
  [['node/*'], '"node/*"'],
  [['ns/sho*'], '"ns/sho*"'],
  [['ns//x'], '"ns//x"'],
  [['*/sa'], '"*/sa"'],
  [['ns/a b'], '"ns/a b"'],
  [['ns/a', 'ns/../b'], '"ns/../b"'],
  [Array.from({ length: 65 }, () => '*'), '65 patterns'],
  [[`ns/${'a'.repeat(4_096)}`], 'more than 4096 characters'],
])('a grant that makes no sense is refused with the part at fault', (grant, problem) => {
  expect(grantProblem(grant)).toContain(problem);
  expect(() => checkGrant(grant)).toThrow(problem);
});

test('a grant that makes sense is accepted, up to its bounds', () => {
  const grants = [
    ['*'],
    ['ns/*'],
    ['ns/shop/*', 'ns/*/sa/web'],
    Array.from({ length: 64 }, () => '*'),
    [`ns/${'a'.repeat(4_093)}`],
  ];
  for (const grant of grants) expect(grantProblem(grant)).toBeUndefined();
});
