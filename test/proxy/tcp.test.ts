/** Opaque connections through two proxies: nothing is understood, everything arrives. @module */

import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { Protocol } from '../../proxy/snapshot.ts';
import { eventually, Mesh, TestClient, TestServer } from './mesh.ts';

describe.each([
  ['streams of a tunnel', 32],
  ['connections of their own', 0],
])('between the agents, as %s', (_, maxTunnels) => {
  const start = (port: number, protocol: Protocol = 'tcp') =>
    Mesh.start(port, { protocol, config: { tcp: { maxTunnels } } });

  test('bytes pass in both directions on a declared tcp port', async () => {
    await using app = await TestServer.tcp((socket) => socket.pipe(socket));
    await using mesh = await start(app.port);
    using client = await TestClient.connect(mesh.port);
    client.send('\0\x01binary\xff\n');
    await client.until(/binary\xff\n$/);
    expect(client.received).toBe('\0\x01binary\xff\n');
  });

  test('a server that speaks first is heard although no protocol is declared', async () => {
    await using app = await TestServer.tcp((socket) => {
      socket.write('220 ready\r\n');
      socket.on('data', (chunk) => socket.write(`250 ${chunk.toString('latin1')}`));
    });
    await using mesh = await start(app.port, 'auto');
    using first = await TestClient.connect(mesh.port);
    await first.until(/^220 ready\r\n$/);
    first.send('EHLO\r\n');
    await first.until(/250 EHLO\r\n$/);
    expect(mesh.a.reader.counters().sniffTimeouts).toBe(1);
    // Learned: the next connection does not wait for the client to be silent.
    using second = await TestClient.connect(mesh.port);
    await second.until(/^220 ready\r\n$/);
    expect(mesh.a.reader.counters().sniffTimeouts).toBe(1);
  });

  test('HTTP is recognised by its first bytes where no protocol is declared', async () => {
    await using app = await TestServer.tcp((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    });
    await using mesh = await start(app.port, 'auto');
    using client = await TestClient.connect(mesh.port);
    client.send('GET / HTT');
    client.send('P/1.1\r\nHost: cart\r\n\r\n');
    await client.until(/ok$/);
    expect(mesh.a.reader.series().map(({ labels }) => labels.protocol)).toEqual(['http', 'http']); // the connection and its request
  });

  test('what only looks like HTTP at first stays opaque', async () => {
    await using app = await TestServer.tcp((socket) => {
      socket.on('data', (chunk) => socket.write(`+${chunk.toString('latin1')}`));
    });
    await using mesh = await start(app.port, 'auto');
    using client = await TestClient.connect(mesh.port);
    client.send('GET key\r\n'); // Redis takes inline commands
    await client.until(/^\+GET key\r\n$/);
    expect(mesh.a.reader.series().map(({ labels }) => labels.protocol)).toEqual(['tcp']);
  });

  test('a client that ends its side still gets the answer', async () => {
    await using app = await TestServer.tcp((socket) => {
      let all = '';
      socket.on('data', (chunk) => {
        all += chunk.toString('latin1');
      });
      socket.on('end', () => socket.end(`got ${all}`));
    });
    await using mesh = await start(app.port);
    using client = await TestClient.connect(mesh.port);
    client.socket.end('everything');
    await client.until(/^got everything$/);
    await client.ended();
    await client.closed();
    expect(client.error).toBeUndefined();
  });

  test('a server that ends its side still gets what the client sends', async () => {
    let seen = '';
    await using app = await TestServer.tcp((socket) => {
      socket.end('bye');
      socket.on('data', (chunk) => {
        seen += chunk.toString('latin1');
      });
    });
    await using mesh = await start(app.port);
    using client = await TestClient.connect(mesh.port);
    await client.ended();
    expect(client.received).toBe('bye');
    client.socket.end('not yet');
    await eventually(() => seen === 'not yet');
    await client.closed();
  });

  test('a reset by the server is a reset to the client', async () => {
    await using app = await TestServer.tcp((socket) => {
      socket.once('data', () => socket.resetAndDestroy());
    });
    await using mesh = await start(app.port);
    using client = await TestClient.connect(mesh.port);
    client.send('x');
    await client.closed();
    expect(client.error?.code).toBe('ECONNRESET');
  });

  test('a reset by the client is a reset to the server', async () => {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    await using app = await TestServer.tcp((socket) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      socket.on('end', () => resolve('end'));
      socket.resume();
    });
    await using mesh = await start(app.port);
    using client = await TestClient.connect(mesh.port);
    client.send('x');
    await eventually(() => app.sockets.size === 1);
    client.socket.resetAndDestroy();
    expect(await promise).toBe('ECONNRESET');
  });

  test('a side that does not read stops the other, and everything arrives in the end', async () => {
    const total = 64 * 1_048_576;
    let written = 0;
    await using app = await TestServer.tcp((socket) => {
      const block = Buffer.alloc(65_536, 7);
      const pump = (): void => {
        while (written < total) {
          written += block.length;
          if (!socket.write(block)) return;
        }
        socket.end();
      };
      socket.on('drain', pump);
      pump();
    });
    await using mesh = await start(app.port);
    using client = await TestClient.connect(mesh.port);
    client.socket.removeAllListeners('data');
    client.socket.pause();
    client.socket.write('go');
    let last = -1;
    let quiet = 0;
    while (quiet < 200) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = written === last && written > 0 ? quiet + 1 : 0;
      last = written;
    }
    expect(written).toBeLessThan(total / 2);
    let bytes = 0;
    client.socket.on('data', (text: unknown) => {
      bytes += String(text).length;
    });
    client.socket.resume();
    await once(client.socket, 'end');
    expect(bytes).toBe(total);
  });

  test('a client that leaves before the endpoint is reached leaves nothing behind', async () => {
    await using app = await TestServer.tcp((socket) => socket.resume());
    await using mesh = await start(app.port);
    const client = await TestClient.connect(mesh.port);
    client.socket.resetAndDestroy();
    await eventually(() => mesh.a.proxy.openConnections === 0 && mesh.b.proxy.openConnections <= 1);
    await eventually(() => mesh.a.reader.totals().connectionsActive === 0);
    await eventually(() => app.sockets.size === 0);
  });
});
