/** Which endpoints traffic goes to: near ones, well ones, old ones, those of a subset. Every draw is seeded. @module */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nearness, shares } from '../../../proxy/resilience/locality.ts';
import { EndpointPicker, type Pickable, type PickerSettings } from '../../../proxy/resilience/picker.ts';
import { SharedTable } from '../../../proxy/resilience/shared-table.ts';
import { isInSubset, subsetNames } from '../../../proxy/resilience/subsets.ts';
import { warmth } from '../../../proxy/resilience/warm-up.ts';
import { chooser } from '../balancer/support.ts';
import { fail, OUTLIERS, type Placed, pickable, SETTINGS } from './support.ts';

const HERE = { node: 'n0', zone: 'eu/a' };
const NEAR: PickerSettings = { ...SETTINGS, locality: { mode: 'nearest', spillBelowRatio: 0.7 } };

interface Setting {
  readonly table: SharedTable;
  readonly endpoints: Pickable[];
  readonly picker: EndpointPicker<Pickable>;
}

function setting(placed: readonly Placed[], settings: PickerSettings = SETTINGS, subset?: string): Setting {
  const table = SharedTable.alone(256);
  const endpoints = placed.map((one) => pickable(table, one));
  const picker = new EndpointPicker<Pickable>({ table, here: HERE, settings, subset });
  picker.update(endpoints, 0);
  return { table, endpoints, picker };
}

function named(count: number, name = 'e', rest: Omit<Placed, 'id'> = {}): Placed[] {
  return Array.from({ length: count }, (_, i) => ({ id: `${name}${i}`, ...rest }));
}

/** What part of the picks each gets, by a part of its name. */
function parts(picker: EndpointPicker<Pickable>, nowMs: number, nameOf = (name: string) => name, count = 20_000) {
  const by = chooser();
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    by.key = Math.floor(by.random() * 2 ** 32);
    const name = nameOf(picker.pick(by, [], nowMs)!.name);
    counts[name] = (counts[name] ?? 0) + 1 / count;
  }
  return counts;
}

const letter = (name: string): string => name[0]!;

describe('locality', () => {
  test('is told from node, zone and region, and from nothing else', () => {
    const from = (node: string, zone: string): number => nearness(HERE, { node, zone });
    expect([from('n0', ''), from('n1', 'eu/a'), from('n1', 'eu/b'), from('n1', 'us/a'), from('n1', '')]).toEqual([
      0, 1, 2, 3, 3,
    ]);
    expect(nearness({ node: 'a', zone: 'x' }, { node: 'b', zone: 'x' })).toBe(1);
    expect(nearness({ node: 'a', zone: 'x' }, { node: 'b', zone: 'y' })).toBe(3);
    expect(nearness({ node: 'a' }, { node: 'b' })).toBe(3);
  });

  test('shares add up, and no level that is as well as a nearer one asks for takes any', () => {
    const level = fc.tuple(fc.nat(20), fc.nat(20)).map(([well, ill]) => ({ well, all: well + ill }));
    fc.assert(
      fc.property(
        fc.array(level, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (levels, ratio) => {
          const taken = shares(levels, { spillBelowRatio: ratio });
          const sum = taken.reduce((all, share) => all + share, 0);
          expect(sum).toBeCloseTo(levels.some(({ well }) => well > 0) ? 1 : 0);
          const enough = levels.findIndex(({ well, all }) => well > 0 && well / all >= ratio);
          if (enough !== -1) expect(taken.slice(enough + 1).every((share) => share < 1e-9)).toBe(true);
        },
      ),
      { seed: 7 },
    );
  });

  test('traffic stays near while seven of ten are well, and below that what they lack spills over', () => {
    const zones = [...named(10, 'a', { zone: 'eu/a' }), ...named(10, 'b', { zone: 'eu/b' })];
    const { endpoints, picker } = setting(zones, NEAR);
    expect(parts(picker, 0, letter)).toEqual({ a: expect.closeTo(1) });
    const near = endpoints.slice(0, 10);
    for (const ill of near.slice(0, 3)) fail(ill, endpoints, 1_000);
    expect(parts(picker, 1_000, letter)).toEqual({ a: expect.closeTo(1) });
    for (const ill of near.slice(3, 5)) fail(ill, endpoints, 1_000);
    const spilt = parts(picker, 1_000, letter);
    expect(spilt.a).toBeCloseTo(0.5 / 0.7, 1);
    expect(spilt.b).toBeCloseTo(1 - 0.5 / 0.7, 1);
    expect(Object.keys(parts(picker, 1_000))).toHaveLength(15);
  });

  test('those of this node come before those of its zone, and with nobody near the next are taken', () => {
    const far: Placed[] = [
      { id: 'zone', zone: 'eu/a' },
      { id: 'region', zone: 'eu/b' },
      { id: 'away', zone: 'us/a' },
    ];
    const { picker } = setting([{ id: 'node', node: 'n0' }, ...far], NEAR);
    expect(parts(picker, 0)).toEqual({ node: expect.closeTo(1) });
    expect(parts(setting(far, NEAR).picker, 0)).toEqual({ zone: expect.closeTo(1) });
    expect(parts(setting(far.slice(1), NEAR).picker, 0)).toEqual({ region: expect.closeTo(1) });
  });

  test('a node that does not answer, with weight 0, is no reason to stay near', () => {
    const { picker } = setting([{ id: 'mute', node: 'n0', weight: 0 }, { id: 'away' }], NEAR);
    expect(parts(picker, 0)).toEqual({ away: expect.closeTo(1) });
    const { picker: mute } = setting([{ id: 'mute', node: 'n0', weight: 0 }], NEAR);
    expect(parts(mute, 0)).toEqual({ mute: expect.closeTo(1) });
  });

  test('a request that failed near goes on further away, until nobody is left', () => {
    const { picker, endpoints } = setting(
      [{ id: 'node', node: 'n0' }, { id: 'zone', zone: 'eu/a' }, { id: 'away' }],
      NEAR,
    );
    const [node, zone, away] = endpoints;
    const by = chooser();
    expect(picker.pick(by, [node!], 0)).toBe(zone);
    expect(picker.pick(by, [node!, zone!], 0)).toBe(away);
    expect(picker.pick(by, [node!, zone!, away!], 0)).toBeUndefined();
  });

  test.each(['ring-hash', 'maglev'] as const)(
    'by %s the same caller stays where it is, also while traffic spills',
    (name) => {
      const zones = [...named(4, 'a', { zone: 'eu/a' }), ...named(4, 'b', { zone: 'eu/b', state: 'ready' })];
      const ill = zones.map((one, i) => (i < 2 ? { ...one, state: 'unready' as const } : one));
      const { picker } = setting(ill, { ...NEAR, balancer: { name } });
      const by = chooser();
      const seen = new Set<string>();
      for (let caller = 0; caller < 200; caller++) {
        by.key = Math.imul(caller, 0x9e3779b1) >>> 0;
        const first = picker.pick(by, [], 0)!.name;
        seen.add(letter(first));
        for (let i = 0; i < 5; i++) expect(picker.pick(by, [], 0)!.name).toBe(first);
      }
      expect(seen).toEqual(new Set(['a', 'b']));
    },
  );
});

describe('ejection', () => {
  test('an ejected endpoint gets one request when its time is over, and its share when that is answered', () => {
    const { endpoints, picker } = setting(named(4));
    const ill = endpoints[0]!;
    fail(ill, endpoints, 1_000);
    expect(parts(picker, 1_000).e0).toBeUndefined();
    const probes = parts(picker, 6_000, undefined, 1_000).e0;
    expect(probes).toBeCloseTo(1 / 1_000);
    ill.health.observe(
      'good',
      6_000,
      6_001,
      OUTLIERS,
      endpoints.map(({ health }) => health),
    );
    expect(parts(picker, 6_002).e0).toBeCloseTo(0.25, 1);
  });

  test('a repeat is never the request that decides', () => {
    const { endpoints, picker } = setting(named(3));
    fail(endpoints[0]!, endpoints, 1_000);
    const by = chooser();
    for (let i = 0; i < 20; i++) expect(picker.pick(by, [endpoints[1]!], 6_000)).toBe(endpoints[2]);
    expect(picker.pick(by, [], 6_000)).toBe(endpoints[0]);
  });

  test('where outliers are off, nobody is left out', () => {
    const { endpoints, picker } = setting(named(4), { ...SETTINGS, outliers: 'off' });
    fail(endpoints[0]!, endpoints, 1_000);
    expect(parts(picker, 1_000).e0).toBeCloseTo(0.25, 1);
  });
});

describe('panic', () => {
  test('below the ratio all are used again, and it says so', () => {
    const all = { ...OUTLIERS, maxEjectedRatio: 1 };
    const { endpoints, picker } = setting(named(4), { ...SETTINGS, outliers: all });
    for (const ill of endpoints.slice(0, 2)) fail(ill, endpoints, 1_000, all);
    expect(Object.keys(parts(picker, 1_000))).toHaveLength(2);
    expect(picker.isPanicking).toBe(false);
    fail(endpoints[2]!, endpoints, 1_000, all);
    expect(Object.keys(parts(picker, 1_000))).toHaveLength(4);
    expect([picker.isPanicking, picker.usable, picker.ready]).toEqual([true, 1, 4]);
  });

  test('at ratio 0 the last one serves alone, and all where there is none', () => {
    const calm = { ...SETTINGS, panicRatio: 0, outliers: { ...OUTLIERS, maxEjectedRatio: 1 } };
    const { endpoints, picker } = setting(named(3), calm);
    for (const ill of endpoints) fail(ill, endpoints, 1_000, calm.outliers);
    expect(Object.keys(parts(picker, 1_000))).toHaveLength(1);
    for (const { health } of endpoints) health.suspectedBy(2);
    expect(Object.keys(parts(picker, 1_000))).toHaveLength(3);
  });
});

describe('warm-up', () => {
  const warmUp = { durationMs: 10_000, minPercent: 10, aggression: 1 };

  test('a new endpoint begins with a tenth of its share and has all of it at the end', () => {
    const { endpoints, picker } = setting(named(4), { ...SETTINGS, warmUp });
    for (const [i, { health }] of endpoints.entries()) health.firstSeen(1_000, i === 0);
    picker.update(endpoints, 1_000);
    expect(parts(picker, 1_000).e0).toBeCloseTo(0.1 / 3.1, 2);
    expect(parts(picker, 6_000).e0).toBeCloseTo(0.5 / 3.5, 2);
    expect(parts(picker, 11_000).e0).toBeCloseTo(0.25, 1);
  });

  test('by peak-EWMA it gets no more than that either', () => {
    const { endpoints, picker } = setting(named(4), { ...SETTINGS, warmUp, balancer: { name: 'peak-ewma' } });
    for (const [i, { health, latency }] of endpoints.entries()) {
      health.firstSeen(1_000, i === 0);
      latency.observe(10, 1_000);
    }
    picker.update(endpoints, 1_000);
    expect(parts(picker, 1_000).e0).toBeLessThan(0.1);
  });

  test('grows in a straight line, or slower at first', () => {
    expect([0, 5_000, 9_000, 10_000].map((ageMs) => warmth(ageMs, warmUp))).toEqual([0.1, 0.5, 0.9, 1]);
    expect(warmth(5_000, { ...warmUp, aggression: 2 })).toBe(0.25);
  });
});

describe('subsets', () => {
  const versions = [...named(2, 'a', { version: 'v1' }), ...named(2, 'b', { version: 'v2', labels: { tier: 'gold' } })];

  test('there is one for each version, and as labels define them', () => {
    const subsets = { gold: { tier: 'gold' }, v1: { tier: 'none' } };
    expect(
      subsetNames(
        setting(versions).endpoints.map(({ data }) => data),
        subsets,
      ),
    ).toEqual(['gold', 'v1', 'v2']);
    expect(parts(setting(versions, SETTINGS, 'v1').picker, 0, letter)).toEqual({ a: expect.closeTo(1) });
    expect(parts(setting(versions, { ...SETTINGS, subsets }, 'gold').picker, 0, letter)).toEqual({
      b: expect.closeTo(1),
    });
    expect(setting(versions, { ...SETTINGS, subsets }, 'v1').picker.pick(chooser(), [], 0)).toBeUndefined();
    expect(setting(versions, SETTINGS, 'v3').picker.pick(chooser(), [], 0)).toBeUndefined();
  });

  test('no name is taken from what objects have by themselves', () => {
    expect(isInSubset({ labels: {}, version: '1' }, 'constructor', {})).toBe(false);
    expect(isInSubset({ labels: {}, version: '1' }, 'x', { x: { toString: '1' } })).toBe(false);
  });
});

test('endpoints that are not ready take nothing, and those that drain are not missed either', () => {
  const { picker } = setting([{ id: 'a', state: 'unready' }, { id: 'b', state: 'draining' }, { id: 'c' }], NEAR);
  expect(parts(picker, 0)).toEqual({ c: expect.closeTo(1) });
  const { picker: near } = setting(
    [...named(9, 'd', { node: 'n0', state: 'draining' }), { id: 'n', node: 'n0' }, { id: 'f' }],
    NEAR,
  );
  expect(parts(near, 0)).toEqual({ n: expect.closeTo(1) });
});
