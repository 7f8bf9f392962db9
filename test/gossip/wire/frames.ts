/** Frames for fuzzing: one of every kind as we send them, and what a hostile or broken peer makes of them. @module */
import type { Revision } from '../../../gossip/documents/revision.ts';
import type { Standing } from '../../../gossip/members/standing.ts';
import type { NodeRecord, RecordDelta } from '../../../gossip/records/record.ts';
import { encodeMessage } from '../../../gossip/wire/codec.ts';
import type { Message } from '../../../gossip/wire/messages.ts';

const signature = Buffer.alloc(71, 0x30);
const alive: Standing = { kind: 'alive', epoch: 1_790_000_000_000, inc: 2, signature };
const accusation = { by: 'n2', cause: 'silent' as const, signature };
const dead: Standing = { kind: 'dead', epoch: 1_790_000_000_000, inc: 2, accusations: [accusation, accusation] };
const meta = { schema: 1, address: '10.0.0.1:7946', chain: [Buffer.from('n1'), Buffer.alloc(60, 7)] };
const record: NodeRecord = {
  name: 'n1',
  epoch: 1_790_000_000_000,
  ver: 3,
  gcVer: 1,
  meta,
  entries: new Map([
    ['web/http', { ver: 2, value: Buffer.alloc(80, 9) }],
    ['cart/http', { ver: 3, value: null }],
  ]),
  signature,
};
const delta: RecordDelta = {
  name: 'n1',
  epoch: 1_790_000_000_000,
  from: 3,
  to: 4,
  gcVer: 1,
  meta,
  entries: [['web/http', 4, Buffer.alloc(40, 1)]],
  signature,
};
const revision: Revision = {
  kind: 'TrafficPolicy',
  namespace: 'shop',
  name: 'cart',
  number: 2,
  base: 'abcdef0123456789',
  hlc: { ms: 1_790_000_000_000, count: 1 },
  author: 'spiffe://test.example/operator/ops',
  body: Buffer.from('{}'),
  certificate: Buffer.alloc(100, 5),
  signature,
};
const page = { name: 'n1', standing: alive, record, delta: null };

export const MESSAGES: readonly Message[] = [
  { kind: 'ping', seq: 7, wallMs: 1_790_000_000_000, rttMs: 3 },
  { kind: 'ack', seq: 7, wallMs: 1_790_000_000_000 },
  { kind: 'ask', about: 'n1' },
  { kind: 'tell', about: 'n1', ageMs: null },
  { kind: 'suspect', about: 'n1', epoch: 1, inc: 2, accusation },
  { kind: 'veto', about: 'n1', epoch: 1, forMs: 1_500 },
  { kind: 'standing', name: 'n1', standing: dead },
  { kind: 'standing', name: 'n1', standing: { kind: 'left', epoch: 4, signature } },
  { kind: 'contest', lines: [{ name: 'n1', epoch: 4, inc: 2, rank: 1 }] },
  { kind: 'news', lines: [{ name: 'n1', epoch: 4, inc: 2, rank: 0 }] },
  { kind: 'hello', page },
  { kind: 'delta', delta, sentAtMs: 1_790_000_000_000 },
  { kind: 'pull', items: [{ name: 'n1', epoch: 1, ver: 2 }] },
  { kind: 'pages', pages: [page, { ...page, record: null, delta }] },
  { kind: 'ae-root', root: Buffer.alloc(8, 1), count: 3 },
  { kind: 'ae-equal' },
  { kind: 'ae-sums', sums: Buffer.alloc(2_048, 1), count: 3 },
  { kind: 'ae-digest', buckets: [1, 200], items: [{ name: 'n1', epoch: 1, ver: 2, inc: 3, rank: 1 }], answer: true },
  { kind: 'doc', revision },
  { kind: 'doc-have', items: [['TrafficPolicy/shop/cart', 'abcdef']] },
  { kind: 'doc-root', root: Buffer.alloc(8, 1), count: 3 },
  { kind: 'doc-equal' },
  { kind: 'doc-sums', sums: Buffer.alloc(2_048, 1), count: 3 },
  { kind: 'doc-digest', buckets: [4], items: [{ key: 'k/s/n', ms: 1, count: 0, set: 5, size: 1 }], answer: false },
  { kind: 'doc-pull', items: [{ key: 'k/s/n', known: ['abc'] }] },
  { kind: 'doc-pages', revisions: [revision], served: 1 },
];

/** A small generator whose runs depend on nothing but its seed (Mulberry32, public domain). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to `below` - 1. */
  nat(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.nat(list.length)]!;
  }
}

/** The heads of msgpack that change what follows most: arrays, strings and bytes of every length form, maps, extensions. */
const HEADS = [0x80, 0x90, 0x91, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc6, 0xc7, 0xca, 0xcb, 0xcf, 0xd3];
const MORE_HEADS = [...HEADS, 0xd4, 0xd9, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xff, 0x00, 0x7f];

/** One to four changes, of kinds that peers with bugs and peers with intent make. */
export function mangle(frame: Buffer, others: readonly Buffer[], chance: Chance): Buffer {
  let mangled: Buffer = Buffer.from(frame);
  for (let left = 1 + chance.nat(4); left > 0; left--) mangled = change(mangled, others, chance);
  return mangled;
}

function change(frame: Buffer, others: readonly Buffer[], chance: Chance): Buffer {
  const at = chance.nat(frame.length + 1);
  switch (chance.nat(9)) {
    case 0:
      return frame.subarray(0, at); // truncated
    case 1:
      return flip(frame, at, chance.nat(256));
    case 2:
      return flip(frame, at, chance.pick(MORE_HEADS)); // wrongly typed
    case 3:
      return Buffer.concat([frame.subarray(0, at), Buffer.of(chance.pick(MORE_HEADS)), frame.subarray(at)]);
    case 4:
      return Buffer.concat([frame.subarray(0, at), frame.subarray(at + 1 + chance.nat(8))]); // a hole
    case 5:
      return Buffer.concat([frame.subarray(0, at), Buffer.alloc(chance.nat(40), 0x91), frame.subarray(at)]); // nested
    case 6: {
      const other = chance.pick(others);
      return Buffer.concat([frame.subarray(0, at), other.subarray(chance.nat(other.length + 1))]);
    }
    case 7: // a length that promises more than comes
      return Buffer.concat([
        frame.subarray(0, at),
        Buffer.of(0xdd, 0xff, 0xff, chance.nat(256), 1),
        frame.subarray(at),
      ]);
    default: // a huge number
      return Buffer.concat([
        frame.subarray(0, at),
        Buffer.of(0xcf),
        Buffer.alloc(8, chance.nat(256)),
        frame.subarray(at),
      ]);
  }
}

function flip(frame: Buffer, at: number, byte: number): Buffer {
  if (at < frame.length) frame[at] = byte;
  return frame;
}

export function encoded(): Buffer[] {
  return MESSAGES.map((message) => Buffer.from(encodeMessage(message)));
}
