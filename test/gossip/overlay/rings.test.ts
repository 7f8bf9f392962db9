import '../support/properties.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RingOrder, Rings } from '../../../gossip/overlay/rings.ts';
import { seededRandom } from '../support/world.ts';

const K = 4;
const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,8}$/), { minLength: 1, maxLength: 40 });

function ringsOf(self: string, members: readonly string[]): Rings {
  const rings = new Rings(self, K);
  for (const name of members) rings.add(name);
  return rings;
}

test('up to K + 1 members everybody watches everybody', () => {
  const members = ['a', 'b', 'c', 'd', 'e'];
  for (const self of members) {
    const rings = ringsOf(self, members);
    expect([...rings.subjects()].sort()).toEqual(members.filter((name) => name !== self));
    expect([...rings.observersOf('a')].sort()).toEqual(['b', 'c', 'd', 'e']);
  }
});

test('all nodes agree on who watches whom, whatever order they met in', () => {
  fc.assert(
    fc.property(names, fc.nat(), (members, shift) => {
      const views = members.map((self, i) => {
        const at = (shift + i) % members.length;
        return ringsOf(self, [...members.slice(at), ...members.slice(0, at)]);
      });
      for (const [i, watcher] of members.entries()) {
        for (const subject of members) {
          if (watcher === subject) continue;
          const watches = views[i]!.subjects().has(subject);
          expect(views[members.indexOf(subject)]!.observers().has(watcher)).toBe(watches);
          for (const view of views) expect(view.observersOf(subject).has(watcher)).toBe(watches);
        }
      }
    }),
    { numRuns: 25 },
  );
});

test('members that come and go leave the rings as if they had been built from those that stayed', () => {
  fc.assert(
    fc.property(names, fc.array(fc.nat()), (members, leaving) => {
      const [self, ...others] = members;
      const rings = ringsOf(self!, others);
      const gone = new Set(leaving.map((i) => others[i % Math.max(1, others.length)]));
      for (const name of gone) if (name !== undefined) rings.remove(name);
      const fresh = ringsOf(
        self!,
        others.filter((name) => !gone.has(name)),
      );
      expect(rings.subjects()).toEqual(fresh.subjects());
      expect(rings.observers()).toEqual(fresh.observers());
      expect(rings.size).toBe(fresh.size);
    }),
  );
});

test('in a large mesh a member has at most K observers, and nearly always about that many', () => {
  const members = Array.from({ length: 1_000 }, (_, i) => `node-${i}`);
  const rings = ringsOf('node-0', members);
  const counts = members.slice(1, 200).map((name) => rings.observersOf(name).size);
  expect(Math.max(...counts)).toBeLessThanOrEqual(K);
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(3);
});

test('rings that begin with an order computed elsewhere are those that learn the same members one by one', () => {
  const name = fc.stringMatching(/^[a-z]{1,3}$/);
  const change = fc.record({ name, isThere: fc.boolean() });
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 20 }), fc.array(change, { maxLength: 20 }), (names, changes) => {
      const known = new Rings('self', 4, new RingOrder([...names, 'self'], 4));
      const learned = new Rings('self', 4);
      for (const one of names) learned.add(one);
      for (const one of changes) {
        for (const rings of [known, learned]) {
          if (one.isThere) rings.add(one.name);
          else rings.remove(one.name);
        }
      }
      expect(known.subjects()).toEqual(learned.subjects());
      expect(known.observers()).toEqual(learned.observers());
      for (const one of ['zzzz', ...names]) expect(known.observersOf(one)).toEqual(learned.observersOf(one));
    }),
  );
});

test('members drawn at random are any of them, and none far more often than others', () => {
  const members = Array.from({ length: 200 }, (_, i) => `node-${i}`);
  const rings = new Rings('node-0', 8, new RingOrder(members.slice(0, 100), 8));
  for (const name of members) rings.add(name);
  const random = seededRandom(1);
  const counts = new Map<string, number>();
  for (let i = 0; i < 20_000; i++) {
    const name = rings.random(random)!;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  expect(counts.has('node-0')).toBe(false);
  expect(counts.size).toBe(199);
  expect(Math.max(...counts.values())).toBeLessThan(4 * 100);
});
