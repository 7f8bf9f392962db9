/** Requests that an HTTP/2 server says it did not look at are repeated on another stream, POST as well (RFC 9113 §8.7). */
import http2 from 'node:http2';
import { expect, test } from 'vitest';
import { Mesh, TestServer } from '../mesh.ts';

/** Answers with the body of the request, but for one stream, with which `refuse` deals. */
async function server(refuse: (stream: http2.ServerHttp2Stream) => void, at = 0) {
  let streams = 0;
  const served = http2.createServer();
  served.on('stream', (stream: http2.ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    if (streams++ === at) {
      refuse(stream);
      return;
    }
    let body = '';
    stream.setEncoding('latin1').on('data', (text: string) => {
      body += text;
    });
    stream.on('end', () => {
      stream.respond({ ':status': 200 });
      stream.end(body);
    });
  });
  return { app: await TestServer.of(served), streams: () => streams };
}

async function post(mesh: Mesh, body: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${mesh.port}/`, { method: 'POST', body });
  return `${response.status} ${response.headers.get('weft-reason') ?? (await response.text())}`;
}

test('a POST whose stream is refused is sent again, with its body', async () => {
  const { app, streams } = await server((stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM));
  await using _app = app;
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  expect(await post(mesh, 'order 7')).toBe('200 order 7');
  expect(streams()).toBe(2);
  expect(mesh.b.reader.counters().upstreamReplayed).toBe(1);
});

test('a POST above the last stream of a GOAWAY is sent again on a connection of its own', async () => {
  const { app, streams } = await server(({ session }) => session?.goaway(http2.constants.NGHTTP2_NO_ERROR, 1), 1);
  await using _app = app;
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  expect(await post(mesh, 'order 6')).toBe('200 order 6'); // stream 1
  expect(await post(mesh, 'order 7')).toBe('200 order 7'); // stream 3, then another connection
  expect([streams(), app.accepted]).toEqual([3, 2]);
});

test('a POST whose stream is reset for any other cause is not sent again', async () => {
  const { app, streams } = await server((stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  await using _app = app;
  await using mesh = await Mesh.start(app.port, { protocol: 'http2' });
  expect(await post(mesh, 'order 7')).toBe('502 upstream-reset');
  expect(streams()).toBe(1);
});

test('a body beyond proxy.http.replayBytes is not sent again', async () => {
  const { app, streams } = await server((stream) => {
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes === 2_000) stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    });
  });
  await using _app = app;
  await using mesh = await Mesh.start(app.port, { protocol: 'http2', config: { http: { replayBytes: 1_000 } } });
  expect(await post(mesh, 'x'.repeat(2_000))).toBe('503 upstream-overflow');
  expect(streams()).toBe(1);
});
