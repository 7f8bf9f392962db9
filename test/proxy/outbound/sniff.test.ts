import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sniff, sniffFinal } from '../../../proxy/outbound/sniff.ts';

test.each([
  ['GET / HTTP/1.1\r\n', 'http'],
  ['POST /a HTTP/1.0\r\nHost: a\r\n', 'http'],
  ['PROPFIND * HTTP/1.1\r\n', 'http'],
  ['GET key\r\n', 'opaque'],
  ['GET / HTTP/1.1\n', 'opaque'],
  ['*1\r\n$4\r\nPING\r\n', 'opaque'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'opaque'],
  ['\x16\x03\x01', 'opaque'],
  ['SSH-2.0-x\r\n', 'opaque'],
  ['GETTING / HTTP/1.1\r\n', 'opaque'],
  ['G', 'more'],
  ['GET /a', 'more'],
])('%j is %s', (text, verdict) => {
  expect(sniff(Buffer.from(text, 'latin1'))).toBe(verdict);
});

test('a request line that is still on its way counts as HTTP when time is up', () => {
  expect(sniffFinal(Buffer.from('GET /slow'))).toBe('http');
  expect(sniffFinal(Buffer.from('GET ke'))).toBe('opaque');
  expect(sniffFinal(Buffer.from('GE'))).toBe('opaque');
});

test('more bytes never turn one verdict into the other', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 40 }),
    fc.constant('GET /path?x HTTP/1.1\r\nHost: a\r\n\r\n'),
    fc.constant('DELETE no-such-thing\r\n'),
  );
  fc.assert(
    fc.property(text, fc.nat(40), (all, at) => {
      const part = Buffer.from(all.slice(0, Math.max(1, at)), 'latin1');
      fc.pre(part.length > 0);
      const early = sniff(part);
      if (early !== 'more') expect(sniff(Buffer.from(all, 'latin1'))).toBe(early);
    }),
    { seed: 7, numRuns: 1_000 },
  );
});
