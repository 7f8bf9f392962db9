/** How an application learns who calls, and that connections made in a client's name serve that client alone. @module */

import { once } from 'node:events';
import http from 'node:http';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { proxyHeader } from '../../../proxy/inbound/proxy-header.ts';
import { endpointServerName } from '../../../proxy/snapshot.ts';
import { Mesh, TestClient, TestServer, WEB } from '../mesh.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';

test.each([
  ['10.1.2.3', '10.9.8.7', `${SIGNATURE}2111000c0a0102030a09080700001f90`],
  ['fd00::1', 'fd00::2', `${SIGNATURE}21210024${'fd00'.padEnd(28, '0')}0001${'fd00'.padEnd(28, '0')}000200001f90`],
  [
    '10.1.2.3',
    'fd00::2',
    `${SIGNATURE}21210024${'ffff0a010203'.padStart(32, '0')}${'fd00'.padEnd(28, '0')}000200001f90`,
  ],
  ['', '10.9.8.7', `${SIGNATURE}20000000`],
])('the PROXY header of %s calling %s', (client, address, bytes) => {
  expect(proxyHeader(client, { address, port: 8_080 }).toString('hex')).toBe(bytes);
});

test('an application that asks for it gets a PROXY header before the bytes of its client', async () => {
  await using app = await TestServer.tcp((socket) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more;
      const header = Buffer.from(text, 'latin1');
      if (!text.endsWith('ping')) return;
      socket.end(
        `${header.subarray(0, 12).toString('hex')} ${[...header.subarray(16, 20)].join('.')} ${text.slice(28)}`,
      );
    });
  });
  await using mesh = await Mesh.start(app.port, { protocol: 'tcp' });
  const cart = mesh.cart();
  const ports = cart.ports.map((port) => ({ ...port, proxyProtocol: 'v2' as const }));
  mesh.b.proxy.apply(mesh.update({ workloads: [{ ...cart, ports }] }));
  using client = await TestClient.connect(mesh.port);
  client.send('ping');
  await client.until(/ping/);
  expect(client.received).toMatch(new RegExp(`^${SIGNATURE} 127\\.0\\.0\\.1 ping$`));
});

test.each([
  [true, '198.51.100.7, 127.0.0.1'],
  [false, '198.51.100.7'],
])('with forwardedFor %s the application reads X-Forwarded-For: %s', async (forwardedFor, expected) => {
  const server = http.createServer(({ headers }, response) => response.end(headers['x-forwarded-for']));
  await using app = await TestServer.of(server);
  await using mesh = await Mesh.start(app.port, { config: { http: { forwardedFor } } });
  const answer = await fetch(`http://127.0.0.1:${mesh.port}/`, { headers: { 'x-forwarded-for': '198.51.100.7' } });
  expect(await answer.text()).toBe(expected);
});

test.each([
  ['transparent', 2],
  ['off', 1],
] as const)(
  'with clientAddress %s two clients of one identity use %i connections',
  async (clientAddress, connections) => {
    await using app = await TestServer.of(http.createServer((_request, response) => response.end('ok')));
    await using mesh = await Mesh.start(app.port, { config: { clientAddress } });
    const svid = mesh.mint(WEB);
    for (const localAddress of ['127.0.0.2', '127.0.0.3', '127.0.0.2']) {
      const options: tls.ConnectionOptions & { readonly localAddress: string } = {
        port: mesh.tunnelPort,
        host: '127.0.0.1',
        localAddress,
        rejectUnauthorized: false,
        servername: endpointServerName(mesh.appPort, 'cart', 'shop'),
        ALPNProtocols: ['http/1.1'],
        cert: svid.certificateChainPem,
        key: svid.privateKeyPem,
      };
      const socket = tls.connect(options);
      socket.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
      expect(String(await once(socket, 'data'))).toContain('200 OK');
      socket.destroy();
    }
    expect(app.accepted).toBe(connections);
  },
);
