import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CertsError } from '../../certs/errors.ts';
import { kindOf, nodeId, operatorId, parseSpiffeId, quote, workloadId } from '../../certs/spiffe.ts';
import { SEEDED } from './properties.ts';

const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/).filter((text) => text !== '.' && text !== '..');
const trustDomain = fc.stringMatching(/^[a-z0-9_-]{1,9}(\.[a-z0-9_-]{1,9}){0,3}$/);

test('every name that can be made into an ID is read back as it was', () => {
  fc.assert(
    fc.property(trustDomain, segment, segment, (domain, a, b) => {
      const workload = parseSpiffeId(workloadId(domain, a, b));
      const node = parseSpiffeId(nodeId(domain, a));
      const operator = parseSpiffeId(operatorId(domain, b));
      expect(workload).toEqual({ trustDomain: domain, path: `ns/${a}/sa/${b}` });
      expect([workload, node, operator].map((id) => kindOf(id!))).toEqual(['workload', 'node', 'operator']);
    }),
    SEEDED,
  );
});

test('whatever text is accepted is the one spelling of its trust domain and path', () => {
  const hostile = fc.string({
    unit: fc.constantFrom('a', 'B', '.', '/', ':', '@', '%', '?', '#', '\0', 'é', '_', '-'),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        hostile,
        hostile.map((text) => `spiffe://${text}`),
      ),
      (text) => {
        const id = parseSpiffeId(text);
        if (id === undefined) return;
        expect(`spiffe://${id.trustDomain}/${id.path}`).toBe(text);
        expect(text).toMatch(/^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)+$/);
        expect(`${id.trustDomain}/${id.path}`.split('/')).not.toContain('..');
      },
    ),
    { ...SEEDED, numRuns: 2_000 },
  );
});

test.each([
  ['', 'nothing'],
  ['spiffe://', 'no trust domain'],
  ['spiffe://td', 'no path'],
  ['spiffe://td/', 'an empty path'],
  ['spiffe:///ns/a/sa/b', 'an empty trust domain'],
  ['SPIFFE://td/ns/a/sa/b', 'the scheme in capitals'],
  ['https://td/ns/a/sa/b', 'another scheme'],
  ['spiffe://Td/ns/a/sa/b', 'a trust domain with a capital'],
  ['spiffe://td./ns/a/sa/b', 'a trust domain with a trailing dot'],
  ['spiffe://.td/ns/a/sa/b', 'a trust domain with a leading dot'],
  ['spiffe://t..d/ns/a/sa/b', 'an empty label'],
  ['spiffe://td:80/ns/a/sa/b', 'a port'],
  ['spiffe://me@td/ns/a/sa/b', 'user information'],
  ['spiffe://td/ns/a/sa/b?x', 'a query'],
  ['spiffe://td/ns/a/sa/b#x', 'a fragment'],
  ['spiffe://td/ns//sa/b', 'an empty segment'],
  ['spiffe://td/ns/a/sa/b/', 'a trailing slash'],
  ['spiffe://td/ns/./sa/b', 'a dot segment'],
  ['spiffe://td/ns/../sa/b', 'a parent segment'],
  ['spiffe://td/ns/%61/sa/b', 'an escaped letter'],
  ['spiffe://td/ns/a/sa/b\0', 'a NUL'],
  ['spiffe://td/ns/a/sa/b\n', 'a line break'],
  ['spiffe://td/ns/ä/sa/b', 'a letter beyond ASCII'],
  [`spiffe://td/ns/${'a'.repeat(2_048)}/sa/b`, 'more than 2048 characters'],
  [`spiffe://${'a'.repeat(256)}/ns/a/sa/b`, 'a trust domain of more than 255 characters'],
])('%j is refused: %s', (text) => {
  expect(parseSpiffeId(text)).toBeUndefined();
});

test.each(['ns/a', 'ns/a/sa', 'ns/a/sa/b/c', 'ns/a/sb/b', 'node', 'node/a/b', 'operator/a/b', 'other/a'])(
  'a path %s has no meaning to Weft',
  (path) => {
    expect(kindOf({ trustDomain: 'td', path })).toBeUndefined();
  },
);

test('a name that would make another ID is refused with the field and the value', () => {
  const bad = ['', '.', '..', 'a/b', 'a b', 'a\0', 'é', 'a'.repeat(254)];
  for (const name of bad) {
    expect(() => workloadId('td', name, 'x')).toThrow(CertsError);
    expect(() => workloadId('td', 'x', name)).toThrow(CertsError);
    expect(() => operatorId('td', name)).toThrow(CertsError);
  }
  expect(() => nodeId('td', 'a/b')).toThrow('node name "a/b"');
  expect(() => nodeId('Td', 'a')).toThrow('trust domain "Td"');
});

test('foreign text in a message is short, on one line and harmless to a terminal', () => {
  expect(quote('spiffe://td/a')).toBe('"spiffe://td/a"');
  expect(quote('\x1b[2J\n\0\x9b')).toBe('"\\u001b[2J\\n\\u0000\\u009b"');
  expect(quote('a'.repeat(10_000))).toBe(`"${'a'.repeat(100)}..."`);
});
