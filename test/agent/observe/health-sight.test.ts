import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Health } from '../../../agent/console/shapes/common.ts';
import { type Fares, HealthSight, LOOK_MS } from '../../../agent/observe/health-sight.ts';
import { isWatcher } from '../../../agent/observe/health-watch.ts';

const HEALTH: Readonly<Record<string, Health>> = { o: 'ok', w: 'warn', b: 'bad', q: 'quiet', '?': 'unknown' };

function fares(health: Health, service = 'shop/cart'): Fares {
  return { service, health, cause: `it is ${health}` };
}

/** @param looks a letter each, 10 s apart. @returns `seconds title` */
function told(looks: string, sight = new HealthSight(), fromMs = 0): string[] {
  return [...looks].flatMap((letter, i) => {
    const found = sight.look(fromMs + i * LOOK_MS, [fares(HEALTH[letter]!)]);
    return found.map(({ what, atMs }) => `${(atMs - fromMs) / 1_000} ${what.title}`);
  });
}

describe('a change of health', () => {
  test.each([
    ['oob', []],
    ['oobb', ['20 shop/cart is bad']],
    ['ob?b', ['10 shop/cart is bad']],
    ['wbw', ['0 shop/cart warns']],
    ['wwbb', ['0 shop/cart warns', '20 shop/cart is bad']],
    [`bb${'o'.repeat(11)}`, ['0 shop/cart is bad']],
    [`bb${'o'.repeat(12)}`, ['0 shop/cart is bad', '20 shop/cart is well again']],
    [`bb${'ow'.repeat(6)}`, ['0 shop/cart is bad', '20 shop/cart warns']],
    [`bb${'o'.repeat(11)}b${'o'.repeat(12)}`, ['0 shop/cart is bad', '140 shop/cart is well again']],
    [`bb${'q'.repeat(59)}`, ['0 shop/cart is bad']],
    [`bb${'q'.repeat(60)}`, ['0 shop/cart is bad', '20 shop/cart is well again']],
    ['?'.repeat(99), []],
  ])('of looks %s is told as %j', (looks, events) => expect(told(looks)).toEqual(events));

  test('says how it was before, and why', () => {
    const sight = new HealthSight();
    told('bb', sight);
    const looks = Array.from({ length: 12 }, (_, i) => sight.look((i + 2) * LOOK_MS, [fares('ok')]));
    expect(looks.flat().map(({ what }) => [what.detail, what.touches])).toEqual([
      ['bad for 1 min; it is ok', ['shop/cart']],
    ]);
  });

  test('goes on from what was told before', () => {
    const before = [
      { title: 'shop/cart is well again', atMs: 1 },
      { title: 'shop/cart is bad', atMs: 2 },
      { title: 'health of 3 more services changed', atMs: 3 },
    ];
    expect(told('bbb', new HealthSight(before), 60_000)).toEqual([]);
    expect(told('o'.repeat(12), new HealthSight(before), 60_000)).toEqual(['0 shop/cart is well again']);
  });

  test('that comes over and over is said once, and again when it keeps still', () => {
    const cycle = `bb${'o'.repeat(12)}`;
    const events = told(cycle.repeat(12) + 'o'.repeat(91));
    const titles = events.map((event) => event.slice(event.indexOf(' ') + 1));
    const [bad, well] = ['shop/cart is bad', 'shop/cart is well again'];
    expect(titles).toEqual([bad, well, bad, well, 'shop/cart wavers', well]);
  });

  test('comes at most five times in half an hour, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...'obwq?'), { minLength: 1, maxLength: 600 }), (looks) => {
        const at = told(looks.join('')).map((event) => Number(event.split(' ')[0]));
        for (const first of at) {
          expect(at.filter((seconds) => seconds >= first && seconds < first + 1_680).length).toBeLessThanOrEqual(6);
        }
      }),
      { seed: 7, numRuns: 50 },
    );
  });

  test('of a whole mesh is told of the worst, and of how many more', () => {
    const sight = new HealthSight();
    const all = Array.from({ length: 50 }, (_, i) => fares(i < 10 ? 'bad' : 'warn', `shop/s${i}`));
    sight.look(0, all);
    const events = sight.look(LOOK_MS, all).map(({ what }) => what);
    expect(events).toHaveLength(21);
    expect(events.slice(0, 10).every(({ title }) => title.endsWith('is bad'))).toBe(true);
    expect(events[20]).toMatchObject({ title: 'health of 30 more services changed' });
    expect(sight.look(2 * LOOK_MS, all)).toEqual([]);
  });
});

test('the first two nodes by name that are alive watch, and whoever sees nobody', () => {
  const members = [
    { name: 'c', state: 'alive' as const },
    { name: 'a', state: 'dead' as const },
    { name: 'b', state: 'alive' as const },
    { name: 'd', state: 'alive' as const },
  ];
  expect(['a', 'b', 'c', 'd'].filter((name) => name !== 'a' && isWatcher(name, members))).toEqual(['b', 'c']);
  expect(isWatcher('z', [])).toBe(true);
});
