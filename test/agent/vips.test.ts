import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VipAllocator } from '../../agent/vips.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-vips-'));
  file = join(directory, 'vips.json');
});
afterEach(() => rmSync(directory, { recursive: true }));

test('nodes that never met give a service the same addresses', () => {
  const here = new VipAllocator(file).vips('shop/cart');
  expect(new VipAllocator(join(directory, 'elsewhere.json')).vips('shop/cart')).toEqual(here);
  expect(here.map(isIP)).toEqual([4, 6]);
});

test('no two services share an address, and none is the first or last of the range', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 2_000 }), (ids) => {
      const allocator = new VipAllocator(file);
      const v4 = ids.map((id) => allocator.vips(id)[0]);
      expect(new Set(v4).size).toBe(ids.length);
      expect(v4).not.toContain('240.240.0.0');
      expect(v4).not.toContain('240.240.255.255');
    }),
    { numRuns: 20 },
  );
});

test('a choice made by collision survives a restart in which the services come in another order', async () => {
  const [first, second] = colliding();
  const before = new VipAllocator(file);
  const vips = [before.vips(first), before.vips(second)];
  await before.save();
  const after = new VipAllocator(file);
  expect([after.vips(second), after.vips(first)]).toEqual([vips[1], vips[0]]);
});

test('a damaged file costs nothing but the choices made by collision', () => {
  const expected = new VipAllocator(file).vips('shop/cart');
  for (const damage of ['{"shop/cart": 70000', '[]', '{"shop/cart": 70000, "x/y": -1, "a/b": "7"}', '']) {
    writeFileSync(file, damage);
    expect(new VipAllocator(file).vips('shop/cart')).toEqual(expected);
  }
});

test('a full range gives a new service no address, and the others keep theirs', () => {
  const allocator = new VipAllocator(file);
  for (let i = 0; i < 65_534; i++) allocator.vips(`shop/service-${i}`);
  expect(allocator.vips('shop/one-more')).toEqual([]);
  expect(allocator.vips('shop/service-0')).toHaveLength(2);
});

/** Two ids that hash to one address. */
function colliding(): [string, string] {
  const seen = new Map<string, string>();
  for (let i = 0; ; i++) {
    const id = `shop/service-${i}`;
    const v4 = new VipAllocator(file).vips(id)[0]!;
    const other = seen.get(v4);
    if (other !== undefined) return [other, id];
    seen.set(v4, id);
  }
}
