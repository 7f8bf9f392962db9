import { expect, test } from 'vitest';
import { Memberships } from '../../proxy/memberships.ts';
import type { Endpoint, Service } from '../../proxy/snapshot.ts';

const ECHO_V1: Endpoint = {
  id: 'n1/shop/echo-v1/http',
  node: 'n1',
  namespace: 'shop',
  service: 'echo-v1',
  identity: 'spiffe://test.weft/ns/shop/sa/echo',
  labels: { app: 'echo', version: 'v1' },
  address: '10.0.0.1',
  port: 8_080,
  servicePort: 80,
  portName: 'http',
  protocol: 'http',
  tunnelPort: 15_008,
  weight: 100,
  version: 'v1',
  zone: '',
  state: 'ready',
};

function selecting(selector: Record<string, string>, ports: Service['ports']): Service {
  return { id: 'shop/echo', namespace: 'shop', service: 'echo', vips: [], ports, selector };
}

test('an endpoint is behind the service it names, and behind those that select it by its labels', () => {
  const memberships = new Memberships();
  expect(memberships.of(ECHO_V1)).toEqual([{ service: 'shop/echo-v1', port: 80 }]);
  memberships.know(selecting({ app: 'echo' }, [{ port: 80, protocol: 'http', targetPort: 8_080 }]));
  expect(memberships.of(ECHO_V1)).toEqual([
    { service: 'shop/echo-v1', port: 80 },
    { service: 'shop/echo', port: 80 },
  ]);
  memberships.forget('shop/echo');
  expect(memberships.of(ECHO_V1)).toEqual([{ service: 'shop/echo-v1', port: 80 }]);
});

test('a target port is a number, a name, or the port that is dialled', () => {
  const memberships = new Memberships();
  memberships.know(
    selecting({ app: 'echo' }, [
      { port: 80, protocol: 'http', targetPort: 'http' },
      { port: 8_080, protocol: 'http' },
      { port: 81, protocol: 'http', targetPort: 'grpc' },
    ]),
  );
  expect(memberships.of(ECHO_V1).filter(({ service }) => service === 'shop/echo')).toEqual([
    { service: 'shop/echo', port: 80 },
    { service: 'shop/echo', port: 8_080 },
  ]);
});

test('all labels of a selector must be there, no label selects nobody, and other namespaces are out of reach', () => {
  const memberships = new Memberships();
  const ports = [{ port: 80, protocol: 'http', targetPort: 8_080 }] as const;
  for (const selector of [{ app: 'echo', version: 'v2' }, {}]) {
    memberships.know(selecting(selector, ports));
    expect(memberships.isMember(ECHO_V1, 'shop/echo', 80)).toBe(false);
  }
  memberships.know({ ...selecting({ app: 'echo' }, ports), id: 'other/echo', namespace: 'other' });
  expect(memberships.isMember(ECHO_V1, 'other/echo', 80)).toBe(false);
});

test('a selector of the service that an endpoint names itself decides alone', () => {
  const memberships = new Memberships();
  const own = { ...selecting({ app: 'other' }, [{ port: 80, protocol: 'http' }]), id: 'shop/echo-v1' };
  memberships.know(own);
  expect(memberships.of(ECHO_V1)).toEqual([]);
});
