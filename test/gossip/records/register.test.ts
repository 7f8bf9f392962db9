import '../support/properties.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Context } from '../../../gossip/effects.ts';
import { Directory } from '../../../gossip/records/directory.ts';
import type { Endpoint } from '../../../gossip/records/endpoint.ts';
import { decodeEndpoint, encodeEndpoint } from '../../../gossip/records/endpoint.ts';
import { OwnPage } from '../../../gossip/records/own-page.ts';
import { deltaSince, type NodeRecord, type RecordDelta, recordStatement } from '../../../gossip/records/record.ts';
import { Register } from '../../../gossip/records/register.ts';
import { emptyCoreStats } from '../../../gossip/stats.ts';
import { pack } from '../../../gossip/wire/pack.ts';
import { endpoint } from '../support/mesh.ts';
import { SETTINGS, ToySigner } from '../support/world.ts';

function contextOf(self: string): Context {
  return {
    self,
    trustDomain: 'sim.example',
    settings: SETTINGS,
    signer: new ToySigner(self),
    random: () => 0,
    stats: emptyCoreStats(),
    nowMs: 0,
    out: [],
  };
}

function ownPage(context = contextOf('a')): OwnPage {
  return new OwnPage(context, { schema: 1, address: 'a:1', chain: [Buffer.from('a')] }, 7);
}

const shown = (register: Register): string[] => [...(register.get('a')?.endpoints.keys() ?? [])].sort();

/** A change of the owner's page: which of a few workloads run, and a number to change them by. */
const change = fc.record({ running: fc.subarray(['w1', 'w2', 'w3', 'w4']), port: fc.integer({ min: 1, max: 3 }) });

describe('a replica', () => {
  test('that gets deltas late, twice, in any order or not at all never goes back and ends as the owner says', () => {
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (all, order) => {
          const own = ownPage();
          const register = new Register(contextOf('b'));
          expect(register.offer(own.record)).toBe('news');
          const deltas: RecordDelta[] = [];
          for (const { running, port } of all) {
            const delta = own.publish(running.map((workload) => endpoint('a', workload, { port })));
            if (delta !== undefined) deltas.push(delta);
          }
          let ver = register.get('a')!.record.ver;
          for (const i of order) {
            if (deltas.length > 0) register.offerDelta(deltas[i % deltas.length]!);
            expect(register.get('a')!.record.ver).toBeGreaterThanOrEqual(ver);
            ver = register.get('a')!.record.ver;
          }
          const rest = deltaSince(own.record, ver);
          if (ver < own.record.ver) expect(register.offerDelta(rest!)).toBe('news');
          expect(shown(register)).toEqual([...own.endpoints.keys()].sort());
          expect(register.get('a')!.record).toEqual(own.record);
        },
      ),
    );
  });

  test('below the floor of its owner takes the whole record, so that a deletion cannot come back', () => {
    const context = contextOf('a');
    const own = ownPage(context);
    own.publish([endpoint('a', 'old'), endpoint('a', 'kept')]);
    const register = new Register(contextOf('b'));
    register.offer(own.record);
    const before = own.record;
    own.publish([endpoint('a', 'kept')]);
    context.nowMs += 20 * 60_000;
    const delta = own.publish([endpoint('a', 'kept'), endpoint('a', 'new')])!;
    expect(own.record.gcVer).toBeGreaterThan(before.ver);
    expect([...own.record.entries.keys()]).toEqual(['kept/http', 'new/http']);

    expect(deltaSince(own.record, before.ver)).toBeUndefined();
    expect(register.offerDelta(delta)).toBe('gap');
    expect(register.offerDelta({ ...delta, from: before.ver })).toBe('gap');
    expect(register.offer(own.record)).toBe('news');
    expect(shown(register)).toEqual(['a/kept/http', 'a/new/http']);
    expect(register.offer(before)).toBe('old');
  });

  test('takes nothing that its owner did not sign', () => {
    const own = ownPage();
    const delta = own.publish([endpoint('a')])!;
    const { stats, ...rest } = contextOf('b');
    const register = new Register({ ...rest, stats });
    const forged: NodeRecord = {
      ...own.record,
      entries: new Map([['x/http', { ver: 2, value: encodeEndpoint(endpoint('a', 'x')) }]]),
    };
    expect(register.offer(forged)).toBe('refused');
    expect(register.offer({ ...own.record, ver: 99 })).toBe('refused');
    expect(register.offer({ ...own.record, meta: { ...own.record.meta, address: 'evil:1' } })).toBe('refused');
    expect(register.offer({ ...own.record, meta: { ...own.record.meta, chain: [Buffer.from('b')] } })).toBe('refused');
    expect(stats.dropped).toMatchObject({ signature: 3, certificate: 1 });
    expect(register.get('a')).toBeUndefined();
    register.offer(own.record);
    const changed = own.publish([endpoint('a', 'cart')])!;
    expect(register.offerDelta({ ...changed, entries: delta.entries })).toBe('refused');
    expect(shown(register)).toEqual(['a/web/http']);
  });

  test('of a record above its bounds is not taken, even when its owner signed it', () => {
    const context = contextOf('a');
    const { record } = ownPage(context);
    const entries = new Map(Array.from({ length: 5 }, (_, i) => [`e${i}`, { ver: 1, value: Buffer.alloc(20_000) }]));
    const unsigned = { ...record, entries };
    const signature = context.signer.sign(recordStatement('sim.example', unsigned, context.signer));
    const observer = contextOf('b');
    expect(new Register(observer).offer({ ...unsigned, signature })).toBe('refused');
    expect(observer.stats.dropped['too-large']).toBe(1);
  });
});

describe('the page of this node', () => {
  test('has a new version only for a real change', () => {
    const own = ownPage();
    expect(own.publish([endpoint('a')])?.to).toBe(2);
    expect(own.publish([endpoint('a')])).toBeUndefined();
    expect(own.publish([endpoint('a', 'web', { labels: { tier: 'front' } })])).toBeUndefined();
    expect(own.publish([endpoint('a', 'web', { weight: 2 })])?.to).toBe(3);
  });

  test('never holds more entries than a record may, however many come and go', () => {
    const own = ownPage();
    for (let round = 0; round < 20; round++) {
      own.publish(Array.from({ length: 100 }, (_, i) => endpoint('a', `r${round}w${i}`)));
      expect(own.record.entries.size).toBeLessThanOrEqual(500);
    }
    expect(own.endpoints.size).toBe(100);
  });

  test('keeps its endpoints and starts its versions over in a new epoch', () => {
    const own = ownPage();
    own.publish([endpoint('a'), endpoint('a', 'cart')]);
    own.publish([endpoint('a')]);
    own.beginEpoch(9);
    expect(own.record).toMatchObject({ epoch: 9, ver: 1, gcVer: 0 });
    expect([...own.record.entries.keys()]).toEqual(['web/http']);
    const register = new Register(contextOf('b'));
    expect(register.offer(own.record)).toBe('news');
  });
});

describe('an endpoint', () => {
  const endpoints: fc.Arbitrary<Endpoint> = fc
    .record({
      workload: fc.stringMatching(/^[a-z0-9-]{1,12}$/),
      address: fc.oneof(
        fc.ipV4(),
        fc.ipV6().filter((text) => !text.includes('%')),
      ),
      port: fc.integer({ min: 1, max: 65_535 }),
      labels: fc.dictionary(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), {
        maxKeys: 5,
        noNullPrototype: true,
      }),
      weight: fc.nat(1_000),
      state: fc.constantFrom('ready', 'unready', 'draining'),
      protocol: fc.constantFrom('http', 'tcp', 'auto'),
    })
    .map(({ workload, ...changes }) => endpoint('a', workload, changes as Partial<Endpoint>));

  test('comes back from bytes as it went', () => {
    fc.assert(
      fc.property(endpoints, (one) => {
        expect(decodeEndpoint('a', `${one.workload}/http`, encodeEndpoint(one))).toEqual(one);
      }),
    );
  });

  test('of a newer agent is read without the fields we do not know, one we could not route to is not read', () => {
    const fields: unknown[] = [
      'shop',
      'web',
      'web',
      'http',
      'spiffe://t/ns/shop/sa/web',
      '10.0.0.1',
      80,
      80,
      0,
      15_008,
      'v1',
      [],
      'z',
      1,
      0,
    ];
    expect(decodeEndpoint('a', 'web/http', pack([...fields, 'newer']))?.address).toBe('10.0.0.1');
    const broken: [number, unknown][] = [
      [5, 'host.name'],
      [5, '10.1'],
      [6, 0],
      [6, 70_000],
      [8, 9],
      [11, ['odd']],
      [13, -1],
      [14, 3],
    ];
    for (const [at, value] of broken) {
      expect(decodeEndpoint('a', 'web/http', pack(fields.with(at, value)))).toBeUndefined();
    }
    expect(decodeEndpoint('a', 'web/http', Buffer.from('garbage'))).toBeUndefined();
  });
});

describe('the directory', () => {
  const one = endpoint('a');
  const map = new Map([[one.id, one]]);

  test('tells only what changed', () => {
    const directory = new Directory();
    expect(directory.show('a', map, 'full')).toEqual({ upsert: [one], remove: [] });
    expect(directory.show('a', map, 'full')).toBeUndefined();
    expect(directory.show('a', map, 'last-choice')).toEqual({ upsert: [{ ...one, weight: 0 }], remove: [] });
    expect(directory.show('a', map, 'last-choice')).toBeUndefined();
    expect(directory.show('a', map, 'full')).toEqual({ upsert: [one], remove: [] });
    expect([directory.size, directory.countOf('a')]).toEqual([1, 1]);
    expect(directory.show('a', map, 'none')).toEqual({ upsert: [], remove: [one.id] });
    expect(directory.show('a', map, 'none')).toBeUndefined();
    expect([directory.size, directory.countOf('a')]).toEqual([0, 0]);
  });
});
