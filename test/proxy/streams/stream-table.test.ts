/** The table of open streams against a Map, which is what it stands for. @module */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamTable } from '../../../proxy/streams/stream-table.ts';

const MAX_ID = 0x7fff_ffff;

test('does what a Map does, whatever comes and goes', () => {
  // Few numbers, so that they are met again; neighbours, odd ones, and some that share their lower bits.
  const id = fc.oneof(
    fc.integer({ min: 1, max: 60 }),
    fc.nat(40).map((n) => MAX_ID - n * 4_096),
  );
  const steps = fc.array(fc.tuple(fc.constantFrom('set', 'delete', 'get'), id), { maxLength: 400 });
  fc.assert(
    fc.property(steps, (moves) => {
      const table = new StreamTable<number>();
      const model = new Map<number, number>();
      for (const [at, [move, key]] of moves.entries()) {
        if (move === 'set') {
          table.set(key, at);
          model.set(key, at);
        } else if (move === 'delete') expect(table.delete(key)).toBe(model.delete(key));
        else expect(table.get(key)).toBe(model.get(key));
        expect(table.size).toBe(model.size);
      }
      const ordered = [...model].sort(([a], [b]) => a - b).map(([, value]) => value);
      expect(table.values()).toEqual(ordered);
      for (const [key, value] of model) expect(table.get(key)).toBe(value);
    }),
    { seed: 11, numRuns: 500 },
  );
});

test('a stream that stays open does not mind those that pass', () => {
  const table = new StreamTable<string>();
  table.set(1, 'long');
  let found = 0;
  for (let id = 2; id <= 100_000; id++) {
    table.set(id, 'short');
    if (table.get(1) === 'long' && table.delete(id)) found++;
  }
  expect(found).toBe(99_999);
  expect(table.values()).toEqual(['long']);
});

test('is empty once cleared, and takes streams again', () => {
  const table = new StreamTable<number>();
  for (let id = 1; id <= 1_000; id++) table.set(id, id);
  table.clear();
  expect([table.size, table.get(500), table.values()]).toEqual([0, undefined, []]);
  table.set(500, 1);
  expect([table.size, table.get(500)]).toEqual([1, 1]);
});
