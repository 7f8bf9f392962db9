import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DerError, DerReader, firstBits, instantMs, isTrue, smallInteger, TAG } from '../../certs/der.ts';
import { decodeOid, encodeOid } from '../../certs/oids.ts';
import { SEEDED } from './properties.ts';

const reader = (hex: string) => new DerReader(Buffer.from(hex, 'hex'));

test('elements are read in order, and whole or by their content', () => {
  const list = reader('300902010504040a0b0c0d').enter(TAG.sequence);
  expect(list.read(TAG.integer)).toEqual(Buffer.of(5));
  expect(list.readOptional(TAG.integer)).toBeUndefined();
  expect(list.readWhole(TAG.octetString).toString('hex')).toBe('04040a0b0c0d');
  expect(() => list.end()).not.toThrow();
});

test.each([
  ['047f', 127],
  ['048180', 128],
  ['0481ff', 255],
  ['04820100', 256],
  ['0482012c', 300],
])('the length %s is read as %i', (header, length) => {
  const content = Buffer.alloc(length, 7);
  expect(new DerReader(Buffer.concat([Buffer.from(header, 'hex'), content])).read(TAG.octetString)).toEqual(content);
});

test('an element of any kind can be stepped over, but not what is not there or has a tag of several bytes', () => {
  expect(reader('0401aa').readAny()).toEqual({ tag: TAG.octetString, content: Buffer.of(0xaa) });
  expect(() => reader('').readAny()).toThrow(DerError);
  expect(() => reader('1f8101aa').readAny()).toThrow(DerError);
  expect(() => reader('bf0101aa').readAny()).toThrow(DerError);
});

test('small integers are read in their only form', () => {
  expect([0, 1, 127].map((n) => smallInteger(Buffer.of(n)))).toEqual([0, 1, 127]);
  for (const bad of [[], [0x80], [0xff], [0, 1], [1, 0]])
    expect(() => smallInteger(Buffer.from(bad))).toThrow(DerError);
});

test.each([
  ['', 'nothing'],
  ['04', 'no length'],
  ['0405aa', 'less content than announced'],
  ['048101aa', 'a long form where the short one does'],
  ['04820001aa', 'a length with a leading zero'],
  ['0480aa0000', 'an indefinite length'],
  ['04847fffffff', 'a length of gigabytes'],
  ['0501aa', 'another tag'],
])('%j is refused: %s', (hex) => {
  expect(() => reader(hex).read(TAG.octetString)).toThrow(DerError);
});

test('bytes after the end are refused', () => {
  const list = reader('0401aa00');
  list.read(TAG.octetString);
  expect(() => list.end()).toThrow('after the end');
});

test('random bytes are read or refused, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const list = new DerReader(Buffer.from(bytes));
      try {
        while (!list.isAtEnd) {
          const { tag, content } = list.readAny();
          for (const parse of [isTrue, smallInteger, firstBits, (from: Buffer) => instantMs(tag, from)]) {
            try {
              parse(content);
            } catch (err) {
              expect(err).toBeInstanceOf(DerError);
            }
          }
        }
      } catch (err) {
        expect(err).toBeInstanceOf(DerError);
      }
    }),
    { ...SEEDED, numRuns: 3_000 },
  );
});

test('instants are read in both forms around the year 2050 and refused in any other', () => {
  const utc = (text: string) => instantMs(TAG.utcTime, Buffer.from(text));
  const generalized = (text: string) => instantMs(TAG.generalizedTime, Buffer.from(text));
  expect(utc('491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59));
  expect(utc('500101000000Z')).toBe(Date.UTC(1950, 0, 1));
  expect(generalized('20500101000000Z')).toBe(Date.UTC(2050, 0, 1));
  for (const bad of ['4912312359Z', '491231235959', '491231235959+0100', '490230000000Z', '491301000000Z', '']) {
    expect(() => utc(bad)).toThrow(DerError);
  }
  expect(() => instantMs(TAG.octetString, Buffer.from('20500101000000Z'))).toThrow(DerError);
  for (const bad of ['20500101000000', '20500101000000.5Z', '20500101240000Z']) {
    expect(() => generalized(bad)).toThrow(DerError);
  }
});

test('bits beyond the announced ones must be zero', () => {
  expect(firstBits(Buffer.of(5, 0xa0))).toBe(0xa0);
  for (const bad of [[], [0], [8, 0], [5, 0xa1]]) expect(() => firstBits(Buffer.from(bad))).toThrow(DerError);
});

test('identifiers of any size survive being written and read', () => {
  const arc = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
  fc.assert(
    fc.property(fc.nat(2), fc.nat(39), fc.array(arc, { maxLength: 3 }), (first, second, rest) => {
      const dotted = [first, second, ...rest].join('.');
      expect(decodeOid(encodeOid(dotted))).toBe(dotted);
    }),
    SEEDED,
  );
  expect(encodeOid('1.2.840.10045.4.3.2').toString('hex')).toBe('2a8648ce3d040302');
});

test.each(['', '80', '2a80', '2a8001', 'ff'.repeat(65)])('the bytes %j are no identifier', (hex) => {
  expect(decodeOid(Buffer.from(hex, 'hex'))).toBeUndefined();
});
