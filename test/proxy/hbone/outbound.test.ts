/** HBONE to an ambient mesh: one CONNECT a connection on shared connections, as bytes and as HTTP, and what a refusal becomes. */
import http from 'node:http';
import type http2 from 'node:http2';
import type tls from 'node:tls';
import { expect, test } from 'vitest';
import { HBONE, TUNNEL_LABEL } from '../../../proxy/snapshot.ts';
import { eventually, Mesh, TestClient, TestServer, WEB } from '../mesh.ts';
import { Ambient, ISTIO } from './ambient.ts';

const labels = { [TUNNEL_LABEL]: HBONE };

/** A mesh whose one endpoint is in the ambient mesh. */
async function call(mesh: Mesh, ambient: Ambient, serve: (stream: http2.ServerHttp2Stream) => void): Promise<string[]> {
  const authorities: string[] = [];
  const tunnelPort = await ambient.serve(ISTIO, (stream, headers) => {
    authorities.push(`${headers[':method']} ${headers[':authority']}`);
    serve(stream);
  });
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ identity: ISTIO, tunnelPort, labels })] }));
  return authorities;
}

function accept(stream: http2.ServerHttp2Stream): http2.ServerHttp2Stream {
  stream.respond({ ':status': 200 });
  return stream;
}

test('opaque connections are CONNECTs to the port of the application, on one connection', async () => {
  await using mesh = await Mesh.start(7_777, { protocol: 'tcp' });
  await using ambient = new Ambient(mesh, ['ns/istio/*']);
  let peer: string | undefined;
  const authorities = await call(mesh, ambient, (stream) => {
    peer = (stream.session!.socket as tls.TLSSocket).getPeerX509Certificate()?.subjectAltName;
    accept(stream).pipe(stream);
  });
  using one = await TestClient.connect(mesh.port);
  using two = await TestClient.connect(mesh.port);
  one.send('one');
  two.send('two');
  await Promise.all([one.until(/^one$/), two.until(/^two$/)]);
  expect(authorities).toEqual(['CONNECT 127.0.0.1:7777', 'CONNECT 127.0.0.1:7777']);
  expect(ambient.served).toBe(1);
  expect(peer).toBe(`URI:${WEB}`);
  one.socket.end('!');
  await one.ended();
  expect(one.received).toBe('one!');
});

test('a reset by either side arrives as a reset at the other', async () => {
  await using mesh = await Mesh.start(7_777, { protocol: 'tcp' });
  await using ambient = new Ambient(mesh);
  const streams: http2.ServerHttp2Stream[] = [];
  await call(mesh, ambient, (stream) => streams.push(accept(stream)));
  using one = await TestClient.connect(mesh.port);
  await eventually(() => streams.length === 1);
  streams[0]!.close(10); // node:http2 ends the stream before it resets it
  await one.ended();
  await eventually(() => one.socket.destroyed || !one.socket.write('anybody?'));
  await one.closed();
  expect(one.error?.code).toMatch(/ECONNRESET|EPIPE/);
  using two = await TestClient.connect(mesh.port);
  await eventually(() => streams.length === 2);
  const closed = new Promise<void>((resolve) => streams[1]!.once('close', () => resolve()));
  two.socket.resetAndDestroy();
  await closed;
  expect(streams[1]!.rstCode).toBe(10);
});

test('requests share connections within the CONNECT, and a new one is opened for another at the same time', async () => {
  await using mesh = await Mesh.start(7_777, { protocol: 'http' });
  await using ambient = new Ambient(mesh);
  const authorities = await call(mesh, ambient, (stream) => {
    accept(stream).on('data', () => stream.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'));
  });
  for (let n = 0; n < 3; n++) expect(await (await fetch(`http://127.0.0.1:${mesh.port}/`)).text()).toBe('hello');
  expect(authorities).toEqual(['CONNECT 127.0.0.1:7777']);
});

test.each([
  [401, 403, 'access-denied'],
  [403, 403, 'access-denied'],
  [400, 503, 'tunnel-refused'],
  [503, 503, 'tunnel-refused'],
] as const)('CONNECT answered with %i is %i %s to a request', async (status, told, reason) => {
  await using mesh = await Mesh.start(7_777, { protocol: 'http' });
  await using ambient = new Ambient(mesh);
  await call(mesh, ambient, (stream) => stream.respond({ ':status': status }, { endStream: true }));
  const response = await fetch(`http://127.0.0.1:${mesh.port}/`);
  expect([response.status, response.headers.get('weft-reason')]).toEqual([told, reason]);
});

test('who answers there must be the identity of the endpoint, by an issuer that may speak for it', async () => {
  await using mesh = await Mesh.start(7_777, { protocol: 'http' });
  await using ambient = new Ambient(mesh, ['ns/other/*']);
  let streams = 0;
  await call(mesh, ambient, () => streams++);
  const response = await fetch(`http://127.0.0.1:${mesh.port}/`);
  expect([response.status, response.headers.get('weft-reason')]).toEqual([503, 'identity-refused']);
  expect(streams).toBe(0);
});

test('two agents may speak HBONE to each other, with rules about requests', async () => {
  await using app = await TestServer.of(http.createServer((_request, response) => response.end('hello')));
  await using mesh = await Mesh.start(app.port, { protocol: 'http' });
  mesh.a.proxy.apply(mesh.update({ endpoints: [mesh.endpoint({ labels })] }));
  const response = await fetch(`http://127.0.0.1:${mesh.port}/`);
  expect([response.status, await response.text()]).toEqual([200, 'hello']);
  const rows = mesh.b.reader.series().filter(({ labels: { protocol, route } }) => protocol === 'http' && route !== '');
  expect(rows.map(({ labels: { source, destination } }) => [source, destination])).toEqual([[WEB, 'shop/cart']]);
});
