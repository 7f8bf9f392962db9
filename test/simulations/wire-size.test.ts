/** Sizes that are computed are those of the real codec. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Standing } from '../../gossip/members/standing.ts';
import { encodeMessage } from '../../gossip/wire/codec.ts';
import type { Message } from '../../gossip/wire/messages.ts';
import { payloadBytes } from '../../simulations/world/wire-size.ts';

const uint = fc.oneof(fc.nat(300), fc.nat(70_000), fc.maxSafeNat());
const name = fc.stringMatching(/^[a-z0-9-]{1,60}$/);
const bytes = fc.uint8Array({ maxLength: 300 });
const signature = fc.uint8Array({ maxLength: 128 });
const accusation = fc.record({ by: name, cause: fc.constantFrom('refused' as const, 'silent' as const), signature });
const standing: fc.Arbitrary<Standing> = fc.oneof(
  fc.record({ kind: fc.constant('alive' as const), epoch: uint, inc: uint, signature }),
  fc.record({ kind: fc.constant('left' as const), epoch: uint, signature }),
  fc.record({ kind: fc.constant('dead' as const), epoch: uint, inc: uint, accusations: fc.array(accusation) }),
);
const meta = fc.record({ schema: uint, address: name, chain: fc.array(bytes, { maxLength: 4 }) });
const entry = fc.tuple(name, uint, fc.option(bytes));
const delta = fc.record({
  name,
  epoch: uint,
  from: uint,
  to: uint,
  gcVer: uint,
  meta: fc.option(meta),
  entries: fc.array(entry, { maxLength: 20 }),
  signature,
});
const record = fc
  .record({ name, epoch: uint, ver: uint, gcVer: uint, meta, entries: fc.array(entry, { maxLength: 20 }), signature })
  .map((one) => ({ ...one, entries: new Map(one.entries.map(([key, ver, value]) => [key, { ver, value }])) }));
const page = fc.record({ name, standing, record: fc.option(record), delta: fc.option(delta) });
const line = fc.record({ name, epoch: uint, inc: uint, rank: fc.nat(2) });
const digestItem = fc.record({ name, epoch: uint, ver: uint, inc: uint, rank: fc.nat(2) });

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: fc.constantFrom('ping' as const, 'ack' as const), seq: uint }),
  fc.record({ kind: fc.constant('ask' as const), about: name }),
  fc.record({ kind: fc.constant('tell' as const), about: name, ageMs: fc.option(uint) }),
  fc.record({ kind: fc.constant('suspect' as const), about: name, epoch: uint, inc: uint, accusation }),
  fc.record({ kind: fc.constant('veto' as const), about: name, epoch: uint, forMs: uint }),
  fc.record({ kind: fc.constant('standing' as const), name, standing }),
  fc.record({ kind: fc.constantFrom('news' as const, 'contest' as const), lines: fc.array(line, { maxLength: 20 }) }),
  fc.record({ kind: fc.constant('hello' as const), page }),
  fc.record({ kind: fc.constant('delta' as const), delta }),
  fc.record({ kind: fc.constant('pull' as const), items: fc.array(fc.record({ name, epoch: uint, ver: uint })) }),
  fc.record({ kind: fc.constant('pages' as const), pages: fc.array(page, { maxLength: 5 }) }),
  fc.record({ kind: fc.constant('ae-root' as const), root: fc.uint8Array({ maxLength: 8 }), count: uint }),
  fc.record({ kind: fc.constant('ae-sums' as const), sums: fc.uint8Array({ maxLength: 2_048 }), count: uint }),
  fc.constant({ kind: 'ae-equal' as const }),
  fc.record({
    kind: fc.constant('ae-digest' as const),
    buckets: fc.array(fc.nat(255), { maxLength: 256 }),
    items: fc.array(digestItem, { maxLength: 40 }),
    answer: fc.boolean(),
  }),
);

test('a message is as large as it says, whatever is in it', () => {
  fc.assert(
    fc.property(message, (one) => {
      expect(payloadBytes(one)).toBe(encodeMessage(one).length);
    }),
    { numRuns: 2_000 },
  );
});
