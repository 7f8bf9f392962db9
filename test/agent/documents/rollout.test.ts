/** Who takes a revision first, who waits for whom, and what holds it back. */
import '../../gossip/support/properties.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Said, Situation } from '../../../agent/documents/rollout.ts';
import { decide } from '../../../agent/documents/rollout.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i}`);
const applied: Said = { state: 'applied', isFirst: true, why: '' };
const rejected: Said = { state: 'rejected', isFirst: true, why: 'it is poison' };

function situation(changes: Partial<Situation>): Situation {
  const nothing = new Map<string, Said>();
  return { revision: 'r1', self: 'n0', members: names(100), said: nothing, ageMs: 0, patienceMs: 10_000, ...changes };
}

/** Those of the members that take it at once. */
function takers(members: readonly string[], changes: Partial<Situation> = {}): string[] {
  return members.filter((self) => {
    const decision = decide(situation({ self, members, ...changes }));
    return decision.kind === 'take' && decision.isFirst;
  });
}

test('a tenth of the nodes, at least one, takes a revision at once: the same ones whoever asks, others for each revision', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.string(), (count, revision) => {
      const first = takers(names(count), { revision });
      expect(first).toHaveLength(Math.max(1, Math.ceil(count / 10)));
      expect(takers(names(count).reverse(), { revision }).sort()).toEqual(first.sort());
    }),
    { numRuns: 50 },
  );
  const all = new Set(Array.from({ length: 20 }, (_, i) => takers(names(10), { revision: `r${i}` })[0]));
  expect(all.size).toBeGreaterThan(5);
});

test('a node alone is the first', () => {
  expect(decide(situation({ members: ['n0'] }))).toEqual({ kind: 'take', isFirst: true });
});

test('the others wait for all of these, and follow when all say that it works', () => {
  const members = names(20);
  const first = takers(members);
  const self = members.find((name) => !first.includes(name))!;
  expect(decide(situation({ self, members }))).toEqual({ kind: 'wait', for: expect.arrayContaining(first) });
  const half = new Map([[first[0]!, applied]]);
  expect(decide(situation({ self, members, said: half }))).toEqual({ kind: 'wait', for: [first[1]] });
  const all = new Map(first.map((name) => [name, applied]));
  expect(decide(situation({ self, members, said: all }))).toEqual({ kind: 'take', isFirst: false });
});

test('the others follow when some stay mute for longer than their patience', () => {
  const members = names(20);
  const self = members.find((name) => !takers(members).includes(name))!;
  expect(decide(situation({ self, members, ageMs: 9_999 })).kind).toBe('wait');
  expect(decide(situation({ self, members, ageMs: 10_000 }))).toEqual({ kind: 'take', isFirst: false });
});

test('what one of the first rejects is held back by all, the other first ones included', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 50 }), fc.nat(), (count, ageMs) => {
      const members = names(count);
      const [by, ...others] = takers(members) as [string, ...string[]];
      const said = new Map([[by, rejected], ...others.map((name): [string, Said] => [name, applied])]);
      for (const self of members.filter((name) => name !== by)) {
        expect(decide(situation({ self, members, said, ageMs }))).toEqual({ kind: 'hold', by, why: 'it is poison' });
      }
    }),
  );
});

test('what a node rejects that was not among the first holds nothing back, whatever it claims', () => {
  const members = names(100);
  const first = takers(members);
  const far = members.filter((name) => {
    const said = new Map([[name, rejected]]);
    const self = members.find((one) => one !== name && !first.includes(one))!;
    return decide(situation({ self, members, said })).kind !== 'hold';
  });
  expect(far.length).toBe(80); // the ten first and the next ten, which a slightly other view would choose, are believed
});

test('a member more or less moves the choice little enough that a rejection is still heard', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(), (count, away) => {
      const members = names(count);
      const fewer = members.filter((_, i) => i !== away % count);
      for (const by of takers(fewer)) {
        const said = new Map([[by, rejected]]);
        for (const self of members.slice(0, 5).filter((name) => name !== by)) {
          expect(decide(situation({ self, members, said })).kind).toBe('hold');
        }
      }
    }),
    { numRuns: 50 },
  );
});
