import { expect, test } from 'vitest';
import type { ServiceRow } from '../../../../agent/console/shapes/services.ts';
import { countFacet, matches, toggle } from '../../../../agent/console/web/pages/services/facets.ts';

const ledger = row('pay/ledger', { health: 'bad', owner: 'payments team', p99Ms: 1_180, appFailedRatio: 0.04 });
const cart = row('shop/cart', { owner: 'shop-team', p99Ms: 20 });
const gone = row('shop/gone', { p99Ms: null });
const all = [ledger, cart, gone];

test.each([
  ['', ['pay/ledger', 'shop/cart', 'shop/gone']],
  ['health:bad', ['pay/ledger']],
  ['-ns:pay', ['shop/cart', 'shop/gone']],
  ['owner:"payments team",shop-team', ['pay/ledger', 'shop/cart']],
  ['owner:none', ['shop/gone']],
  ['p99>500ms', ['pay/ledger']],
  ['p99>1s', ['pay/ledger']],
  ['failed>1%', ['pay/ledger']],
  ['p99<100 cart', ['shop/cart']],
])('%s leaves what it says', (filter, left) => {
  expect(all.filter((one) => matches(one, filter)).map((one) => one.id)).toEqual(left);
});

test('a value is put into the filter and taken out again', () => {
  const one = toggle('cart', 'owner', 'payments team');
  expect(one).toBe('cart owner:"payments team"');
  const two = toggle(one, 'owner', 'b');
  expect(two).toBe('cart owner:"payments team",b');
  expect(toggle(toggle(two, 'owner', 'payments team'), 'owner', 'b')).toBe('cart');
});

test('a facet counts as if it were not chosen, and keeps what is chosen with nothing in it', () => {
  expect(countFacet(all, 'health', 'health:warn ns:shop')).toEqual([
    { value: 'ok', count: 2, isChosen: false },
    { value: 'warn', count: 0, isChosen: true },
  ]);
});

function row(id: string, given: Partial<ServiceRow>): ServiceRow {
  const [namespace = '', name = ''] = id.split('/');
  return {
    id,
    namespace,
    name,
    tab: 'seen',
    health: 'ok',
    cause: '',
    owner: null,
    tier: null,
    language: null,
    protocol: 'http',
    versions: [],
    endpointsReady: 1,
    endpointsTotal: 1,
    firstSeenMs: null,
    lastSeenMs: null,
    rulesMet: 0,
    rulesTotal: 0,
    trend: [],
    requestsPerSec: 1,
    appFailedRatio: 0,
    meshFailedRatio: 0,
    deniedRatio: 0,
    p50Ms: 1,
    p99Ms: 1,
    bytesPerSec: 0,
    ...given,
  };
}
