import '../support/properties.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Standing } from '../../../gossip/members/standing.ts';
import type { Meta, NodeRecord, RecordDelta } from '../../../gossip/records/record.ts';
import { decodeMessage, encodeMessage } from '../../../gossip/wire/codec.ts';
import type { Message, Page } from '../../../gossip/wire/messages.ts';
import { KIND, LIMITS } from '../../../gossip/wire/messages.ts';
import { pack, unpackGuarded } from '../../../gossip/wire/pack.ts';

const name = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
const uint = fc.oneof(fc.nat(), fc.maxSafeNat());
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const signature = bytes(72);
const accusation = fc.record({ by: name, cause: fc.constantFrom('refused', 'silent', 'stalled'), signature });
const standing: fc.Arbitrary<Standing> = fc.oneof(
  fc.record({ kind: fc.constant('alive'), epoch: uint, inc: uint, signature }),
  fc.record({ kind: fc.constant('left'), epoch: uint, signature }),
  fc.record({
    kind: fc.constant('dead'),
    epoch: uint,
    inc: uint,
    accusations: fc.array(accusation, { maxLength: LIMITS.accusations }),
  }),
);
const meta: fc.Arbitrary<Meta> = fc.record({
  schema: uint,
  address: name,
  chain: fc.array(bytes(40), { maxLength: 4 }),
});
const value = fc.option(bytes(60));
const record: fc.Arbitrary<NodeRecord> = fc.record({
  name: fc.constant('n1'),
  epoch: uint,
  ver: uint,
  gcVer: uint,
  meta,
  entries: fc.array(fc.tuple(name, fc.record({ ver: uint, value }))).map((entries) => new Map(entries)),
  signature,
});
const delta: fc.Arbitrary<RecordDelta> = fc.record({
  name: fc.constant('n1'),
  epoch: uint,
  from: uint,
  to: uint,
  gcVer: uint,
  meta: fc.option(meta),
  entries: fc.array(fc.tuple(name, uint, value)),
  signature,
});
const page: fc.Arbitrary<Page> = fc.record({
  name: fc.constant('n1'),
  standing,
  record: fc.option(record),
  delta: fc.option(delta),
});
const item = fc.record({ name, epoch: uint, ver: uint });
const line = fc.record({ name, epoch: uint, inc: uint, rank: fc.nat(2) });
const digestItem = fc.record({ name, epoch: uint, ver: uint, inc: uint, rank: fc.nat(2) });
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: fc.constant('ping'), seq: uint, wallMs: uint, rttMs: uint }),
  fc.record({ kind: fc.constant('ack'), seq: uint, wallMs: uint }, { requiredKeys: ['kind', 'seq'] }),
  fc.record({ kind: fc.constant('ask'), about: name }),
  fc.record({ kind: fc.constant('tell'), about: name, ageMs: fc.option(uint) }),
  fc.record({ kind: fc.constant('suspect'), about: name, epoch: uint, inc: uint, accusation }),
  fc.record({ kind: fc.constant('veto'), about: name, epoch: uint, forMs: uint }),
  fc.record({ kind: fc.constant('standing'), name, standing }),
  fc.record({ kind: fc.constantFrom('news', 'contest'), lines: fc.array(line, { maxLength: 20 }) }),
  fc.record({ kind: fc.constant('hello'), page }),
  fc.record({ kind: fc.constant('delta'), delta, sentAtMs: uint }, { requiredKeys: ['kind', 'delta'] }),
  fc.record({ kind: fc.constant('pull'), items: fc.array(item, { maxLength: LIMITS.pullItems }) }),
  fc.record({ kind: fc.constant('pages'), pages: fc.array(page, { maxLength: 5 }) }),
  fc.record({ kind: fc.constant('ae-root'), root: bytes(8), count: uint }),
  fc.record({ kind: fc.constant('ae-sums'), sums: bytes(2048), count: uint }),
  fc.record({ kind: fc.constant('ae-equal') }),
  fc.record({
    kind: fc.constant('ae-digest'),
    buckets: fc.array(fc.nat(255), { maxLength: 256 }),
    items: fc.array(digestItem),
    answer: fc.boolean(),
  }),
) as fc.Arbitrary<Message>;

describe('messages', () => {
  test('of every kind come back as they went', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
      }),
    );
  });

  test('that are cut short or changed in any byte are read or refused, and never throw', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(255), fc.nat(), (sent, at, byte, cut) => {
        const frame = Buffer.from(encodeMessage(sent));
        frame[at % frame.length] = byte;
        decodeMessage(frame);
        decodeMessage(frame.subarray(0, cut % (frame.length + 1)));
      }),
      { numRuns: 2_000 },
    );
  });

  test('made of random bytes are refused or read, and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (frame) => void decodeMessage(frame)),
      { numRuns: 5_000 },
    );
  });

  test('of random values in the right places are refused or read, and never throw', () => {
    const anything = fc.anything({ withNullPrototype: false, withDate: false, withBigInt: false, maxDepth: 3 });
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(KIND)), fc.array(anything), (kind, fields) => {
        let frame: Uint8Array;
        try {
          frame = pack([kind, ...fields]);
        } catch {
          return; // fast-check made something msgpack cannot say
        }
        decodeMessage(frame);
      }),
      { numRuns: 2_000 },
    );
  });

  test('with fields of a newer agent at the end are read without them, and unknown kinds are dropped', () => {
    expect(decodeMessage(pack([KIND.ask, 'a', 'newer', ['still', 'newer']]))).toEqual({ kind: 'ask', about: 'a' });
    expect(decodeMessage(pack([KIND.ping, 7]))).toEqual({ kind: 'ping', seq: 7 }); // an older one does not say the time
    expect(decodeMessage(pack([200, 7]))).toBeUndefined();
  });

  test('that speak of one node and carry the record of another are refused', () => {
    const foreign = fc.sample(record, 1)[0]!;
    const alive: Standing = { kind: 'alive', epoch: 1, inc: 0, signature: Buffer.alloc(1) };
    const sent: Message = { kind: 'hello', page: { name: 'n2', standing: alive, record: foreign, delta: null } };
    expect(decodeMessage(encodeMessage(sent))).toBeUndefined();
  });

  test.each<[string, unknown[]]>([
    ['a negative number', [KIND.ping, -1]],
    ['a fraction', [KIND.ping, 1.5]],
    ['a name that is empty', [KIND.ask, '']],
    ['a name with a line break, which could forge a statement', [KIND.ask, 'a\nb']],
    ['a name that is too long', [KIND.ask, 'x'.repeat(LIMITS.nameLength + 1)]],
    ['more pull items than allowed', [KIND.pull, Array.from({ length: LIMITS.pullItems + 1 }, () => ['a', 1, 1])]],
    ['a bucket above 255', [KIND['ae-digest'], [256], [], true]],
    ['a missing field', [KIND.veto, 'a', 1]],
  ])('with %s are refused', (_, fields) => {
    expect(decodeMessage(pack(fields))).toBeUndefined();
  });
});

describe('bytes of a hostile peer', () => {
  test.each<[string, Buffer]>([
    ['an array of four billion elements', Buffer.from('ddffffffff', 'hex')],
    ['an array of more elements than bytes follow', Buffer.from('dc00050101', 'hex')],
    ['a string of four billion bytes', Buffer.from('dbffffffff', 'hex')],
    ['a hundred thousand nested arrays', Buffer.alloc(100_000, 0x91)],
    ['a map', Buffer.from('81a16101', 'hex')],
    ['an extension type', Buffer.from('d40001', 'hex')],
    ['the byte msgpack never uses', Buffer.from('c1', 'hex')],
    ['two values', Buffer.from('0101', 'hex')],
    ['nothing', Buffer.alloc(0)],
  ])('that spell %s are refused before they are unpacked', (_, frame) => {
    expect(unpackGuarded(frame)).toBeUndefined();
  });

  test('are walked exactly as far as msgpackr would read them', () => {
    const plain = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', maxDepth: 5 },
        fc.integer(),
        fc.double({ noNaN: true }).map((number) => number + 0), // msgpack may drop the sign of zero
        fc.boolean(),
        fc.constant(null),
        fc.string(),
        fc.uint8Array().map((array) => Buffer.from(array)),
        fc.array(tie('value')),
      ),
    })).value;
    fc.assert(
      fc.property(plain, (value) => {
        expect(unpackGuarded(pack(value))).toEqual(value);
      }),
    );
  });
});
