/** How long unused connections are kept, and what a server teaches about it. @module */

import http from 'node:http';
import { expect, test } from 'vitest';
import { IdleLimit } from '../../../proxy/upstream/idle-limit.ts';
import { eventually, Mesh, TestClient, TestServer } from '../mesh.ts';

test('a server that closes earlier lowers the limit, and nothing raises it', () => {
  const limit = new IdleLimit(4_000);
  limit.sawClosed(2_000);
  expect(limit.ms).toBe(1_600);
  limit.sawClosed(3_000);
  expect(limit.ms).toBe(1_600);
});

test('a server that closes at once teaches nothing: it keeps no connection, or died', () => {
  const limit = new IdleLimit(4_000);
  limit.sawClosed(100);
  expect(limit.ms).toBe(4_000);
});

test('an application that keeps connections for a second is let go of before it lets go', async () => {
  const server = http.createServer((_request, response) => response.end('hello'));
  const ends: ('agent' | 'application')[] = [];
  server.on('connection', (socket) => {
    const timer = setTimeout(() => {
      ends.push('application');
      socket.end();
    }, 1_000);
    socket.once('close', () => {
      clearTimeout(timer);
      if (ends.length === 0) ends.push('agent');
    });
  });
  await using app = await TestServer.of(server);
  await using mesh = await Mesh.start(app.port);
  using client = await TestClient.connect(mesh.port);
  for (const expected of ['application', 'agent'] as const) {
    client.received = '';
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until(/hello/);
    await eventually(() => ends.length > 0 && app.sockets.size === 0);
    expect(ends.shift()).toBe(expected);
  }
});
