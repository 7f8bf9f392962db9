/** The inventory over days, on a clock of the test, and what of the statistics goes into it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Inventory, LIMITS } from '../../../agent/catalog/inventory.ts';
import { mergeCatalogs } from '../../../agent/catalog/mesh-catalog.ts';
import { type NodeCatalog, nodeCatalog } from '../../../agent/catalog/node-catalog.ts';
import { SeenTable } from '../../../agent/catalog/seen-table.ts';
import { type CountedSeries, TrafficGains } from '../../../agent/catalog/traffic-gains.ts';

const DAY = 86_400_000;
const sight = (...services: string[]) => ({ services, relations: [], routes: [] });
const call = { direction: 'inbound', from: 'shop/web', to: 'shop/cart', protocol: 'http', count: 3, bytes: 9 } as const;

function answer(inventory: Inventory): NodeCatalog {
  return nodeCatalog.parse({ ...inventory.state, facts: [], plaintext: [], certificates: [] });
}

describe('the inventory', () => {
  test('a service is gone after its time, leaves a tombstone, and is as old as before when it comes back', () => {
    const inventory = new Inventory();
    inventory.saw(sight('shop/cart'), 1 * DAY);
    inventory.forget(30 * DAY, 30 * DAY);
    expect(inventory.state.services).toHaveLength(1);
    inventory.forget(32 * DAY, 30 * DAY);
    expect(inventory.state).toMatchObject({ services: [], tombstones: [{ id: 'shop/cart', goneMs: 32 * DAY }] });
    inventory.saw(sight('shop/cart'), 40 * DAY);
    expect(inventory.state.services).toMatchObject([{ id: 'shop/cart', firstSeenMs: DAY, lastSeenMs: 40 * DAY }]);
    inventory.forget(62 * DAY, 30 * DAY);
    expect(inventory.state.tombstones).toEqual([]);
  });

  test('both ends of a call are seen, and counts go on after a restart', () => {
    const before = new Inventory();
    before.saw({ services: [], relations: [call], routes: [] }, 1_000);
    const after = new Inventory(JSON.parse(JSON.stringify(before.state)));
    after.saw({ services: [], relations: [call], routes: [] }, 5_000);
    expect(after.state.services).toMatchObject([
      { id: 'shop/web', calledMs: null, trafficMs: 5_000 },
      { id: 'shop/cart', calledMs: 5_000 },
    ]);
    expect(after.state.relations).toMatchObject([{ count: 6, bytes: 18, firstSeenMs: 1_000, lastSeenMs: 5_000 }]);
  });

  test('it stays within its bound, whoever is seen', () => {
    const inventory = new Inventory();
    const many = Array.from({ length: LIMITS.services + 500 }, (_, i) => `shop/s${i}`);
    inventory.saw(sight(...many), 1_000);
    const { services } = inventory.state;
    expect(services).toHaveLength(LIMITS.services);
    expect(services[0]!.id).toBe('shop/s500');
  });

  test('a full table loses what was seen longest ago, and none is ever over its limit', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (keys) => {
        const table = new SeenTable<object>(5);
        for (const [at, key] of keys.entries()) table.saw(String(key), at, () => ({}));
        const latest = [...new Set(keys.toReversed())].slice(0, 5).map(String);
        expect([...table.entries()].map(([key]) => key).sort()).toEqual(latest.sort());
      }),
    );
  });
});

describe('from running totals to what was called', () => {
  const series = (requests: number, more: Partial<CountedSeries['labels']> = {}): CountedSeries => ({
    labels: {
      direction: 'inbound',
      source: 'spiffe://lab.example/ns/shop/sa/web',
      sourceService: '',
      destination: 'shop/cart',
      protocol: 'http',
      version: 'v1',
      route: '/items/{id}',
      method: 'GET',
      ...more,
    },
    connectionsOpened: 0,
    bytesReceived: 0,
    bytesSent: 0,
    requests: [0, requests, 0, 0, 0],
    statuses: { 200: requests },
  });

  test('only what came since the last look counts, and a row that begins anew counts from zero', () => {
    const gains = new TrafficGains();
    const look = (requests: number) =>
      gains.since([series(requests)], () => undefined).routes.map(({ count }) => count);
    expect([look(5), look(5), look(8), look(2)]).toEqual([[5], [], [3], [2]]);
  });

  test('the caller is the service of its identity, or named by it where nobody registered it', () => {
    const callers = (one: CountedSeries, known?: string) =>
      new TrafficGains().since([one], () => known).relations.map(({ from }) => from);
    expect(callers(series(1), 'shop/front')).toEqual(['shop/front']);
    expect(callers(series(1))).toEqual(['shop/web']);
    expect(callers(series(1, { sourceService: 'shop/own' }), 'shop/front')).toEqual(['shop/own']);
    expect(callers(series(1, { source: 'plaintext' }))).toEqual([]);
  });

  test('overflow rows, what leaves the mesh and what cannot be read are no routes', () => {
    const { routes } = new TrafficGains().since(
      [
        series(1, { destination: 'other' }),
        series(1, { destination: 'passthrough' }),
        series(1, { route: '{unread}' }),
        series(1, { route: '' }),
      ],
      () => undefined,
    );
    expect(routes).toEqual([]);
  });
});

describe('what all nodes have seen', () => {
  const inventoryWith = (direction: 'inbound' | 'outbound', count: number, atMs: number): Inventory => {
    const inventory = new Inventory();
    inventory.saw({ services: [], relations: [{ ...call, direction, count }], routes: [] }, atMs);
    return inventory;
  };

  test('a call that both sides counted is one, and a side that is missing takes nothing away', () => {
    const caller = answer(inventoryWith('outbound', 10, 2_000));
    const [one, two] = [answer(inventoryWith('inbound', 6, 1_000)), answer(inventoryWith('inbound', 4, 3_000))];
    const all = mergeCatalogs(
      new Map([
        ['a', caller],
        ['b', one],
        ['c', two],
      ]),
    );
    expect(all.relations).toMatchObject([{ count: 10, firstSeenMs: 1_000, lastSeenMs: 3_000 }]);
    expect(
      mergeCatalogs(
        new Map([
          ['a', caller],
          ['b', one],
        ]),
      ).relations,
    ).toMatchObject([{ count: 10 }]);
  });

  test('what one node has buried stays buried, unless another saw it since', () => {
    const buried = new Inventory();
    buried.saw(sight('shop/old', 'shop/back'), 0);
    buried.forget(40 * DAY, 30 * DAY);
    const other = new Inventory();
    other.saw(sight('shop/old'), 5 * DAY);
    other.saw(sight('shop/back'), 41 * DAY);
    const { services } = mergeCatalogs(
      new Map([
        ['a', answer(buried)],
        ['b', answer(other)],
      ]),
    );
    expect([...services.keys()]).toEqual(['shop/back']);
    expect(services.get('shop/back')).toMatchObject({ firstSeenMs: 0, lastSeenMs: 41 * DAY });
  });
});
