import { expect, test } from 'vitest';
import { ServiceDirectory } from '../../agent/services.ts';
import { VipAllocator } from '../../agent/vips.ts';
import type { Endpoint } from '../../gossip/records/endpoint.ts';

test('a service appears with its first endpoint and goes with its last', () => {
  const directory = new ServiceDirectory(new VipAllocator('/nonexistent/vips.json'));
  const appeared = directory.apply({ upsert: [endpoint('a'), endpoint('b')], remove: [] });
  expect(appeared.upsert.map(({ id }) => id)).toEqual(['shop/cart']);
  expect(directory.apply({ upsert: [], remove: ['a'] })).toEqual({ upsert: [], remove: [] });
  expect(directory.apply({ upsert: [], remove: ['b'] })).toEqual({ upsert: [], remove: ['shop/cart'] });
  expect(directory.services()).toEqual([]);
  expect(directory.endpoints()).toEqual([]);
});

test('a service whose endpoints are all unready keeps its name and addresses', () => {
  const directory = new ServiceDirectory(new VipAllocator('/nonexistent/vips.json'));
  const [before] = directory.apply({ upsert: [endpoint('a')], remove: [] }).upsert;
  directory.apply({ upsert: [endpoint('a', { state: 'unready' })], remove: [] });
  expect(directory.services()).toEqual([before]);
});

test('endpoints that disagree about the protocol of a port leave it to detection', () => {
  const directory = new ServiceDirectory(new VipAllocator('/nonexistent/vips.json'));
  const told = directory.apply({ upsert: [endpoint('a'), endpoint('b', { protocol: 'tcp' })], remove: [] });
  expect(told.upsert[0]!.ports).toEqual([{ port: 80, protocol: 'auto' }]);
  expect(directory.apply({ upsert: [], remove: ['b'] }).upsert[0]!.ports).toEqual([{ port: 80, protocol: 'http' }]);
});

test('an endpoint that moves to another service leaves the first', () => {
  const directory = new ServiceDirectory(new VipAllocator('/nonexistent/vips.json'));
  directory.apply({ upsert: [endpoint('a')], remove: [] });
  const told = directory.apply({ upsert: [endpoint('a', { service: 'basket' })], remove: [] });
  expect(told.upsert.map(({ id }) => id)).toEqual(['shop/basket']);
  expect(told.remove).toEqual(['shop/cart']);
});

test('a declared service is there without an endpoint, keeps its addresses, and says its ports itself', () => {
  const directory = new ServiceDirectory(new VipAllocator('/nonexistent/vips.json'));
  const selector = { app: 'cart' };
  const ports = [{ port: 8_080, protocol: 'http', targetPort: 'web' }] as const;
  const declared = { namespace: 'shop', service: 'cart', selector, ports };
  const [told] = directory.declare([declared]).upsert;
  expect(told).toMatchObject({ id: 'shop/cart', selector, ports });
  expect(directory.apply({ upsert: [endpoint('a')], remove: [] })).toEqual({ upsert: [], remove: [] });
  const [derived] = directory.declare([]).upsert;
  expect(derived).toEqual({ ...told, selector: undefined, ports: [{ port: 80, protocol: 'http' }] });
  directory.declare([declared]);
  expect(directory.apply({ upsert: [], remove: ['a'] })).toEqual({ upsert: [], remove: [] });
  expect(directory.declare([]).remove).toEqual(['shop/cart']);
});

function endpoint(id: string, change: Partial<Endpoint> = {}): Endpoint {
  return {
    id,
    node: 'n1',
    namespace: 'shop',
    service: 'cart',
    workload: `cart-${id}`,
    identity: 'spiffe://prod.example/ns/shop/sa/cart',
    address: '10.0.0.1',
    port: 8080,
    servicePort: 80,
    portName: 'http',
    protocol: 'http',
    tunnelPort: 15008,
    version: 'v1',
    labels: {},
    zone: '',
    weight: 100,
    state: 'ready',
    ...change,
  };
}
