import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Answer,
  RCODE,
  readQuery,
  TYPE,
  udpLimit,
  writeAnswer,
  writeFailure,
} from '../../../proxy/dns/message.ts';
import { query } from './support.ts';

const seed = 7;

test('a query is read: id, name in lower case, type, class, EDNS', () => {
  const read = readQuery(query('WEB.shop.Weft', { id: 0xbeef, type: 28, edns: 1_400 }))!;
  expect(read).toMatchObject({
    id: 0xbeef,
    labels: ['web', 'shop', 'weft'],
    type: 28,
    class: 1,
    isRecursionDesired: true,
  });
  expect(read.edns).toEqual({ version: 0, udpBytes: 1_400 });
  expect(read.question.toString('latin1')).toContain('WEB'); // as it came
  expect(read.isMalformed).toBe(false);
});

test.for([
  ['too short', Buffer.alloc(11)],
  ['a response', alter(query('a.b.weft'), 2, 0x80)],
  ['another opcode', alter(query('a.b.weft'), 2, 0x28)],
  ['two questions', alter(query('a.b.weft'), 5, 2)],
  ['a name that points to itself', Buffer.concat([query('').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])])],
  ['a name without an end', query('a.b.weft').subarray(0, 20)],
  ['a name without a type', query('a.b.weft').subarray(0, 23)],
  ['a name of 256 bytes', query(Array(128).fill('a').join('.'))],
] as const)('%s is not read', ([, message]) => {
  expect(readQuery(message)).toBeUndefined();
});

test.for([
  ['an answer inside', alter(query('a.b.weft'), 7, 1)],
  ['bytes after the end', Buffer.concat([query('a.b.weft'), Buffer.from([0])])],
  ['more records than bytes', alter(query('a.b.weft'), 11, 1)],
  ['five additional records', alter(query('a.b.weft', { edns: 512 }), 11, 5)],
] as const)('a query with %s is malformed', ([, message]) => {
  expect(readQuery(message)!.isMalformed).toBe(true);
});

test.for([
  [undefined, 512],
  [100, 512],
  [1_000, 1_000],
  [65_535, 1_232],
] as const)('a client that announces %s may be sent %i bytes', ([edns, bytes]) => {
  expect(udpLimit(readQuery(query('a.b.weft', edns === undefined ? {} : { edns }))!)).toBe(bytes);
});

test('an answer repeats the question letter for letter and points to its name', () => {
  const answer: Answer = { rcode: RCODE.NOERROR, answers: [address(1, 2, 3, 4)], authority: [] };
  const bytes = writeAnswer(readQuery(query('wEb.a.weft', { id: 0x0102 }))!, answer, 512);
  expect(bytes.toString('hex')).toBe(
    '0102' +
      '8580' +
      '0001000100000000' +
      '037745620161047765667400' +
      '00010001' +
      'c00c' +
      '0001' +
      '0001' +
      '00000005' +
      '0004' +
      '01020304',
  );
});

test('an answer that does not fit is cut between records, and says so', () => {
  const asked = readQuery(query('web.shop.weft'))!;
  const answers = Array.from({ length: 100 }, (_, index) => address(10, 0, 0, index));
  const bytes = writeAnswer(asked, { rcode: RCODE.NOERROR, answers, authority: [] }, 512);
  expect(bytes.length).toBeLessThanOrEqual(512);
  expect(bytes[2]! & 0x02).toBe(0x02); // TC
  expect(bytes.readUInt16BE(6)).toBe(Math.floor((512 - 12 - asked.question.length) / 16));
  const whole = writeAnswer(asked, { rcode: RCODE.NOERROR, answers, authority: [] }, 65_535);
  expect(whole[2]! & 0x02).toBe(0);
  expect(whole.readUInt16BE(6)).toBe(100);
});

test('the upper bits of an rcode go into the EDNS record', () => {
  const bytes = writeAnswer(
    readQuery(query('a.b.weft', { edns: 512 }))!,
    { rcode: RCODE.BADVERS, answers: [], authority: [] },
    512,
  );
  expect(bytes[3]! & 0xf).toBe(0);
  expect(bytes.subarray(-11).toString('hex')).toBe('00002904d0010000000000');
});

test('a failure to pass on is SERVFAIL without authority, and nothing is said to what is no query', () => {
  const failure = writeFailure(query('example.org', { id: 9 }))!;
  expect(failure.readUInt16BE(0)).toBe(9);
  expect(failure.readUInt16BE(2)).toBe(0x8182);
  expect(writeFailure(Buffer.from('something else entirely'))).toBeUndefined();
});

test('any query written is read back, and no bytes make the reader throw', () => {
  const label = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_'), minLength: 1, maxLength: 20 });
  const names = fc.array(label, { maxLength: 8 });
  fc.assert(
    fc.property(names, fc.nat(0xffff), fc.nat(0xffff), (labels, id, type) => {
      const read = readQuery(query(labels.join('.'), { id, type }))!;
      expect(read).toMatchObject({ id, type, labels: labels.map((text) => text.toLowerCase()), isMalformed: false });
    }),
    { seed },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void readQuery(Buffer.from(bytes))),
    { seed },
  );
  fc.assert(
    fc.property(
      fc.nat(40),
      fc.nat(255),
      (at, value) => void readQuery(alter(query('web.shop.weft', { edns: 512 }), at, value)),
    ),
    { seed },
  );
});

function alter(message: Buffer, at: number, value: number): Buffer {
  const altered = Buffer.from(message);
  altered[at % altered.length] = value;
  return altered;
}

function address(...bytes: number[]): Answer['answers'][number] {
  return { type: TYPE.A, ttlS: 5, data: Buffer.from(bytes) };
}
