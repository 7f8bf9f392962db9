/** What a browser makes of patches is what the agent had. @module */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyPatch, diff, type Json } from '../../../agent/console/live/patch.ts';

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>;

test('a value and the difference to another make the other', () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      const [a, b] = [overTheWire(before), overTheWire(after)]; // without what JSON cannot say, such as -0
      expect(applyPatch(a, overTheWire(diff(a, b)))).toEqual(b);
    }),
    { numRuns: 1_000 },
  );
});

test('a value that changed in a few places is patched there alone, and the base stays as it was', () => {
  const rows = fc.array(fc.record({ id: fc.string(), rate: fc.integer(), marks: fc.array(fc.nat(3)) }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(rows, fc.nat(), fc.integer(), (before, pick, rate) => {
      const at = pick % before.length;
      const after = before.map((row, i) => (i === at ? { ...row, rate } : row));
      const frozen = overTheWire(before);
      const patch = diff(before, after);
      expect(patch).toEqual(before[at]!.rate === rate ? [] : [[[at, 'rate'], rate]]);
      const patched = applyPatch(before, patch) as typeof before;
      expect(patched).toEqual(after);
      expect(before).toEqual(frozen);
      for (const [i, row] of before.entries()) if (i !== at) expect(patched[i]).toBe(row);
    }),
  );
});

test('the names of prototypes are names like others', () => {
  const after = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}') as Json;
  const patched = applyPatch({ a: 1 }, overTheWire(diff({ a: 1 }, after)));
  expect(JSON.stringify(patched)).toBe(JSON.stringify(after));
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  expect(() => applyPatch({}, [[['__proto__', 'polluted'], true]])).toThrow(RangeError);
});

test('a patch of another base is refused', () => {
  expect(() => applyPatch({ a: 1 }, [[['nodes', 3, 'health'], 'bad']])).toThrow('nothing at nodes');
});

function overTheWire<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
