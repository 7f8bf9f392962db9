/** HPACK: the examples of RFC 7541, what we write read back, and blocks made to do harm. @module */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockBuffer } from '../../../proxy/http2/hpack/block-buffer.ts';
import { HpackDecoder } from '../../../proxy/http2/hpack/decoder.ts';
import { encodeField, encodePlace } from '../../../proxy/http2/hpack/encoder.ts';
import { HeaderList } from '../../../proxy/http2/hpack/header-list.ts';
import { BAD_HUFFMAN, decodeHuffman } from '../../../proxy/http2/hpack/huffman.ts';

const LIMITS = { maxHeadBytes: 8_192, maxFields: 64 };

type Fields = readonly (readonly [string, string])[];

function fieldsOf(list: HeaderList): Fields {
  return Array.from({ length: list.count }, (_, i) => [list.name(i), list.value(i)] as const);
}

/** Decodes blocks one after the other on one connection. */
function decodeAll(blocks: readonly Buffer[], tableBytes = 4_096): (Fields | undefined)[] {
  const decoder = new HpackDecoder(tableBytes);
  const list = new HeaderList(LIMITS);
  return blocks.map((block) => (decoder.decode(block, 0, block.length, list) ? fieldsOf(list) : undefined));
}

function encoded(fields: Fields): Buffer {
  const out = new BlockBuffer();
  for (const [i, [name, value]] of fields.entries()) {
    if (i % 2 === 0) encodeField(out, name, value, i % 3 === 0);
    else {
      const bytes = Buffer.from(`<${name.toUpperCase()}: ${value}>`, 'latin1');
      const nameEnd = name.length + 1;
      const place = { bytes, nameStart: 1, nameEnd, valueStart: nameEnd + 2, valueEnd: bytes.length - 1 };
      encodePlace(out, place, i % 3 === 0);
    }
  }
  return out.bytes.subarray(0, out.used);
}

const FIRST = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
] as const;
const THIRD = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/index.html'],
  [':authority', 'www.example.com'],
  ['custom-key', 'custom-value'],
] as const;
const RESPONSES = [
  [
    [':status', '302'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['location', 'https://www.example.com'],
  ],
  [
    [':status', '307'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['location', 'https://www.example.com'],
  ],
  [
    [':status', '200'],
    ['cache-control', 'private'],
    ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
    ['location', 'https://www.example.com'],
    ['content-encoding', 'gzip'],
    ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
] as const;

describe('the examples of RFC 7541', () => {
  test.each([
    [
      'C.3, without Huffman',
      [
        '828684410f7777772e6578616d706c652e636f6d',
        '828684be58086e6f2d6361636865',
        '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
      ],
    ],
    [
      'C.4, with Huffman',
      [
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        '828684be5886a8eb10649cbf',
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
      ],
    ],
  ])('requests %s', (_section, blocks) => {
    expect(decodeAll(blocks.map((hex) => Buffer.from(hex, 'hex')))).toEqual([
      FIRST,
      [...FIRST, ['cache-control', 'no-cache']],
      THIRD,
    ]);
  });

  test('responses C.6, whose table of 256 bytes evicts', () => {
    const blocks = [
      '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ];
    expect(
      decodeAll(
        blocks.map((hex) => Buffer.from(hex, 'hex')),
        256,
      ),
    ).toEqual(RESPONSES);
  });
});

const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
const fields = fc.array(
  fc.tuple(fc.oneof(token, fc.constantFrom(':path', 'cookie', ':status')), fc.stringMatching(/^[ -~]{0,300}$/)),
  {
    maxLength: 20,
  },
);

test('what is encoded is decoded again', () => {
  fc.assert(
    fc.property(fields, (list) => {
      expect(decodeAll([encoded(list)])).toEqual([list]);
    }),
  );
});

test('random blocks are refused or understood, and never read past their end', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 }), (blocks) => {
      decodeAll(blocks.map((block) => Buffer.from(block)));
    }),
  );
});

describe('what does harm', () => {
  test.each([
    ['an index of nothing', '80'],
    ['an index past both tables', 'be'],
    ['a string that is cut', '400a6375'],
    ['an integer without an end', 'ffffffffffffffff'],
    ['an integer beyond any length', '7fffffffff0f'],
    ['a table larger than allowed', '3fe2ff01'],
    ['a change of the table after a field', '8220'],
    ['padding of a whole byte', '408825a849e95ba97d7f8a25a849e95bb8e8b4bfff'],
    ['padding that is not ones', '008208' + '00' + '00'],
  ])('%s is refused', (_what, hex) => {
    expect(decodeAll([Buffer.from(hex, 'hex')])).toEqual([undefined]);
  });

  test('the end-of-string symbol is refused', () => {
    expect(decodeHuffman(Buffer.from('fffffffc', 'hex'), 0, 4, Buffer.alloc(9), 0)).toBe(BAD_HUFFMAN);
  });

  test('a block too large for its list costs that block alone: the table stays in step', () => {
    const kept = Buffer.concat([Buffer.from([0x40, 1, 0x61, 1, 0x62])]); // a: b, to the table
    const bomb = Buffer.concat([Buffer.alloc(2_000, 0xbe), Buffer.from([0x40, 1, 0x63, 1, 0x64])]); // 2,000 times it, and c: d
    const after = Buffer.from([0xbe, 0xbf]);
    const decoder = new HpackDecoder(4_096);
    const list = new HeaderList(LIMITS);
    expect(decoder.decode(kept, 0, kept.length, list)).toBe(true);
    expect(decoder.decode(bomb, 0, bomb.length, list)).toBe(true);
    expect([list.isOverfull, list.count]).toEqual([true, 0]);
    expect(decoder.decode(after, 0, after.length, list)).toBe(true);
    expect(fieldsOf(list)).toEqual([
      ['c', 'd'],
      ['a', 'b'],
    ]);
  });

  test('a field larger than the table empties it', () => {
    const kept = Buffer.from([0x40, 1, 0x61, 1, 0x62]);
    const huge = Buffer.concat([Buffer.from([0x40, 1, 0x63, 0x7f, 0xe1, 0x4d]), Buffer.alloc(10_080, 0x78)]);
    expect(decodeAll([kept, huge, Buffer.of(0xbe)])).toEqual([[['a', 'b']], [], undefined]);
  });
});
