/** A layer behaves as the Map it stands for, and its base never changes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LayeredMap } from '../../gossip/layered-map.ts';

const key = fc.integer({ min: 0, max: 9 });
const change = fc.oneof(
  fc.record({ do: fc.constant('set' as const), key, value: fc.nat() }),
  fc.record({ do: fc.constant('delete' as const), key }),
);

test('a layer reads as a plain Map with the same changes, and leaves its base alone', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.nat())), fc.array(change), (entries, changes) => {
      const base = new Map(entries);
      const plain = new Map(entries);
      const layer = new LayeredMap(base);
      const above = new LayeredMap(layer);
      for (const one of changes) {
        if (one.do === 'set') {
          plain.set(one.key, one.value);
          layer.set(one.key, one.value);
        } else {
          expect(layer.delete(one.key)).toBe(plain.delete(one.key));
        }
      }
      for (const map of [layer, new LayeredMap(layer)]) {
        expect(map.size).toBe(plain.size);
        expect(new Map(map)).toEqual(plain);
        for (let i = 0; i < 10; i++) expect(map.get(i)).toBe(plain.get(i));
      }
      expect(base).toEqual(new Map(entries));
      expect(above.size).toBe(base.size);
    }),
  );
});
