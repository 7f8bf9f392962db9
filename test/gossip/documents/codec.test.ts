/** Documents on the wire: what is sent is what arrives, and what is no document does not arrive at all. */
import { MAX_HELD } from '../../../gossip/documents/chain.ts';
import '../support/properties.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeMessage, encodeMessage } from '../../../gossip/wire/codec.ts';
import type { Message } from '../../../gossip/wire/messages.ts';
import { LIMITS, laneOf } from '../../../gossip/wire/messages.ts';
import { pack } from '../../../gossip/wire/pack.ts';
import { revision } from './replicas.ts';

const first = revision({ text: '{"a":1}' });
const gone = revision({ base: first, text: null });
const id = first.id;
const key = 'AccessPolicy/shop/web';

const MESSAGES: readonly Message[] = [
  { kind: 'doc', revision: gone.revision },
  { kind: 'doc-have', items: [[key, id]] },
  { kind: 'doc-root', root: Buffer.alloc(8, 1), count: 7 },
  { kind: 'doc-equal' },
  { kind: 'doc-sums', sums: Buffer.alloc(2048, 2), count: 7 },
  { kind: 'doc-digest', buckets: [0, 255], items: [{ key, ms: 1, count: 2, set: 3, size: 4 }], answer: true },
  { kind: 'doc-pull', items: [{ key, known: [id, gone.id] }] },
  { kind: 'doc-pages', revisions: [first.revision, gone.revision], served: 1 },
];

/** Bytes as msgpack gives them back. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

test.each(MESSAGES)('$kind arrives as it was sent, beside the pings', (message) => {
  expect(plain(decodeMessage(encodeMessage(message)))).toEqual(plain(message));
  expect(laneOf(message.kind)).toBe('bulk');
});

test.each(MESSAGES)('$kind with anything cut off or changed is no message or a well-formed one', (message) => {
  const bytes = encodeMessage(message);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, byte, isCut) => {
      const changed = isCut ? bytes.slice(0, at) : Uint8Array.from(bytes);
      if (!isCut) changed[at] = byte;
      const decoded = decodeMessage(changed); // must not throw
      if (isCut) expect(decoded).toBeUndefined();
      if (decoded !== undefined) encodeMessage(decoded);
    }),
  );
});

test('a newer agent may add fields to a message', () => {
  expect(decodeMessage(pack([32, Buffer.alloc(8), 1, 'new', [1]]))).toMatchObject({ kind: 'doc-root', count: 1 });
});

test('more than a message may hold is refused before anybody looks at it', () => {
  const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
  expect(decodeMessage(pack([31, many(LIMITS.documentPulls + 1, [key, id])]))).toBeUndefined();
  expect(decodeMessage(pack([36, [[key, many(MAX_HELD + 1, id)]]]))).toBeUndefined();
  expect(decodeMessage(pack([35, [], many(LIMITS.documentDigests + 1, [key, 1, 1, 1, 1]), true]))).toBeUndefined();
  expect(decodeMessage(pack([36, [['k'.repeat(400), []]]]))).toBeUndefined();
});
