/** How endpoints are picked is a matter of the service. @module */

import http from 'node:http';
import net from 'node:net';
import { expect, test } from 'vitest';
import type { BalancerName } from '../../../proxy/balancer/balancer.ts';
import { Mesh, SERVICE_PORT, TestServer } from '../mesh.ts';

/** On the way to the agent of the endpoint; counts who comes by. */
function wire(mesh: Mesh): Promise<TestServer> {
  return TestServer.tcp((link) => {
    const tunnel = net.connect(mesh.tunnelPort, '127.0.0.1').on('error', () => link.destroy());
    link.pipe(tunnel);
    tunnel.pipe(link);
  });
}

function service(balancer?: BalancerName) {
  const ports = [{ port: SERVICE_PORT, protocol: 'http' as const }];
  const named = balancer === undefined ? {} : { balancer };
  return { upsert: [{ id: 'shop/cart', namespace: 'shop', service: 'cart', vips: [], ports, ...named }], remove: [] };
}

test.each([
  ['round-robin', 2],
  ['ring-hash', 1],
  ['maglev', 1],
] as const)(
  'by %s the requests of one workload go to %i of two endpoints, and change with the service',
  async (name, reached) => {
    await using app = await TestServer.of(http.createServer((_request, response) => response.end('hello')));
    await using mesh = await Mesh.start(app.port);
    await using one = await wire(mesh);
    await using other = await wire(mesh);
    const endpoints = [one, other].map(({ port }, i) =>
      mesh.endpoint({ id: `n${i}/cart/http`, node: `n${i}`, tunnelPort: port }),
    );
    const get = async (): Promise<void> => expect((await fetch(`http://127.0.0.1:${mesh.port}/`)).status).toBe(200);
    const update = mesh.update({ endpoints, remove: ['b/cart/http'] });
    mesh.a.proxy.apply({ ...update, services: service(name) });
    for (let i = 0; i < 8; i++) await get();
    expect([one, other].filter(({ accepted }) => accepted > 0).length).toBe(reached);
    mesh.a.proxy.apply({ ...mesh.update({}), services: service() });
    for (let i = 0; i < 8; i++) await get(); // the one that is not known yet is asked
    expect([one, other].every(({ accepted }) => accepted > 0)).toBe(true);
  },
);
