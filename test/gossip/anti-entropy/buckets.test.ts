import '../support/properties.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Buckets, bucketOf } from '../../../gossip/anti-entropy/buckets.ts';
import type { DigestItem } from '../../../gossip/wire/messages.ts';

const item: fc.Arbitrary<DigestItem> = fc.record({
  name: fc.stringMatching(/^n[0-9]{1,3}$/),
  epoch: fc.maxSafeNat(),
  ver: fc.nat(),
  inc: fc.nat(),
  rank: fc.nat(2),
});

function bucketsOf(items: readonly DigestItem[]): Buckets {
  const buckets = new Buckets();
  for (const one of items) buckets.put(one);
  return buckets;
}

test('the sums depend on what is held now, not on the way there', () => {
  fc.assert(
    fc.property(fc.array(item), fc.array(item), (first, last) => {
      const wandered = bucketsOf([...first, ...last]);
      for (const { name } of first) if (!last.some((one) => one.name === name)) wandered.remove(name);
      const straight = bucketsOf(
        last.toReversed().filter((one, i, all) => all.findIndex((o) => o.name === one.name) === i),
      );
      expect(wandered.root()).toEqual(straight.root());
      expect(wandered.sums()).toEqual(straight.sums());
      expect(wandered.count).toBe(straight.count);
    }),
  );
});

test('any difference in one item shows in the root and in exactly its bucket', () => {
  fc.assert(
    fc.property(fc.uniqueArray(item, { selector: ({ name }) => name, minLength: 1 }), fc.nat(4), (items, which) => {
      const [one] = items;
      const field = (['epoch', 'ver', 'inc', 'rank'] as const)[which];
      const changed = bucketsOf(items);
      if (field === undefined) changed.remove(one!.name);
      else changed.put({ ...one!, [field]: one![field] === 0 ? 1 : one![field] - 1 });
      const original = bucketsOf(items);
      expect(changed.root()).not.toEqual(original.root());
      expect(changed.differing(original.sums())).toEqual([bucketOf(one!.name)]);
    }),
  );
});

test('sums of the wrong length are no sums', () => {
  expect(bucketsOf([]).differing(new Uint8Array(7))).toEqual([]);
});
